"""Engines of NVIDIA's TensorRT or TensorRT-RTX, built on this machine; see docs/engines.md."""

import functools
import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

from runtime.backends import Threads
from runtime.backends.device import CudaDevice
from runtime.backends.engine_files import LOOP, engine_for
from runtime.backends.engine_load import Loaded, load
from runtime.backends.engine_run import EngineGraph, EngineLoop
from runtime.errors import BackendMissing
from runtime.machine import machine_record

CUDA = "cuda.bindings.runtime"
INSTALL = {"tensorrt": "[trt]", "tensorrt_rtx": "[trt-rtx]"}


def missing(library: str) -> str | None:
    """Why a library's engines can't be used here, or None."""
    extra = f"pip install 'sovits-foundry{INSTALL[library]}'"
    if importlib.util.find_spec(library) is None:
        return f"{library} is not installed; {extra}"
    if not _found(CUDA):
        return f"cuda-bindings is not installed; {extra}"
    return machine_record(library).missing or None


def _found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of a package above it
        return False


def imported(name: str) -> ModuleType:
    """A module of NVIDIA's.

    Raises:
        BackendMissing: it does not load here.
    """
    try:
        return importlib.import_module(name)
    except (ImportError, OSError, RuntimeError) as error:
        raise BackendMissing(f"{name} does not load here: {error}; install it again") from error


@functools.cache
def gpu() -> CudaDevice:
    """The GPU of this process, taken when it is first needed."""
    return CudaDevice(imported(CUDA))


def loaded(library: str, path: Path, name: str, folder: Path | None) -> Loaded:
    """The engine of a graph on this machine, loaded.

    Raises:
        BackendMissing: the library, a driver or the engine is missing.
        EngineMismatch: the engine is not for this machine, or altered.
    """
    if reason := missing(library):
        raise BackendMissing(f"provider {library}: {reason}")
    here = machine_record(library)
    return load(imported(library), engine_for(path, name, folder, here), here)


def open_graph(library: str, path: Path, threads: Threads, folder: Path | None) -> EngineGraph:
    """The engine of one ONNX file, out of a folder of engines.

    Raises:
        BackendMissing, EngineMismatch: there is none for this machine.
    """
    return EngineGraph(loaded(library, path, path.stem, folder), gpu())


def open_loop(library: str, path: Path, threads: Threads, folder: Path | None) -> EngineLoop:
    """The engine `t2s_loop` that was made of a decoder; as `open_graph`."""
    return EngineLoop(loaded(library, path, LOOP, folder), gpu())
