"""From a stored graph to an engine file with its sidecar; what goes into the key."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx
import pytest

from runtime.errors import BackendMissing, EngineBuildError, EngineMismatch, GraphError
from runtime.machine import machine_record
from tests.engines.files import MAX_LEN, TINY_DECODER, stored, tables_of
from tests.engines.stand_in import made, stand_in, tensor
from tests.runtime.fake_driver import TENSORRT, Driver, record_of
from workflow_scripts.engines.build import (
    EngineJob,
    Outputs,
    build_file,
    check_machine,
    content_digest,
    library_module,
    prepared,
)
from workflow_scripts.engines.importer import Release
from workflow_scripts.engines.tensorrt import Options

ROOT = Path(__file__).parents[2]
VOCODER = ("sovits v2", "vocoder")
HERE = record_of(Driver())


def library(source: Path, release: str = "tensorrt_10", **answers: Any) -> ModuleType:
    """A library that takes this very graph."""
    graph = onnx.load(source, load_external_data=False).graph
    io_tensors = {"input": list(graph.input), "output": list(graph.output)}

    def io_tensor(side: str, index: int) -> Any:
        value = io_tensors[side][index]
        dims = value.type.tensor_type.shape.dim
        shape = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in dims)
        return tensor(value.name, shape)

    return stand_in(
        release,
        {
            "INetworkDefinition.num_inputs": len(io_tensors["input"]),
            "INetworkDefinition.num_outputs": len(io_tensors["output"]),
            "INetworkDefinition.get_input": lambda self, i: io_tensor("input", i),
            "INetworkDefinition.get_output": lambda self, i: io_tensor("output", i),
        }
        | answers,
    )


def outputs(folder: Path) -> Outputs:
    return Outputs(folder / "v.engine", folder / "v.json", folder / "timing.cache")


def sidecar(folder: Path, job: EngineJob, machine: Any = HERE) -> dict[str, Any]:
    build_file(job, library(job.source), machine, outputs(folder))
    return json.loads((folder / "v.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def job() -> EngineJob:
    return EngineJob(stored(*VOCODER), "vocoder", "fp32", MAX_LEN)


def test_engine_and_sidecar_appear_together_and_say_what_they_are(
    job: EngineJob, tmp_path: Path
) -> None:
    found = sidecar(tmp_path, job)
    assert (tmp_path / "v.engine").read_bytes() == b"plan"
    assert found["engine"]["bytes"] == len(b"plan")
    assert found["state"] == "built"
    assert found["machine"]["id"] == HERE.id
    assert found["build"]["onnx_sha256"] == content_digest(job.source)
    assert found["build"]["profiles"]["any"]["latent"]["max"] == [1, 192, 4 * MAX_LEN]
    assert [tensor["name"] for tensor in found["io_tensors"]] == ["latent", "style", "audio"]
    assert (tmp_path / "timing.cache").read_bytes() == b"plan"


def test_the_key_follows_content_options_and_machine_and_nothing_else(
    job: EngineJob, tmp_path: Path
) -> None:
    again = tmp_path / "moved.onnx"
    again.write_bytes(job.source.read_bytes())
    key = sidecar(tmp_path, job)["engine_key"]
    assert sidecar(tmp_path, replace(job, source=again))["engine_key"] == key
    assert sidecar(tmp_path, job, record_of(Driver(uuid=9, driver="1.2")))["engine_key"] == key
    model = onnx.load(job.source)
    model.doc_string = "another"
    onnx.save(model, again)
    others = [
        sidecar(tmp_path, replace(job, source=again)),
        sidecar(tmp_path, replace(job, max_len=MAX_LEN + 1)),
        sidecar(tmp_path, replace(job, options=Options(tf32=True))),
        sidecar(tmp_path, job, record_of(Driver(name="NVIDIA L4"))),
    ]
    assert len({key, *(other["engine_key"] for other in others)}) == len(others) + 1


def test_the_loop_is_built_of_the_decoder_and_of_its_tables(tmp_path: Path) -> None:
    tables = tables_of(*TINY_DECODER)
    job = EngineJob(stored(*TINY_DECODER), "t2s_loop", "fp32", MAX_LEN, tables=tables)
    request, facts = prepared(job, Release("tensorrt", "11.4.0.106"), tmp_path)
    assert facts["onnx_sha256"] == content_digest(job.source)
    assert facts["tables_sha256"] == hashlib.sha256(tables.read_bytes()).hexdigest()
    assert {"state", "noise", "next_history"} <= {tensor.name for tensor in request.io_tensors}
    prefill = facts["profiles"]["prefill"]
    assert prefill["bias"]["max"] == [1, 1, MAX_LEN, MAX_LEN]
    with pytest.raises(GraphError, match=r"t2s_loop needs t2s_tables\.npz; give --tables"):
        prepared(replace(job, tables=None), Release("tensorrt", "11.4.0.106"), tmp_path)


def test_a_build_that_fails_leaves_the_old_files_and_nothing_else(
    job: EngineJob, tmp_path: Path
) -> None:
    sidecar(tmp_path, job)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    failing = library(job.source, **{"Builder.build_serialized_network": None})
    with pytest.raises(EngineBuildError, match="build_serialized_network gave nothing"):
        build_file(job, failing, HERE, outputs(tmp_path))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_interrupt_in_mid_build_leaves_nothing(job: EngineJob, tmp_path: Path) -> None:
    def cancelled(self: Any, network: Any, config: Any) -> Any:
        config.progress_monitor.cancelled = True

    stopped = library(job.source, **{"Builder.build_serialized_network": cancelled})
    with pytest.raises(KeyboardInterrupt):
        build_file(job, stopped, HERE, outputs(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_cache_written_by_another_process_meanwhile_harms_nothing(
    job: EngineJob, tmp_path: Path
) -> None:
    to = outputs(tmp_path)

    def meanwhile(self: Any, network: Any, config: Any) -> Any:
        assert to.timing_cache is not None
        to.timing_cache.write_bytes(b"of the other")
        return made(trt, "IHostMemory")

    trt = library(job.source, **{"Builder.build_serialized_network": meanwhile})
    build_file(job, trt, HERE, to)
    assert (tmp_path / "timing.cache").read_bytes() == b"plan"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "timing.cache",
        "v.engine",
        "v.json",
    ]


def test_garbage_and_emptiness_are_no_graphs(tmp_path: Path) -> None:
    for content in (b"", b"no graph"):
        source = tmp_path / "broken.onnx"
        source.write_bytes(content)
        with pytest.raises(GraphError, match=r"broken\.onnx"):
            build_file(
                EngineJob(source, "vocoder", "fp32", 64),
                stand_in("tensorrt_10"),
                HERE,
                outputs(tmp_path),
            )


def test_another_machine_than_the_wanted_one_is_refused_with_both_keys() -> None:
    wanted = record_of(Driver(name="NVIDIA A100"))
    with pytest.raises(EngineMismatch) as caught:
        check_machine(wanted, HERE, "10.13.3.9")
    assert f"engine wanted for {wanted.id} but this machine is {HERE.id}" in str(caught.value)
    assert "gpu_name was NVIDIA A100, is NVIDIA H100" in str(caught.value)
    check_machine(HERE, record_of(Driver(driver="999.1")), "10.13.3.9")


def test_another_version_than_the_recorded_one_is_refused() -> None:
    with pytest.raises(EngineMismatch, match=r"10\.13\.3\.9 is installed but 11\.0\.0\.1 is impo"):
        check_machine(HERE, HERE, "11.0.0.1")


def test_without_gpu_or_library_the_reason_is_one_line() -> None:
    nothing = machine_record(load=Driver(devices=0).load, installed=TENSORRT)
    with pytest.raises(BackendMissing, match="engine: no usable NVIDIA GPU"):
        check_machine(nothing, nothing, "10.13.3.9")
    with pytest.raises(BackendMissing, match="no_such_library: can't be imported"):
        library_module("no_such_library")


def test_the_command_says_in_one_line_that_there_is_no_gpu(tmp_path: Path) -> None:
    machine = tmp_path / "m.json"
    machine.write_text(json.dumps(HERE.as_json()), "utf-8")
    command = [sys.executable, "-m", "workflow_scripts.engines.build", "v.onnx", "--graph"]
    command += ["vocoder", "--precision", "fp32", "--max-len", "64", "--machine", str(machine)]
    command += ["--output", str(tmp_path / "v.engine"), "--sidecar", str(tmp_path / "v.json")]
    if not machine_record().missing:
        pytest.skip("this machine has a GPU")
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 5
    assert ran.stderr.count("\n") == 1
    assert ran.stderr.startswith("error: engine: ")


def test_the_decoder_is_rewritten_for_the_library_and_has_two_profiles(tmp_path: Path) -> None:
    job = EngineJob(stored(*TINY_DECODER), "t2s_decoder", "fp32", MAX_LEN)
    trt = stand_in("tensorrt_11")
    request, facts = prepared(job, Release(trt.__name__, trt.__version__), tmp_path)
    assert facts["attention"] == "scatter_in_parts"
    assert [profile.name for profile in request.profiles] == ["step", "prefill"]
    assert request.options.max_aux_streams == 0
    assert request.graph.parent == tmp_path
