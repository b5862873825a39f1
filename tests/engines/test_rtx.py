"""The real TensorRT-RTX: it imports and builds every graph of the embedded voices on a CPU.

That is evidence for TensorRT-RTX alone, and for import and build alone: not for TensorRT's own
builder, and not for numbers or speed, which need a GPU.
"""

import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import onnx
import pytest

from runtime.errors import EngineBuildError, GraphError
from runtime.machine import machine_record
from tests.engines.files import (
    EVERY,
    MAX_LEN,
    TINY_DECODER,
    answers_of,
    for_engine,
    stored,
    tables_of,
)
from tests.runtime.fake_driver import Driver, packages
from workflow_scripts.engines import tensorrt
from workflow_scripts.engines.arithmetic import ARITHMETICS
from workflow_scripts.engines.build import EngineJob, Outputs, build_file, prepared
from workflow_scripts.engines.importer import Release
from workflow_scripts.engines.imports import imported, record
from workflow_scripts.engines.tensorrt import Options, Request
from workflow_scripts.graphs import answers
from workflow_scripts.variants.half import METHOD, to_half
from workflow_scripts.variants.job import ReductionJob

pytestmark = pytest.mark.rtx
UNVERIFIED = (
    "unverified: that TensorRT-RTX imports and builds the graphs (pip install tensorrt-rtx)"
)
QUICK = Options(optimization_level=0)


def loop_job() -> EngineJob:
    tables = tables_of(*TINY_DECODER)
    return EngineJob(stored(*TINY_DECODER), "t2s_loop", "fp32", MAX_LEN, tables=tables)


@pytest.fixture(scope="module")
def trt() -> ModuleType:
    return pytest.importorskip("tensorrt_rtx", reason=UNVERIFIED)


@pytest.mark.parametrize(("source", "graph"), EVERY)
def test_every_graph_builds_with_the_puts_that_it_announces(
    trt: ModuleType, source: str, graph: str, tmp_path: Path
) -> None:
    machine = machine_record(
        "tensorrt_rtx",
        load=Driver().load,
        installed=packages(tensorrt_rtx_cu13=trt.__version__),
    )
    job = EngineJob(stored(source, graph), graph, "fp32", MAX_LEN)
    build_file(job, trt, machine, Outputs(tmp_path / "g.engine", tmp_path / "g.json"))
    found = json.loads((tmp_path / "g.json").read_text("utf-8"))
    assert (tmp_path / "g.engine").stat().st_size == found["engine"]["bytes"] > 0
    assert found["state"] == "built"


def test_a_graph_that_computes_in_fp16_builds(trt: ModuleType, tmp_path: Path) -> None:
    source = ("sovits v2", "vocoder")
    cases = answers.load(answers_of(*source))
    half, record = to_half(onnx.load(stored(*source)), ReductionJob("vocoder", cases))
    assert record.method == METHOD, "computed, not only stored"
    onnx.save(half, tmp_path / "vocoder.onnx")
    job = EngineJob(tmp_path / "vocoder.onnx", "vocoder", "fp16", MAX_LEN)
    request, _ = prepared(job, Release(trt.__name__, trt.__version__), tmp_path)
    assert tensorrt.build(trt, request).plan


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("release", ["11.0.0.1", "10.13.3.9"])
def test_the_decoder_with_embedding_and_sampler_builds(
    trt: ModuleType, release: str, arithmetic: str, tmp_path: Path
) -> None:
    job = replace(loop_job(), arithmetic=arithmetic)
    request, facts = prepared(job, Release("tensorrt", release), tmp_path)
    assert facts["attention"] == ("scatter_in_parts" if release[:2] == "11" else "scatter_elements")
    assert facts["arithmetic"] == arithmetic
    assert [profile.name for profile in request.profiles] == ["step", "prefill"]
    assert tensorrt.build(trt, request).plan


def test_an_import_is_recorded_without_a_build_and_a_refusal_with_its_reason(
    trt: ModuleType, tmp_path: Path
) -> None:
    job = loop_job()
    found = record(job)
    assert (found["library"], found["refused"]) == (f"tensorrt_rtx {trt.__version__}", "")
    assert "built" not in found
    built = record(job, build=True)["built"]
    assert built["engine_bytes"] > job.source.stat().st_size / 2
    assert built["peak_memory_bytes"] > built["engine_bytes"]
    assert built["seconds"] > 0
    broken = tmp_path / "t2s_decoder.onnx"
    broken.write_bytes(b"no graph at all")
    assert "t2s_decoder.onnx" in imported(replace(job, source=broken), trt)


def test_older_attention_of_the_decoder_builds_too(trt: ModuleType, tmp_path: Path) -> None:
    job = EngineJob(stored(*TINY_DECODER), "t2s_decoder", "fp32", MAX_LEN)
    request, facts = prepared(job, Release("tensorrt", "10.13.3.9"), tmp_path)
    assert facts["attention"] == "scatter_elements"
    assert tensorrt.build(trt, request).plan


def test_the_attention_operator_is_imported_but_has_no_kernel_at_fp32(
    trt: ModuleType, tmp_path: Path
) -> None:
    job = EngineJob(stored(*TINY_DECODER), "t2s_decoder", "fp32", MAX_LEN)
    request, _ = prepared(job, Release(trt.__name__, trt.__version__), tmp_path)
    graph = for_engine(*TINY_DECODER, "scatter")
    with pytest.raises(EngineBuildError, match="Attention operation was not supported"):
        tensorrt.build(trt, Request(graph, request.io_tensors, request.profiles, request.options))


@pytest.mark.parametrize("content", [b"", b"no graph at all"])
def test_a_file_that_is_no_graph_is_refused(
    trt: ModuleType, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "empty.onnx"
    path.write_bytes(content)
    io_tensors = (tensorrt.IOTensor("x", "input", "float32", (1,)),)
    with pytest.raises((GraphError, EngineBuildError), match=r"empty\.onnx"):
        tensorrt.build(trt, Request(path, io_tensors, (), QUICK))


def test_an_operator_without_importer_is_named(trt: ModuleType) -> None:
    path = stored(*TINY_DECODER)
    with pytest.raises(GraphError, match="GroupQueryAttention"):
        tensorrt.build(trt, Request(path, (), (), QUICK))


def test_two_types_in_one_product_are_refused(trt: ModuleType, tmp_path: Path) -> None:
    make = onnx.helper
    values = [
        make.make_tensor_value_info(name, kind, [2, 2])
        for name, kind in (("x", onnx.TensorProto.FLOAT), ("h", onnx.TensorProto.FLOAT16))
    ]
    graph = make.make_graph(
        [make.make_node("MatMul", ["x", "h"], ["y"], name="product")],
        "mixed",
        values,
        [make.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2, 2])],
    )
    path = tmp_path / "mixed.onnx"
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 18)]), path)
    with pytest.raises((GraphError, EngineBuildError), match=r"mixed\.onnx"):
        tensorrt.build(trt, Request(path, (), (), QUICK))
