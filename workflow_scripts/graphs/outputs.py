"""What an exporter writes and where: a row of the table in `export`, and the paths it is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outputs:
    """Where to write; all files appear together when the exporter has returned.

    Attributes:
        graphs: ONNX file by the graph's name.
        answers: npz of recorded answers by the graph's name.
        tables: further files by their own name.
    """

    graphs: Mapping[str, Path]
    answers: Mapping[str, Path]
    tables: Mapping[str, Path]

    def of(self, graph: str) -> tuple[Path, Path]:
        """ONNX file and npz of one graph."""
        return self.graphs[graph], self.answers[graph]


@dataclass(frozen=True)
class Exporter:
    """One kind of source.

    Attributes:
        write: takes the source and where to write; of a SoVITS file, `base` too.
        graphs: source → names in the contract of what it writes of that.
        source: what the path must be, for help.
        tables: names of further files that it writes.
    """

    write: Callable[..., None]
    graphs: Callable[[Path], tuple[str, ...]]
    source: str
    tables: tuple[str, ...] = ()


def always(*graphs: str) -> Callable[[Path], tuple[str, ...]]:
    """The same graphs of every source."""
    return lambda source: graphs
