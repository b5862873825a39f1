"""OpenVINO on the CPU with bfloat16 arithmetic: for CPUs that have it, checked on each voice."""

from pathlib import Path

from runtime.backends import Threads, openvino
from runtime.backends.openvino import OpenVinoGraph

CAPABILITY = "BF16"


def missing() -> str | None:
    """Why it can't be used here, or None."""
    return openvino.missing() or lacking(openvino.capabilities())


def lacking(capabilities: list[str]) -> str | None:
    """Why a CPU with these capabilities can't do it, or None."""
    if CAPABILITY in capabilities:
        return None
    return f"this CPU has no bfloat16 arithmetic (it has {', '.join(capabilities)}); use openvino"


def open_graph(path: Path, threads: Threads, compiled: Path | None = None) -> OpenVinoGraph:
    """Compile one ONNX file; as `openvino.open_graph`.

    Raises:
        GraphError: OpenVINO does not take it.
        BackendMissing: not installed, or it would compute otherwise than asked.
    """
    return OpenVinoGraph(path, threads, compiled, "bf16")
