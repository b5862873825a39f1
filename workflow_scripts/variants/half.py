"""Convert a graph to fp16 arithmetic, but for the nodes that measurably need fp32.

onnxconverter-common converts; here it is decided, by running the recorded answers, which nodes it
must leave alone. Inputs and outputs stay fp32.
"""

import warnings
from collections.abc import Iterable, Iterator, MutableSequence

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnxconverter_common import float16

from runtime.errors import GraphError
from workflow_scripts.variants.job import Record, ReductionJob, Trial, matches
from workflow_scripts.variants.measure import Running, distance
from workflow_scripts.variants.ranges import largest_values
from workflow_scripts.variants.rounded import rounded
from workflow_scripts.variants.stored import constants_to_weights, stored_half

LARGEST = float(np.finfo(np.float16).max)
SMALLEST = float(np.finfo(np.float16).smallest_subnormal)
HALF = int(TensorProto.FLOAT16)
HEADROOM = 8  # speech may reach larger values than the recorded cases do
NEVER = {
    "t2s_embed": "its sines of late positions need more than 11 bits",
    "t2s_decoder": "the decoder's fp16 arithmetic is slower than fp32 on a CPU",
    "hubert": "overflows on some recordings, and small errors move the prompt tokens",
}
METHOD = "computed in fp16"
SEGMENTS = 8
RANGE_OPS = frozenset(  # sums, squares and quotients: float16 has 11 bits and ends at 65504
    [
        "Cast",
        "CumSum",
        "Div",
        "Erf",
        "Exp",
        "GroupNormalization",
        "InstanceNormalization",
        "LayerNormalization",
        "Log",
        "LogSoftmax",
        "Pow",
        "Reciprocal",
        "ReduceL2",
        "ReduceMean",
        "ReduceSum",
        "ReduceSumSquare",
        "Softmax",
        "Softplus",
        "Sqrt",
    ]
)


def to_half(graph: onnx.ModelProto, job: ReductionJob) -> tuple[onnx.ModelProto, Record]:
    """Convert a graph to fp16 where that holds, else store its weights in fp16.

    Args:
        graph: fp32 model; changed if its weights are stored.
        job: answers to measure with, nodes to leave alone, and the aim.

    Returns:
        The model, and a record of each node that stays fp32, with the reason and the trials.
    """
    obstacle = _obstacle(graph, job)
    trials: list[Trial] = []
    if not obstacle:
        prepared = _prepared(graph)
        for keeps, kept in _choices(prepared, job, trials):
            converted = _measured(prepared, job, keeps, kept, trials)
            if converted is not None:
                return converted, Record(METHOD, "", kept, tuple(trials))
        obstacle = f"no choice of nodes came within {job.aim:g} of the answers"
    stored, record = stored_half(graph, job, obstacle)
    return stored, Record(record.method, record.why, record.kept, tuple(trials))


def _obstacle(graph: onnx.ModelProto, job: ReductionJob) -> str:
    """Why fp16 arithmetic is out of the question; empty if it is not."""
    if job.graph in NEVER:
        return NEVER[job.graph]
    for output in graph.graph.output:
        if output.type.tensor_type.elem_type != TensorProto.FLOAT:
            return f"{output.name} are whole numbers: a small error picks another"
    for node in graph.graph.node:
        if node.domain not in ("", "ai.onnx"):
            return f"{node.op_type} is no standard operator"
        if any(field.g.node or field.graphs for field in node.attribute):
            return f"{node.op_type} holds graphs of its own"
    return ""


