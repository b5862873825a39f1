"""ONNX Runtime on an NVIDIA GPU; never on the CPU in its place."""

import importlib.metadata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from runtime.backends import Arrays, Loop, Threads
from runtime.backends.cpu import RepeatedGraph, SessionGraph
from runtime.backends.engine_files import loop_of
from runtime.backends.gpu_work import gpu_work
from runtime.backends.sessions import GPU, INSTALL, preload, session_on

PACKAGES = ("onnxruntime", "onnxruntime-gpu")
Installed = Callable[[str], str]


def missing() -> str | None:
    """Why it can't be used here, or None; whether the provider loads, a session shows."""
    return lacking(onnxruntime.get_available_providers(), importlib.metadata.version)


def lacking(providers: list[str], installed: Installed) -> str | None:
    """Why an installation can't do it, or None.

    Args:
        providers: that ONNX Runtime is built with.
        installed: version of a package; raises PackageNotFoundError where there is none.
    """
    if GPU.provider in providers:
        return None
    if all(_is_there(name, installed) for name in PACKAGES):
        fault = f"{' and '.join(PACKAGES)} are both installed, and the one without it is imported"
        return f"{fault}; {INSTALL}"
    return f"onnxruntime is built without it; {INSTALL}"


def _is_there(package: str, installed: Installed) -> bool:
    try:
        return bool(installed(package))
    except importlib.metadata.PackageNotFoundError:
        return False


class CudaGraph(SessionGraph):
    """One graph on the GPU; it waits while a loop captures."""

    device = GPU.device

    def run(self, inputs: Arrays) -> list[NDArray[Any]]:
        """All outputs in the graph's order."""
        with gpu_work().shared():
            return super().run(inputs)

    def repeated(self, inputs: Arrays, carried: Mapping[str, str]) -> "RepeatedOnGpu":
        """Its own result in the place of an input; see `Repeats`."""
        with gpu_work().shared():
            return RepeatedOnGpu(self, inputs, carried)


class RepeatedOnGpu(RepeatedGraph):
    """Values that stay on the GPU; each run waits while a loop captures."""

    def run(self, changed: Arrays) -> None:
        """Run once, with other values of some inputs."""
        with gpu_work().shared():
            super().run(changed)

    def value(self, name: str) -> NDArray[Any]:
        """What an input holds now, copied to the host."""
        with gpu_work().shared():
            return super().value(name)


def open_graph(path: Path, threads: Threads) -> CudaGraph:
    """Load one ONNX file onto the GPU.

    Raises:
        GraphError: ONNX Runtime can't load it.
        BackendMissing: it would run on the CPU.
    """
    preload()
    return CudaGraph(session_on(GPU, path, threads), f"{path}")


def open_loop(path: Path, threads: Threads, folder: Path | None) -> Loop:
    """What was made of a decoder for a device, out of a folder of engines.

    Raises:
        BackendMissing: it is not there, or would run on the CPU.
    """
    from runtime.backends.ort_loop import OrtLoop  # `auto` asks what is missing, of every machine

    return OrtLoop(loop_of(path, folder), threads)
