"""What can run a graph on this machine, in the order in which `auto` asks."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from runtime.errors import BackendMissing, SettingError

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
    """Threads of one session.

    Attributes:
        intra_op: workers inside an operator; 0 lets the library take all cores.
    """

    intra_op: int = 0

    def __post_init__(self) -> None:
        if self.intra_op < 0:
            raise SettingError(f"threads: {self.intra_op} is below 0; 0 takes all cores")


@dataclass(frozen=True)
class Backend:
    """A row of BACKENDS.

    Attributes:
        module: has `missing() -> str | None` and `open_graph(path, threads) -> GraphRunner`.
        note: what it is, for help and docs.
    """

    module: str
    note: str

    def missing(self) -> str | None:
        """Why it can't be used here, or None."""
        reason: str | None = importlib.import_module(self.module).missing()
        return reason

    def open_graph(self, path: Path, threads: Threads) -> GraphRunner:
        """Load one ONNX file."""
        runner: GraphRunner = importlib.import_module(self.module).open_graph(path, threads)
        return runner


BACKENDS: dict[str, Backend] = {
    "cpu": Backend("runtime.backends.cpu", "ONNX Runtime on the CPU, always there"),
}


def choose(wanted: str) -> tuple[str, str]:
    """The back end for a request and the reason, as said to the user.

    Raises:
        SettingError: no back end of that name.
        BackendMissing: it is not installed here.
    """
    if wanted == "auto":
        for name, backend in BACKENDS.items():
            if backend.missing() is None:
                return name, f"first of {', '.join(BACKENDS)} that is installed"
    if wanted not in BACKENDS:
        raise SettingError(f"provider: {wanted!r} is not one of auto, {', '.join(BACKENDS)}")
    reason = BACKENDS[wanted].missing()
    if reason:
        raise BackendMissing(f"provider {wanted}: {reason}")
    return wanted, "asked for"
