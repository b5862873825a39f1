"""The precisions that a graph can be written at. To add one is a function and a row.

The workflow reads this table when it is parsed, so the heavy libraries wait inside the functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.errors import GraphError
from workflow_scripts.files import write_json
from workflow_scripts.variants.job import Job, Record

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Precision:
    """One way to write a graph.

    Attributes:
        convert: model and job -> model and record; the model that it is given may be changed.
        fits: whether it is meant for the graph of this name.
        instead: precision of the graphs in a bundle that it does not fit.
        note: a sentence for help texts and docs.
        engines: whether NVIDIA's importer knows its operators.
    """

    convert: Callable[[onnx.ModelProto, Job], tuple[onnx.ModelProto, Record]]
    fits: Callable[[str], bool]
    note: str
    instead: str = "fp32"
    engines: bool = True


def _unchanged(model: onnx.ModelProto, job: Job) -> tuple[onnx.ModelProto, Record]:
    return model, Record("unchanged")


def _half(model: onnx.ModelProto, job: Job) -> tuple[onnx.ModelProto, Record]:
    from workflow_scripts.variants.half import to_half

    return to_half(model, job)


def _stored(model: onnx.ModelProto, job: Job) -> tuple[onnx.ModelProto, Record]:
    from workflow_scripts.variants.stored import stored_half

    return stored_half(model, job)


def _weight_only(model: onnx.ModelProto, job: Job, bits: int) -> tuple[onnx.ModelProto, Record]:
    from workflow_scripts.variants.weight_only import weight_only

    return weight_only(model, job, bits)


def _every_graph(graph: str) -> bool:
    return True


def _mostly_matmul(graph: str) -> bool:
    """Not hubert: small errors in its features move the prompt tokens to other codes."""
    return graph in {"t2s_decoder", "roberta"}


PRECISIONS: dict[str, Precision] = {
    "fp32": Precision(_unchanged, _every_graph, "what PyTorch computed"),
    "fp16": Precision(
        _half,
        _every_graph,
        "fp16 arithmetic; nodes that measurably need it, and the T2S decoder, compute in fp32",
    ),
    "fp16_stored": Precision(
        _stored,
        _every_graph,
        "weights stored in fp16, computed in fp32: half the disk, any machine",
    ),
    "int8": Precision(
        partial(_weight_only, bits=8),
        _mostly_matmul,
        "MatMul weights in 8 bits: the fastest step on a CPU",
        instead="fp16_stored",
        engines=False,
    ),
    "int4": Precision(
        partial(_weight_only, bits=4),
        _mostly_matmul,
        "MatMul weights in 4 bits: the smallest file; errs ten times as much as int8",
        instead="fp16_stored",
        engines=False,
    ),
}


def reduce_file(source: Path, output: Path, record: Path, *, to: str, job: Job) -> None:
    """Write one fp32 graph at another precision, and how that was done.

    Args:
        source: fp32 ONNX file.
        output: ONNX file to write.
        record: JSON file to write: method, nodes and weights kept, trials, distances, bytes.
        to: key of PRECISIONS.
        job: the graph's name, its answers and what to keep.

    Raises:
        GraphError: not a graph, one that the precision does not fit, or one that does not run.
    """
    import onnx
    from google.protobuf.message import DecodeError

    from workflow_scripts.variants.measure import Running, distance

    precision = PRECISIONS[to]
    if not precision.fits(job.graph):
        raise GraphError(f"{job.graph}: {to} is not meant for it; use {precision.instead}")
    try:
        model = onnx.load(source)
    except DecodeError as error:
        raise GraphError(f"{source}: not an ONNX file; export it again") from error
    converted, made = precision.convert(model, job)
    onnx.save(converted, output)
    found = {
        "graph": job.graph,
        "precision": to,
        **asdict(made),
        "relative_rms": distance(Running(output, job.graph), job.cases),
        "bytes": {"before": source.stat().st_size, "after": output.stat().st_size},
    }
    write_json(record, found)
