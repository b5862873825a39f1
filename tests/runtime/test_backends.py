"""Back ends answer alike, from several threads, without falling back and without the network."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from runtime.backends import BACKENDS, Folders, Threads, backend_for, cpu, openvino, openvino_bf16
from runtime.contract import GRAPHS
from runtime.errors import BackendMissing, GraphError, SettingError
from runtime.graphs import VoiceGraphs
from runtime.manifest import Acoustic
from tests.tiny_voice import tiny_bundle
from workflow_scripts.graphs import answers

ONE = Threads(intra_op=1)
ROOT = Path(__file__).parents[2]


def installed(name: str) -> None:
    reason = BACKENDS[name].missing()
    if reason:
        pytest.skip(f"{name} stays unverified: {reason}")


def file_of(graph: str) -> Path:
    return tiny_bundle() / f"{graph}.onnx"


def recorded(graph: str) -> dict[str, answers.Answer]:
    return answers.load(tiny_bundle().parent / f"{graph}.npz")


def test_openvino_answers_as_pytorch_did_at_any_length() -> None:
    installed("openvino")
    runner = BACKENDS["openvino"].open_graph(file_of("vocoder"), ONE)
    for label, case in recorded("vocoder").items():
        found = runner.run(case.inputs)
        for array, wanted in zip(found, case.outputs.values(), strict=True):
            assert array.dtype == wanted.dtype
            allowed = 2e-4 * max(1, np.abs(wanted).max())
            np.testing.assert_allclose(array, wanted, atol=allowed, rtol=0, err_msg=label)


def test_memory_is_not_kept_for_lengths_that_have_passed() -> None:
    options = cpu.open_graph(file_of("vocoder"), ONE).session.get_session_options()
    assert not options.enable_cpu_mem_arena
    assert not options.enable_mem_pattern


@pytest.mark.parametrize(("spinning", "stops"), [(False, "1"), (True, "0")])
def test_idle_threads_stop_spinning_unless_they_are_to(spinning: bool, stops: str) -> None:
    graph = cpu.open_graph(file_of("vocoder"), Threads(1, spinning))
    options = graph.session.get_session_options()
    assert options.get_session_config_entry("session.force_spinning_stop") == stops


def test_bfloat16_is_near_and_not_equal() -> None:
    installed("openvino_bf16")
    exact, rough = (
        BACKENDS[name].open_graph(file_of("vocoder"), ONE) for name in ("cpu", "openvino_bf16")
    )
    inputs = next(iter(recorded("vocoder").values())).inputs
    (wanted,), (found,) = exact.run(inputs), rough.run(inputs)
    distance = np.sqrt(np.mean((found - wanted) ** 2) / np.mean(wanted**2))
    assert 1e-5 < distance < 0.05


def test_a_cpu_without_bfloat16_is_told_so() -> None:
    reason = openvino_bf16.lacking(["FP32", "INT8"])
    assert reason == "this CPU has no bfloat16 arithmetic (it has FP32, INT8); use openvino"
    assert openvino_bf16.lacking(["FP32", "BF16"]) is None


@pytest.mark.parametrize("name", BACKENDS)
def test_calls_from_several_threads_do_not_disturb_each_other(name: str) -> None:
    installed(name)
    runner = BACKENDS[name].open_graph(file_of("vocoder"), ONE)
    cases = [case.inputs for case in recorded("vocoder").values()] * 4
    alone = [runner.run(inputs)[0] for inputs in cases]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda inputs: runner.run(inputs)[0], cases))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_answer_is_not_overwritten_by_the_next_call() -> None:
    installed("openvino")
    runner = BACKENDS["openvino"].open_graph(file_of("vocoder"), ONE)
    inputs = next(iter(recorded("vocoder").values())).inputs
    (first,) = runner.run(inputs)
    kept = first.copy()
    runner.run({**inputs, "latent": inputs["latent"] * 2})
    np.testing.assert_array_equal(first, kept)


def test_an_input_of_another_dtype_is_refused_not_converted() -> None:
    installed("openvino")
    runner = BACKENDS["openvino"].open_graph(file_of("vocoder"), ONE)
    inputs = next(iter(recorded("vocoder").values())).inputs
    with pytest.raises(GraphError, match=r"vocoder\.onnx: OpenVINO can't run it"):
        runner.run({**inputs, "latent": inputs["latent"].astype(np.float64)})


def test_both_of_c_s_names_for_64_bits_are_taken() -> None:
    installed("openvino")
    runner = BACKENDS["openvino"].open_graph(file_of("roberta"), ONE)
    inputs = next(iter(recorded("roberta").values())).inputs
    for name in ("l", "q"):
        runner.run({"input_ids": inputs["input_ids"].astype(name)})


def test_computing_otherwise_than_asked_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    f32 = SimpleNamespace(get_type_name=lambda: "f32")
    answers = {"EXECUTION_DEVICES": ["CPU"], "INFERENCE_PRECISION_HINT": f32}
    compiled = SimpleNamespace(get_property=answers.__getitem__)
    core = SimpleNamespace(compile_model=lambda *_: compiled)
    monkeypatch.setattr(openvino, "library", lambda: SimpleNamespace(Core=lambda: core))
    with pytest.raises(BackendMissing, match="computes in f32 on CPU where bf16 on CPU was asked"):
        openvino.OpenVinoGraph(tmp_path / "vocoder.onnx", ONE, None, "bf16")


def test_a_file_that_is_no_graph_is_refused_by_name(tmp_path: Path) -> None:
    installed("openvino")
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    with pytest.raises(GraphError, match=r"broken\.onnx: OpenVINO can't load it"):
        openvino.open_graph(tmp_path / "broken.onnx", ONE)


def test_compiled_graphs_are_kept_only_where_asked(tmp_path: Path) -> None:
    installed("openvino")
    backend, folder = BACKENDS["openvino"], tmp_path / "compiled"
    backend.open_graph(file_of("vocoder"), ONE)
    assert not folder.exists()
    first = backend.open_graph(file_of("vocoder"), ONE, Folders(folder))
    assert list(folder.iterdir())
    again = backend.open_graph(file_of("vocoder"), ONE, Folders(folder))
    inputs = next(iter(recorded("vocoder").values())).inputs
    np.testing.assert_array_equal(first.run(inputs)[0], again.run(inputs)[0])


OFFLINE = """
import socket, sys
def refuse(*_): raise SystemExit("the network was used")
socket.socket.connect = socket.getaddrinfo = refuse
from runtime.backends import openvino
assert openvino.library().Core().available_devices
print(sorted(name for name in sys.modules if name.startswith("openvino_telemetry")))
"""


def test_importing_openvino_reports_nothing_to_anyone(tmp_path: Path) -> None:
    installed("openvino")
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    for name in ("CI", "TF_BUILD", "JENKINS_URL"):  # which would silence it too
        environment.pop(name, None)
    command = [sys.executable, "-c", OFFLINE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert list(tmp_path.iterdir()) == []  # no identity, no count of uses


@pytest.mark.parametrize("name", ["openvino", "openvino_bf16"])
def test_the_decoder_is_refused_where_its_cache_would_be_copied(name: str) -> None:
    with pytest.raises(SettingError, match=f"t2s_decoder={name}: not for this graph; use cpu"):
        backend_for("t2s_decoder", name)
    acoustic = Acoustic(32_000, 704, needs_speaker=False)
    graphs = VoiceGraphs({"t2s_decoder": Path("x.onnx")}, Path("t"), acoustic, default=name)
    with pytest.raises(SettingError, match="not for this graph"):
        graphs.open("t2s_decoder")


@pytest.mark.parametrize("name", ["openvino", "openvino_bf16"])
@pytest.mark.parametrize("graph", ["prior", "hubert", "roberta", "speaker"])
def test_what_comes_in_ever_new_lengths_is_not_compiled_for_each(graph: str, name: str) -> None:
    with pytest.raises(SettingError, match=f"{graph}={name}: not for this graph; use cpu"):
        backend_for(graph, name)


def test_cpu_takes_every_graph_and_is_never_missing() -> None:
    assert BACKENDS["cpu"].takes == set(GRAPHS)
    assert BACKENDS["cpu"].missing() is None
    assert all(row.takes <= set(GRAPHS) and row.note for row in BACKENDS.values())
