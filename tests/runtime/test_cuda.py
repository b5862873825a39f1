"""ONNX Runtime on a GPU: what is missing is message, and a fall back to the CPU is caught.

Whether the provider computes rightly needs a GPU: tests marked `gpu`.
"""

from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from runtime.backends import Threads, cuda, sessions
from runtime.backends.cpu import open_graph
from runtime.backends.ort_loop import OrtLoop, _refuse_cpu_nodes
from runtime.backends.sessions import GPU, STAND_IN, refuse_fallback, session_on, why_not
from runtime.errors import BackendMissing, GraphError
from runtime.machine import CUDA_LIBRARY
from tests.runtime.fake_driver import packages
from tests.tiny_voice import tiny_bundle
from workflow_scripts.graphs import answers

ONE = Threads(intra_op=1)
FOLDER = Path("capi")
UNVERIFIED = "unverified: that graphs on the CUDA provider answer as on the CPU"


def without(library: str, message: str = "cannot open shared object file: No such file") -> object:
    """A loader that lacks one library, named as the system names it."""

    def load(name: str) -> None:
        if name == library or (name.endswith(sessions.LIBRARY) and library.startswith("libcu")):
            raise OSError(f"{library}: {message}")

    return load


def test_a_runtime_without_the_provider_says_what_to_install() -> None:
    plain = packages(onnxruntime="1.32.0")
    reason = cuda.lacking(["CPUExecutionProvider"], plain)
    assert reason == (
        "onnxruntime is built without it;"
        " pip uninstall onnxruntime, then pip install '.[gpu]' in the checkout"
    )
    gpu = packages(**{"onnxruntime-gpu": "1.31.1"})
    assert cuda.lacking([GPU.provider, "CPUExecutionProvider"], gpu) is None


def test_of_two_runtimes_side_by_side_the_one_that_is_imported_counts() -> None:
    both = packages(onnxruntime="1.32.0", **{"onnxruntime-gpu": "1.31.1"})
    assert cuda.lacking([GPU.provider], both) is None
    reason = cuda.lacking(["CPUExecutionProvider"], both)
    assert reason is not None
    assert reason.startswith("onnxruntime and onnxruntime-gpu are both installed, and the one")
    with pytest.raises(PackageNotFoundError):
        both("torch")


def test_a_session_that_fell_back_in_silence_is_an_error_of_one_line() -> None:
    if GPU.provider in sessions.onnxruntime.get_available_providers():
        pytest.skip("this runtime has the provider, so it does not fall back like this")
    with (
        pytest.warns(UserWarning, match="not in available provider names"),
        pytest.raises(BackendMissing) as caught,
    ):
        session_on(GPU, tiny_bundle() / "vocoder.onnx", ONE)
    assert "fell back to CPUExecutionProvider where CUDAExecutionProvider" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "library", ["libcublas.so.13", "libcublasLt.so.13", "libcudnn.so.9", CUDA_LIBRARY]
)
def test_the_library_that_is_missing_is_named(library: str) -> None:
    assert why_not(FOLDER, without(library)) == f"{library} not found"  # type: ignore[arg-type]
    with pytest.raises(BackendMissing, match=rf"asked for \({library} not found\); install"):
        refuse_fallback(Path("g.onnx"), GPU, ["CPUExecutionProvider"], without(library))  # type: ignore[arg-type]


def test_other_reasons_are_passed_on() -> None:
    driver = without(CUDA_LIBRARY, "wrong ELF class")
    assert why_not(FOLDER, driver) == f"{CUDA_LIBRARY}: wrong ELF class"  # type: ignore[arg-type]
    absent = without(str(FOLDER / sessions.LIBRARY))
    assert why_not(FOLDER, absent).startswith(f"{sessions.LIBRARY} not found; pip")  # type: ignore[arg-type]
    assert why_not(FOLDER, lambda name: None) == "it gives no reason"


def test_a_session_where_it_was_asked_for_is_let_through() -> None:
    refuse_fallback(Path("g.onnx"), GPU, [GPU.provider, "CPUExecutionProvider"])


def test_the_cpu_stand_in_answers_as_the_cpu_does() -> None:
    path = tiny_bundle() / "vocoder.onnx"
    inputs = next(iter(answers.load(tiny_bundle().parent / "vocoder.npz").values())).inputs
    runner = cuda.SessionGraph(session_on(STAND_IN, path, ONE))
    (found,), (wanted,) = runner.run(inputs), open_graph(path, ONE).run(inputs)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_a_file_that_is_no_graph_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    with pytest.raises(GraphError, match=r"broken\.onnx: ONNX Runtime can't load it"):
        session_on(STAND_IN, tmp_path / "broken.onnx", ONE)


def test_a_decoder_whose_cache_would_go_to_the_cpu_and_back_is_refused() -> None:
    _refuse_cpu_nodes(Path("l.onnx"), ["Shape 'a'", "Gather 'b'"])
    with pytest.raises(BackendMissing, match="leaves ScatterElements 'w' to the CPU; use"):
        _refuse_cpu_nodes(Path("l.onnx"), ["Shape 'a'", "ScatterElements 'w'"])


def test_nodes_left_to_the_cpu_are_listed() -> None:
    session = session_on(
        STAND_IN,
        tiny_bundle() / "t2s_decoder.onnx",
        ONE,
        {"session.record_ep_graph_assignment_info": "1"},
    )
    named = sessions.cpu_nodes(session)
    assert any(node.startswith("GroupQueryAttention '") for node in named)
    part = SimpleNamespace(ep_name=GPU.provider, get_nodes=lambda: ["never asked"])
    elsewhere = SimpleNamespace(get_provider_graph_assignment_info=lambda: [part])
    assert sessions.cpu_nodes(elsewhere) == []


@pytest.mark.gpu
@pytest.mark.parametrize("graph", ["prior", "vocoder", "hubert"])
def test_graphs_on_the_gpu_answer_as_on_the_cpu(graph: str) -> None:
    if reason := cuda.missing():
        pytest.skip(f"{UNVERIFIED}: {reason}")
    path = tiny_bundle() / f"{graph}.onnx"
    for case in answers.load(tiny_bundle().parent / f"{graph}.npz").values():
        found = cuda.open_graph(path, ONE).run(case.inputs)
        for array, wanted in zip(found, case.outputs.values(), strict=True):
            np.testing.assert_allclose(array, wanted, atol=2e-4 * max(1, np.abs(wanted).max()))


@pytest.mark.gpu
def test_the_decode_loop_on_the_gpu_gives_the_tokens_of_the_cpu() -> None:
    if reason := cuda.missing():
        pytest.skip(f"unverified: the decode loop with its CUDA graph on a GPU: {reason}")
    from runtime.t2s.device_loop import LoopDecoder
    from runtime.t2s.request import Finish, Limits
    from tests.goldens import t2s_cases
    from tests.loops import loop_file
    from tests.runtime.test_decode import greedy, prompt_of
    from tests.t2s_models import t2s_decoder, t2s_graphs

    case = next(case for case in t2s_cases("single") if case["prompts"].size)
    embed = open_graph(t2s_graphs(case.model) / "t2s_embed.onnx", ONE)
    decoder = LoopDecoder(embed, OrtLoop(loop_file(case.model, 512, "scatter_elements"), ONE))
    limits = Limits(early_stop_tokens=200)
    wanted, got = (
        list(d.tokens(prompt_of(case), greedy(1.0), limits, Finish()))
        for d in (t2s_decoder(case.model), decoder)
    )
    assert got == wanted
