"""What can run a graph on this machine, and which graphs each back end may take."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from runtime.contract import GRAPHS
from runtime.errors import SettingError

Arrays = Mapping[str, NDArray[Any]]


class GraphRunner(Protocol):
    """One graph, ready to run; safe to call from several threads."""

    def run(self, inputs: Arrays) -> list[NDArray[Any]]:
        """All outputs in the contract's order."""
        ...

    def input_dim(self, name: str, axis: int) -> int:
        """A size of an input that stands still."""
        ...


@dataclass(frozen=True)
class Threads:
    """How sessions use the cores and the memory of this machine.

    Attributes:
        intra_op: workers inside an operator; 0 lets the library take all cores.
        spinning: let ONNX Runtime's idle workers spin: a step gains a little, what runs next loses.
        huge_pages: keep the KV cache on pages of 2 MiB.
    """

    intra_op: int = 0
    spinning: bool = False
    huge_pages: bool = False

    def __post_init__(self) -> None:
        if self.intra_op < 0:
            raise SettingError(f"threads: {self.intra_op} is below 0; 0 takes all cores")


@dataclass(frozen=True)
class Backend:
    """A row of BACKENDS.

    Attributes:
        module: has `missing() -> str | None` and `open_graph(path, threads) -> GraphRunner`.
        note: what it is, for help and docs.
        takes: graphs that it may run; the others stay on `cpu`.
        compiles: whether `open_graph` takes a folder for compiled graphs as its third argument.
    """

    module: str
    note: str
    takes: frozenset[str] = frozenset(GRAPHS)
    compiles: bool = False

    def missing(self) -> str | None:
        """Why it can't be used here, or None."""
        reason: str | None = importlib.import_module(self.module).missing()
        return reason

    def open_graph(self, path: Path, threads: Threads, compiled: Path | None = None) -> GraphRunner:
        """Load one ONNX file; what is compiled is kept in `compiled`, if there is such a folder."""
        module = importlib.import_module(self.module)
        kept = (compiled,) if self.compiles else ()
        runner: GraphRunner = module.open_graph(path, threads, *kept)
        return runner


# the decoder's cache is written in place, which only the form for ONNX Runtime does
BESIDE_T2S = frozenset(GRAPHS) - {"t2s_embed", "t2s_decoder"}

BACKENDS: dict[str, Backend] = {
    "cpu": Backend("runtime.backends.cpu", "ONNX Runtime on the CPU, always there"),
    "openvino": Backend(
        "runtime.backends.openvino",
        "OpenVINO on the CPU, float32",
        takes=BESIDE_T2S,
        compiles=True,
    ),
    "openvino_bf16": Backend(
        "runtime.backends.openvino_bf16",
        "OpenVINO on a CPU with bfloat16 arithmetic: fast and less exact",
        takes=BESIDE_T2S,
        compiles=True,
    ),
}


def backend_for(graph: str, name: str) -> Backend:
    """The row of a back end that may take a graph.

    Raises:
        SettingError: it may not.
    """
    backend = BACKENDS[name]
    if graph not in backend.takes:
        able = [other for other, row in BACKENDS.items() if graph in row.takes]
        raise SettingError(f"provider {graph}={name}: not for this graph; use {', '.join(able)}")
    return backend
