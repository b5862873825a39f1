"""Load an engine with TensorRT 10, 11 or TensorRT-RTX; the module is given.

The library answers a bad engine with None and gives the reason only to its logger.
"""

import functools
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from runtime.backends.engine_files import BUILD, EngineFile, checked_bytes, refuse_other_machine
from runtime.errors import BackendMissing, EngineMismatch, MachineError
from runtime.machine import MachineRecord

OTHER_MODEL = "different models of devices"
DTYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "BF16": "bfloat16",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
}
ENGINE_FAULTS = {
    "not compatible with this version of TensorRT": "built by another version of the library",
    "Version tag does not match": "built by another version of the library",
    "incompatible device": "built for another GPU",
    "compute capability": "built for another GPU",
    "multiprocessors": "built for another GPU",
    "magic": "no engine for this platform",
    "serialization version": "no engine for this platform",
    "Platform specific tag": "no engine for this platform",
    "header.size": "cut short",
}
DRIVER_FAULTS = (
    "CUDA driver version is insufficient",
    "cudaError 35",
    "error: 35",
    "error code 35",
)
NO_DRIVER = "no NVIDIA driver, or one that is too old"
INVALID = "INVALID"


@functools.cache  # the library keeps the first logger that a process gives it
def log_of(trt: ModuleType) -> Any:
    """The one logger of this process: collects (severity, message)."""

    class Log(trt.ILogger):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.messages: list[tuple[str, str]] = []

        def log(self, severity: Any, msg: str) -> None:
            if severity.name not in ("INFO", "VERBOSE"):
                self.messages.append((severity.name, " ".join(msg.split())))

    return Log()


@dataclass(frozen=True, eq=False)
class Loaded:
    """A loaded engine.

    Attributes:
        file: where it is from, and what its sidecar states.
        engine: of the library.
        runtime: what must live as long as the engine does.
        trt: the library.
    """

    file: EngineFile
    engine: Any
    runtime: Any
    trt: ModuleType

    @property
    def where(self) -> str:
        """For messages."""
        return self.file.path.name


def load(trt: ModuleType, file: EngineFile, here: MachineRecord) -> Loaded:
    """Load an engine, or report why not.

    Args:
        trt: `tensorrt` 10.13 or later, or `tensorrt_rtx`.
        file: the engine.
        here: this machine with the version of the library that is installed.

    Raises:
        EngineMismatch: it is not for this machine or version, or not the file of its sidecar.
        BackendMissing: no driver.
        MachineError: the library gives another reason.
    """
    refuse_other_machine(file, here)
    if trt.__version__ != here.hard["trt_version"]:
        raise EngineMismatch(
            f"{file.path}: {here.hard['trt_flavour']} {here.hard['trt_version']} is installed but"
            f" {trt.__version__} is imported; leave one of them"
        )
    data = checked_bytes(file)
    log = log_of(trt)
    log.messages.clear()
    runtime = trt.Runtime(log)
    _refuse_invalid(trt, runtime, data, file)
    engine = runtime.deserialize_cuda_engine(data)
    logged = [text for _, text in log.messages]
    if engine is None:
        raise _fault(file, logged)
    if any(OTHER_MODEL in text for text in logged):
        raise EngineMismatch(f"{file.path}: built on another model of GPU; {BUILD}")
    _refuse_other_tensors(engine, file)
    return Loaded(file, engine, runtime, trt)


def _refuse_invalid(trt: ModuleType, runtime: Any, data: bytes, file: EngineFile) -> None:
    """RTX judges an engine by its head. Without a driver it says INVALID and gives no reason."""
    if not hasattr(trt, "EngineValidity"):
        return
    validity, mask = runtime.get_engine_validity(data)
    if validity.name != INVALID:
        return
    known = sorted(trt.EngineInvalidityDiagnostics.__members__.values(), key=int)
    reasons = [reason.name for reason in known if int(mask) & int(reason)]
    if not reasons:
        return  # the load itself logs more
    named = ", ".join(name.lower().replace("_", " ") for name in reasons)
    raise EngineMismatch(f"{file.path}: {trt.__name__} refuses it ({named}); {BUILD}")


def _fault(file: EngineFile, logged: list[str]) -> MachineError:
    """What the library logged, as an error of ours."""
    causes = "; ".join(dict.fromkeys(logged)) or "the library logged no reason"
    if any(mark in text for mark in DRIVER_FAULTS for text in logged):
        return BackendMissing(f"{file.path}: {NO_DRIVER} ({causes}); install one")
    for mark, reason in ENGINE_FAULTS.items():
        if any(mark in text for text in logged):
            return EngineMismatch(f"{file.path}: {reason} ({causes}); {BUILD}")
    return MachineError(f"{file.path}: can't be loaded ({causes}); {BUILD}")


def _refuse_other_tensors(engine: Any, file: EngineFile) -> None:
    """Inputs and outputs must be those of the sidecar."""
    names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    found = {name: _io_tensor(engine, name) for name in names}
    want = {
        tensor["name"]: (tensor["mode"], tensor["dtype"], tuple(tensor["shape"]))
        for tensor in file.io_tensors
    }
    for name in sorted({*found, *want}):
        if found.get(name) != want.get(name):
            raise EngineMismatch(
                f"{file.path}: '{name}' is {found.get(name, 'absent')}, its sidecar states"
                f" {want.get(name, 'absent')}; {BUILD}"
            )


def _io_tensor(engine: Any, name: str) -> tuple[str, str, tuple[int, ...]]:
    dtype = engine.get_tensor_dtype(name).name
    mode = engine.get_tensor_mode(name).name.lower()
    return mode, DTYPES.get(dtype, dtype), tuple(engine.get_tensor_shape(name))
