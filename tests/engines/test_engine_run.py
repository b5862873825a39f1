"""Running engines: buffers, shapes, aliases, CUDA graph replays; on a GPU that is imitated."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime.backends import engines
from runtime.backends.cpu import open_graph
from runtime.backends.engine_load import Loaded, load
from runtime.backends.engine_run import EngineGraph, EngineLoop
from runtime.contract import BLOCK_TOKENS
from runtime.errors import BackendMissing, GraphError, MachineError
from runtime.t2s.device_loop import LoopDecoder
from runtime.t2s.request import Finish, Limits, sampled
from runtime.t2s.sampler import Sampling
from tests.engines.fake_gpu import FakeDevice, _Engine, engine_file, library, machine_of
from tests.engines.stand_in import RELEASES
from tests.goldens import Case, t2s_cases
from tests.loops import ONE, loop_file
from tests.runtime.test_decode import prompt_of
from tests.t2s_models import t2s_decoder, t2s_graphs
from tests.tiny_voice import tiny_bundle
from workflow_scripts.graphs import answers

ROWS = 256


def loaded(release: str, source: Path, device: FakeDevice, folder: Path, **changes: Any) -> Loaded:
    trt, here = library(release, source, device, **changes), machine_of(release)
    return load(trt, engine_file(folder, source, here), here)


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    return request.param


def vocoder(release: str, folder: Path, **changes: Any) -> tuple[EngineGraph, FakeDevice]:
    device = FakeDevice()
    source = tiny_bundle() / "vocoder.onnx"
    return EngineGraph(loaded(release, source, device, folder, **changes), device), device


def inputs_of(graph: str) -> list[dict[str, np.ndarray]]:
    return [case.inputs for case in answers.load(tiny_bundle().parent / f"{graph}.npz").values()]


def test_an_engine_answers_at_any_length_with_arrays_of_one_s_own(
    release: str, tmp_path: Path
) -> None:
    runner, _ = vocoder(release, tmp_path)
    exact = open_graph(tiny_bundle() / "vocoder.onnx", ONE)
    found = [runner.run(inputs)[0] for inputs in inputs_of("vocoder")]
    for array, inputs in zip(found, inputs_of("vocoder"), strict=True):
        np.testing.assert_allclose(array, exact.run(inputs)[0], atol=1e-6)
    assert runner.input_dim("style", 1) == exact.input_dim("style", 1)


def test_requests_at_once_have_a_context_each_and_one_engine(tmp_path: Path) -> None:
    runner, _ = vocoder("tensorrt_10", tmp_path)
    cases = inputs_of("vocoder") * 3
    alone = [runner.run(inputs)[0] for inputs in cases]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda inputs: runner.run(inputs)[0], cases))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_buffers_grow_and_are_not_made_anew(tmp_path: Path) -> None:
    runner, device = vocoder("tensorrt_10", tmp_path)
    longest = max(inputs_of("vocoder"), key=lambda inputs: inputs["latent"].size)
    runner.run(longest)
    before = set(device.memory)
    for inputs in inputs_of("vocoder"):
        runner.run(inputs)
    assert set(device.memory) == before


REFUSED = {
    "create_execution_context": ("no memory for one more request", None),
    "set_tensor_address": (r"set_tensor_address\(latent\) failed", False),
    "set_input_shape": (r"set_input_shape\(latent, .*outside the engine's profile, failed", False),
    "execute_async_v3": ("execute_async_v3 failed", False),
    "infer_shapes": ("shapes of style are not known", ["style"]),
    "get_tensor_shape": ("the size of 'audio' depends on data", (1, -1)),
}


@pytest.mark.parametrize("call", REFUSED)
def test_whatever_the_library_refuses_is_an_error_of_one_line(
    release: str, call: str, tmp_path: Path
) -> None:
    message, answer = REFUSED[call]
    owner = "ICudaEngine" if call == "create_execution_context" else "IExecutionContext"
    runner, _ = vocoder(release, tmp_path, **{f"{owner}__{call}": answer})
    with pytest.raises(MachineError, match=rf"vocoder\.engine: {message}"):
        runner.run(inputs_of("vocoder")[0])


def test_inputs_of_another_kind_are_refused_not_reinterpreted(tmp_path: Path) -> None:
    runner, _ = vocoder("tensorrt_10", tmp_path)
    inputs = inputs_of("vocoder")[0]
    with pytest.raises(GraphError, match="'latent' is float64"):
        runner.run({**inputs, "latent": inputs["latent"].astype(np.float64)})
    with pytest.raises(GraphError, match="'style' is not given"):
        runner.run({"latent": inputs["latent"]})
    turned = np.asfortranarray(inputs["latent"])
    np.testing.assert_array_equal(
        runner.run({**inputs, "latent": turned})[0], runner.run(inputs)[0]
    )


@pytest.fixture(scope="module")
def case() -> Case:
    return next(case for case in t2s_cases("single") if case["prompts"].size)


def in_place(self: Any, name: str) -> str:
    return name.replace("present_", "past_") if name.startswith("present_") else ""


def decoder_on(
    device: FakeDevice, release: str, case: Case, folder: Path, **changes: Any
) -> tuple[LoopDecoder, EngineLoop]:
    source = loop_file(case.model, ROWS)
    loop = EngineLoop(loaded(release, source, device, folder, **changes), device)
    embed = open_graph(t2s_graphs(case.model) / "t2s_embed.onnx", ONE)
    return LoopDecoder(embed, loop), loop


def chooser() -> Any:
    noise = np.random.default_rng(3).exponential(size=(200, 1025)).astype(np.float32)
    return sampled(Sampling(15, 0.9, 1.0, 1.0), lambda step, count: noise[step, :count])


@pytest.mark.golden
@pytest.mark.parametrize("aliased", [True, False], ids=["in place", "copied"])
def test_the_loop_gives_the_tokens_of_the_cpu(
    release: str, aliased: bool, case: Case, tmp_path: Path
) -> None:
    changes = {"ICudaEngine__get_aliased_input_tensor": in_place} if aliased else {}
    device = FakeDevice()
    decoder, _ = decoder_on(device, release, case, tmp_path, **changes)
    limits = Limits(early_stop_tokens=50)
    for _ in range(2):  # the second utterance finds buffers that were used
        wanted, got = (
            list(d.tokens(prompt_of(case), chooser(), limits, Finish()))
            for d in (t2s_decoder(case.model), decoder)
        )
        assert got == wanted
    assert len(got) > BLOCK_TOKENS
    assert device.launched > BLOCK_TOKENS


@pytest.mark.golden
def test_between_blocks_nothing_crosses_the_bus(case: Case, tmp_path: Path) -> None:
    device = FakeDevice()
    changes = {"ICudaEngine__get_aliased_input_tensor": in_place}
    decoder, loop = decoder_on(device, "tensorrt_11", case, tmp_path, **changes)
    limits = Limits(early_stop_tokens=5 * BLOCK_TOKENS)
    noise = BLOCK_TOKENS * loop.vocabulary * 4
    seen: list[tuple[int, int]] = []
    for step, _ in enumerate(decoder.tokens(prompt_of(case), chooser(), limits, Finish())):
        if step and step % BLOCK_TOKENS == 0:
            seen.append((device.moved["up"], device.moved["down"]))
    blocks = [tuple(np.subtract(b, a)) for a, b in pairwise(seen)]
    assert blocks
    assert set(blocks) == {(noise, BLOCK_TOKENS * 8)}


@pytest.mark.golden
def test_an_engine_that_can_t_be_recorded_runs_plainly_and_says_so(
    case: Case, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    device = FakeDevice()
    changes = {"IExecutionContext__is_stream_capturable": False}
    decoder, _ = decoder_on(device, "tensorrt_rtx_1", case, tmp_path, **changes)
    limits = Limits(early_stop_tokens=30)
    got = list(decoder.tokens(prompt_of(case), chooser(), limits, Finish()))
    assert got == list(t2s_decoder(case.model).tokens(prompt_of(case), chooser(), limits, Finish()))
    assert device.launched == 0
    assert "steps are eager, not CUDA graph replays: the engine can't be captured" in caplog.text


@pytest.mark.golden
def test_a_capture_that_fails_is_ended_and_steps_go_on(case: Case, tmp_path: Path) -> None:
    device, fake = FakeDevice(), {}

    def execute(self: Any, stream: int) -> bool:
        return device.recording is None and fake["execute"](self, stream)

    source = loop_file(case.model, ROWS)
    fake["execute"] = _Engine(source, device).execute
    changes = {"IExecutionContext__execute_async_v3": execute}
    decoder, _ = decoder_on(device, "tensorrt_11", case, tmp_path, **changes)
    limits = Limits(early_stop_tokens=20)
    got = list(decoder.tokens(prompt_of(case), chooser(), limits, Finish()))
    assert got == list(t2s_decoder(case.model).tokens(prompt_of(case), chooser(), limits, Finish()))
    assert device.launched == 0
    assert device.recording is None


@pytest.mark.parametrize("library_name", ["tensorrt", "tensorrt_rtx"])
def test_what_is_missing_for_engines_is_one_line(library_name: str) -> None:
    reason = engines.missing(library_name)
    if reason is None:
        pytest.skip("nothing is missing on this machine")
    assert "\n" not in reason
    with pytest.raises(BackendMissing, match=f"provider {library_name}: "):
        engines.open_graph(library_name, Path("vocoder.onnx"), ONE, Path("engines"))
