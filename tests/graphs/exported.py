"""Graphs of the goldens' sources, exported and simplified once per run."""

import atexit
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from runtime.backends import GraphRunner, Threads
from runtime.backends.cpu import open_graph
from workflow_scripts.graphs import answers
from workflow_scripts.graphs.export import EXPORTERS, export
from workflow_scripts.graphs.simplify import Record, simplify_file


@cache
def exported(kind: str, source: Path) -> Path:
    """Folder with raw graphs, recorded answers and tables."""
    folder = Path(mkdtemp(prefix=f"{kind}-graphs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    export(kind, source, folder, folder, folder)
    return folder


@cache
def simplified(kind: str, source: Path) -> dict[str, tuple[Path, Record]]:
    """By graph, the simplified file and its record."""
    folder = exported(kind, source)
    found: dict[str, tuple[Path, Record]] = {}
    for graph in EXPORTERS[kind].graphs:
        recorded = answers.load(folder / f"{graph}.npz")
        output = folder / f"{graph}.simplified.onnx"
        found[graph] = output, simplify_file(folder / f"{graph}.onnx", graph, recorded, output)
    return found


@cache
def runner(kind: str, source: Path, graph: str) -> GraphRunner:
    """A simplified graph, ready to run."""
    return open_graph(simplified(kind, source)[graph][0], Threads(intra_op=1))
