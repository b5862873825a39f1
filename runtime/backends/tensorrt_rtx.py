"""Engines of NVIDIA's TensorRT-RTX, built for this machine; see docs/engines.md."""

from pathlib import Path

from runtime.backends import GraphRunner, Loop, Threads, engines

LIBRARY = "tensorrt_rtx"


def missing() -> str | None:
    """Why it can't be used here, or None."""
    return engines.missing(LIBRARY)


def open_graph(path: Path, threads: Threads, folder: Path | None = None) -> GraphRunner:
    """The engine of one ONNX file, out of a folder of engines.

    Raises:
        BackendMissing, EngineMismatch: there is none for this machine.
    """
    return engines.open_graph(LIBRARY, path, folder)


def open_loop(path: Path, threads: Threads, folder: Path | None = None) -> Loop:
    """The engine `t2s_loop` that was made of a decoder; as `open_graph`."""
    return engines.open_loop(LIBRARY, path, folder)