def _prepared(source: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which every node has a name and none makes a float output of the graph itself.

    The converter finds nodes by name, and turns an output to fp16 when the node that makes it is to
    stay fp32; an Identity in between is always converted and undone afterwards.
    """
    graph = _copy(source)
    constants_to_weights(graph)
    for i, node in enumerate(graph.graph.node):
        node.name = node.name or f"{node.op_type}.{i}"
    outputs = {
        output.name
        for output in graph.graph.output
        if output.type.tensor_type.elem_type == TensorProto.FLOAT
    }
    for node in graph.graph.node:
        _rename(node.input, {name: f"{name}.inner" for name in outputs})
        _rename(node.output, {name: f"{name}.inner" for name in outputs})
    graph.graph.node.extend(
        helper.make_node("Identity", [f"{name}.inner"], [name], name=_outer(name))
        for name in sorted(outputs)
    )
    return graph


def _copy(graph: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    return copy


def _outer(output: str) -> str:
    return f"{output}.outer"


def _rename(names: MutableSequence[str], new: dict[str, str]) -> None:
    for i, name in enumerate(names):
        if name in new:
            names[i] = new[name]


def _choices(
    graph: onnx.ModelProto, job: ReductionJob, trials: list[Trial]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Nodes to keep in fp32, few first; what the trials measured so far orders the later ones."""
    outer = {_outer(output.name) for output in graph.graph.output}
    needed = _out_of_range(graph, job, outer)
    yield "nodes that leave float16's range", needed
    needed = needed | {
        node.name: f"{node.op_type} loses range"
        for node in graph.graph.node
        if node.op_type in RANGE_OPS and node.name not in needed
    }
    yield "operators that lose range", needed
    free = [n.name for n in graph.graph.node if n.name not in needed and n.name not in outer]
    if not free:
        return
    segments = [part.tolist() for part in np.array_split(free, min(SEGMENTS, len(free)))]
    gains = []
    for names in segments:
        kept = needed | dict.fromkeys(names, "measured: the aim is missed without it")
        yield f"{names[0]} to {names[-1]}", kept
        measured = trials[-1].relative_rms
        gains.append(np.inf if measured is None else measured)
    for count in range(2, len(segments)):
        best = [segments[i] for i in np.argsort(gains, kind="stable")[:count]]
        names = [name for segment in best for name in segment]
        kept = needed | dict.fromkeys(names, "measured: the aim is missed without it")
        yield f"the {count} most sensitive segments", kept


def _out_of_range(graph: onnx.ModelProto, job: ReductionJob, outer: set[str]) -> dict[str, str]:
    """Nodes that are named to be kept, and those that read or make values too large for float16."""
    large = {
        name: value
        for name, value in largest_values(graph, job.graph, job.cases).items()
        if value > LARGEST / HEADROOM
    }
    kept: dict[str, str] = {}
    for node in graph.graph.node:
        if node.name in outer:
            continue
        beyond = [name for name in (*node.input, *node.output) if name in large]
        if matches((node.name, *node.input), job.keep_fp32):
            kept[node.name] = "kept on request"
        elif beyond:
            kept[node.name] = f"{beyond[0]} reaches {large[beyond[0]]:.3g}"
    return kept


def _measured(
    graph: onnx.ModelProto, job: ReductionJob, keeps: str, kept: dict[str, str], trials: list[Trial]
) -> onnx.ModelProto | None:
    """Round as fp16 hardware would and measure; convert and measure again if that holds.

    Returns:
        The converted model if both come within the aim, else None.
    """
    found = _distance(rounded(graph, _blocked(graph, kept)), job)
    converted, failure = None, ""
    if _holds(found, job):
        try:
            converted = convert(graph, frozenset(kept))
            there = _distance(converted, job)
            failure = "" if _holds(there, job) else f"converted, it came to {there}"
        except GraphError as error:  # the converter has gaps; another choice may avoid them
            failure = " ".join(str(error).split())
    trials.append(Trial(keeps, len(kept), found, failure))
    return None if failure else converted


def _distance(model: onnx.ModelProto, job: ReductionJob) -> float | None:
    return distance(Running(model.SerializeToString(), job.graph), job.cases)


def _blocked(graph: onnx.ModelProto, kept: Iterable[str]) -> frozenset[str]:
    """The kept nodes, and those that the converter never takes."""
    never = set(float16.DEFAULT_OP_BLOCK_LIST)
    return frozenset(kept) | {node.name for node in graph.graph.node if node.op_type in never}


def _holds(found: float | None, job: ReductionJob) -> bool:
    return found is not None and found <= job.aim


def convert(graph: onnx.ModelProto, kept: frozenset[str]) -> onnx.ModelProto:
    """Convert all nodes but the kept ones.

    Args:
        graph: fp32 model whose nodes have names of their own; not changed.
        kept: names of nodes that stay fp32.

    Returns:
        A new model with fp32 inputs and outputs.

    Raises:
        GraphError: the converter can't take this graph.
    """
    copy = _copy(graph)
    blocked = _blocked(graph, kept)
    _own_weights(copy, blocked)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # values at the ends of the range: we measure instead
            converted = float16.convert_float_to_float16(
                copy,
                min_positive_val=SMALLEST,
                max_finite_val=LARGEST,
                keep_io_types=True,
                node_block_list=sorted(kept),
            )
    except (ValueError, AttributeError, AssertionError, RuntimeError) as error:
        raise GraphError(f"{graph.graph.name}: the converter failed: {error}") from error
    original = frozenset(node.name for node in graph.graph.node)
    _narrow_casts(converted, original - blocked)
    _bypass_narrowing(converted, original)
    return converted


def _own_weights(graph: onnx.ModelProto, kept: frozenset[str]) -> None:
    """Give kept nodes copies of weights that converted nodes share with them."""
    weights = {tensor.name: tensor for tensor in graph.graph.initializer}
    shared = {
        name
        for node in graph.graph.node
        if node.name not in kept
        for name in node.input
        if name in weights and weights[name].data_type == TensorProto.FLOAT
    }
    copied = set()
    for node in graph.graph.node:
        if node.name in kept:
            copied |= shared & set(node.input)
            _rename(node.input, {name: f"{name}.fp32" for name in shared})
    for name in sorted(copied):
        graph.graph.initializer.add().CopyFrom(weights[name])
        graph.graph.initializer[-1].name = f"{name}.fp32"


def _narrow_casts(graph: onnx.ModelProto, names: frozenset[str]) -> None:
    """Let the graph's own Casts to fp32 make fp16: the converter does not touch them."""
    for node in graph.graph.node:
        if node.op_type == "Cast" and node.name in names and _target(node) == TensorProto.FLOAT:
            next(field for field in node.attribute if field.name == "to").i = HALF


def _bypass_narrowing(graph: onnx.ModelProto, original: frozenset[str]) -> None:
    """Lead fp32 values straight from kept nodes to kept nodes and outputs, not through float16.

    Args:
        graph: converted model, changed.
        original: names of the nodes that the converter was given; the other Casts are its own.
    """
    nodes = graph.graph.node
    casts = {node.output[0]: node for node in nodes if node.op_type == "Cast"}
    added = {name: node for name, node in casts.items() if node.name not in original}
    narrowed = {name: node.input[0] for name, node in added.items() if _target(node) == HALF}
    widened = {name: node.input[0] for name, node in added.items() if _target(node) != HALF}
    straight = {name: narrowed[read] for name, read in widened.items() if read in narrowed}
    for node in nodes:
        _rename(node.input, straight)
    outputs = {output.name for output in graph.graph.output}
    outers = {node.output[0]: node for node in nodes if node.op_type == "Identity"}
    for name in outputs & widened.keys():
        outer = outers.get(widened[name])
        if outer is not None and outer.input[0] in narrowed:
            outer.input[0], outer.output[0] = narrowed[outer.input[0]], name
            nodes.remove(casts[name])
    _drop_unread(graph, set(added))


def _target(cast: onnx.NodeProto) -> int:
    return next(int(field.i) for field in cast.attribute if field.name == "to")


def _drop_unread(graph: onnx.ModelProto, names: set[str]) -> None:
    """Drop those Casts that nobody reads; what only they read goes with them."""
    while True:
        read = {name for node in graph.graph.node for name in node.input}
        read |= {output.name for output in graph.graph.output}
        kept = [n for n in graph.graph.node if n.output[0] not in names or n.output[0] in read]
        if len(kept) == len(graph.graph.node):
            return
        del graph.graph.node[:]
        graph.graph.node.extend(kept)
