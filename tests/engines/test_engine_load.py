"""Loading an engine: every refusal of the library is an error of ours, with its reason."""

import hashlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from runtime.backends.engine_load import load as load_engine
from runtime.backends.engine_load import log_of
from runtime.errors import BackendMissing, EngineMismatch, FoundryError, MachineError
from runtime.machine import machine_record
from tests.engines.fake_gpu import FakeDevice, engine_file, library, machine_of
from tests.engines.stand_in import RELEASES, made
from tests.engines.test_engine_files import tiny_graph
from tests.runtime.fake_driver import Driver, packages
from workflow_scripts.engines import tensorrt
from workflow_scripts.engines.tensorrt import IOTensor, Options, Request

UNVERIFIED = "unverified: that TensorRT-RTX tells a missing driver as we think"


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    return tiny_graph(tmp_path / "vocoder.onnx", 2)


def load(release: str, graph: Path, **changes: Any) -> Any:
    trt = library(release, graph, FakeDevice(), **changes)
    for change in changes.values():
        if callable(change):
            change.trt = trt
    here = machine_of(release)
    return load_engine(trt, engine_file(graph.parent / "e", graph, here), here)


def saying(*messages: str, engine: bool = False) -> Any:
    """An engine, or none, after the library has logged."""

    def deserialize(self: Any, data: bytes) -> Any:
        trt: ModuleType = deserialize.trt
        for text in messages:
            log_of(trt).log(trt.ILogger.Severity.ERROR, text)
        return made(trt, "ICudaEngine") if engine else None

    return deserialize


def test_an_engine_that_fits_is_loaded_with_what_must_outlive_it(release: str, graph: Path) -> None:
    loaded = load(release, graph)
    assert type(loaded.engine).__name__ == "ICudaEngine"
    assert type(loaded.runtime).__name__ == "Runtime"
    assert loaded.where == "vocoder.engine"


REFUSALS: dict[str, tuple[type[FoundryError], str]] = {
    "The engine is not compatible with this version of TensorRT, expecting 11": (
        EngineMismatch,
        "built by another version of the library",
    ),
    "Version tag does not match. Note: Current Version: 1": (
        EngineMismatch,
        "built by another version of the library",
    ),
    "Target GPU SM 90 is an incompatible device": (EngineMismatch, "built for another GPU"),
    "expecting compute capability 9.0 got 8.9": (EngineMismatch, "built for another GPU"),
    "requires 132 multiprocessors": (EngineMismatch, "built for another GPU"),
    "magicTag does not match": (EngineMismatch, "no engine for this platform"),
    "serialization version 3": (EngineMismatch, "no engine for this platform"),
    "Platform specific tag mismatch": (EngineMismatch, "no engine for this platform"),
    "Assertion header.size == 0 failed": (EngineMismatch, "cut short"),
    "CUDA driver version is insufficient for CUDA runtime version": (
        BackendMissing,
        "no NVIDIA driver, or one that is too old",
    ),
    "CUDA initialization failure with error: 35": (BackendMissing, "no NVIDIA driver"),
    "out of memory": (MachineError, "can't be loaded"),
}


@pytest.mark.parametrize(("logged", "want"), REFUSALS.items(), ids=REFUSALS)
def test_none_becomes_an_error_with_the_reason_that_was_logged(
    release: str, graph: Path, logged: str, want: tuple[type[FoundryError], str]
) -> None:
    with pytest.raises(want[0], match=rf"vocoder\.engine: {want[1]}") as caught:
        load(release, graph, Runtime__deserialize_cuda_engine=saying(logged))
    assert type(caught.value) is want[0]
    assert logged in str(caught.value)
    assert "\n" not in str(caught.value)


def test_none_without_a_word_is_an_error_too(release: str, graph: Path) -> None:
    with pytest.raises(MachineError, match="the library logged no reason"):
        load(release, graph, Runtime__deserialize_cuda_engine=None)


def test_another_model_of_gpu_is_refused_though_the_library_only_warns(
    release: str, graph: Path
) -> None:
    warned = saying(
        "Using an engine plan file across different models of devices is not recommended",
        engine=True,
    )
    with pytest.raises(EngineMismatch, match="built on another model of GPU; run snakemake"):
        load(release, graph, Runtime__deserialize_cuda_engine=warned)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"ICudaEngine__get_tensor_shape": lambda self, name: (1, 3)},
            r"'x' is \('input', 'float32', \(1, 3\)\), its sidecar states",
        ),
        ({"ICudaEngine__num_io_tensors": 1}, "'y' is absent, its sidecar states"),
    ],
)
def test_an_engine_of_another_graph_is_refused(
    release: str, graph: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(EngineMismatch, match=message):
        load(release, graph, **change)


def test_rtx_s_own_judgement_is_reported_and_no_reason_is_no_judgement(graph: Path) -> None:
    def judged(mask: int) -> Any:
        def validity(self: Any, data: bytes) -> Any:
            return validity.trt.EngineValidity.INVALID, mask

        return validity

    with pytest.raises(EngineMismatch, match=r"refuses it \(version mismatch, unsupported cc\)"):
        load("tensorrt_rtx_1", graph, Runtime__get_engine_validity=judged(3))
    load(
        "tensorrt_rtx_1", graph, Runtime__get_engine_validity=judged(0)
    )  # no driver: the load says


def test_nothing_is_loaded_of_another_machine_or_by_another_version(
    release: str, graph: Path
) -> None:
    def never(self: Any, data: bytes) -> Any:
        raise AssertionError("it was loaded")

    trt = library(release, graph, FakeDevice(), Runtime__deserialize_cuda_engine=never)
    l4 = Driver(name="NVIDIA L4", attributes={75: 8, 76: 9, 16: 58})
    here, there = machine_of(release), machine_of(release, l4)
    engine = engine_file(graph.parent / "e", graph, there)
    with pytest.raises(EngineMismatch, match="built for NVIDIA L4 sm89"):
        load_engine(trt, engine, here)
    trt.__version__ = "9.9.9.9"
    with pytest.raises(EngineMismatch, match=r"is installed but 9\.9\.9\.9 is imported"):
        load_engine(trt, engine_file(graph.parent / "e", graph, here), here)


@pytest.mark.rtx
def test_the_real_rtx_without_a_driver_is_a_missing_driver(graph: Path) -> None:
    trt = pytest.importorskip("tensorrt_rtx", reason=UNVERIFIED)
    io_tensors = (
        IOTensor("x", "input", "float32", (1, 2)),
        IOTensor("y", "output", "float32", (1, 2)),
    )
    plan = tensorrt.build(trt, Request(graph, io_tensors, (), Options(optimization_level=0))).plan
    if not machine_record("tensorrt_rtx").missing:
        pytest.skip("this machine has a driver")
    here = machine_record(
        "tensorrt_rtx",
        load=Driver().load,
        installed=packages(tensorrt_rtx_cu13=trt.__version__),
    )
    file = engine_file(
        graph.parent / "e",
        graph,
        here,
        engine={"sha256": hashlib.sha256(plan).hexdigest(), "bytes": len(plan)},
    )
    file.path.write_bytes(plan)
    with pytest.raises(BackendMissing, match="no NVIDIA driver, or one that is too old"):
        load_engine(trt, file, here)
