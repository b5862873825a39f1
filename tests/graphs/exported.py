"""Graphs of the goldens' sources, exported and simplified once per run."""

import pickle
from functools import cache
from pathlib import Path

from runtime.backends import GraphRunner, Threads
from runtime.backends.cpu import open_graph
from tests.once import once
from workflow_scripts.graphs import answers
from workflow_scripts.graphs.export import EXPORTERS, export
from workflow_scripts.graphs.simplify import Record, simplify_file

RECORDS = "records.pickle"


@cache
def exported(kind: str, source: Path) -> Path:
    """Folder with raw graphs, recorded answers and tables."""
    return once(lambda folder: export(kind, source, folder, folder, folder), kind, source)


@cache
def simplified(kind: str, source: Path) -> dict[str, tuple[Path, Record]]:
    """By graph, the simplified file and its record."""
    folder = once(lambda folder: _simplify(kind, source, folder), f"simplified {kind}", source)
    records: dict[str, Record] = pickle.loads((folder / RECORDS).read_bytes())
    return {graph: (folder / f"{graph}.onnx", record) for graph, record in records.items()}


def _simplify(kind: str, source: Path, folder: Path) -> None:
    raw, records = exported(kind, source), {}
    for graph in EXPORTERS[kind].graphs(source):
        recorded = answers.load(raw / f"{graph}.npz")
        file = f"{graph}.onnx"
        records[graph] = simplify_file(raw / file, graph, recorded, folder / file)
    (folder / RECORDS).write_bytes(pickle.dumps(records))


@cache
def runner(kind: str, source: Path, graph: str) -> GraphRunner:
    """A simplified graph, ready to run."""
    return open_graph(simplified(kind, source)[graph][0], Threads(intra_op=1))
