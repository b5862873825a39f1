"""The decoder as an engine takes it: attention in standard operators, and a cache of fixed length.

The stored graph is the one for ONNX Runtime on a CPU. Its weights and their precision are kept.
Prefill and step read the whole cache, so the bias is as wide as the cache and masks what is not
written yet.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from runtime.contract import GRAPHS
from runtime.errors import GraphError
from workflow_scripts.checkpoint.sizes import T2SSizes
from workflow_scripts.engines.importer import Release
from workflow_scripts.graphs.attention import (
    ATTENTIONS,
    FIRST_NEW_ROW,
    WIDE_BIAS,
    CachedAttention,
    add_first_new_row,
)
from workflow_scripts.graphs.builder import GraphBuilder

FUSED = "GroupQueryAttention"
FIXED_DIMS = ("C", "K")  # capacity of the cache, and the rows that the bias covers
BIAS_PLACE = 10
IR_VERSION = 10
FIRST_DIM, LAST_ROW = "one/first_dim", "one/last_row"
SINGLE = {
    "B": onnx.TensorShapeProto.Dimension(dim_value=1),
    "B*Q": onnx.TensorShapeProto.Dimension(dim_param="Q"),
}
MADE_HERE = "standard/"
OUTER = "outer/"  # marks names of the graph around while an implementation is added


def attention_for(release: Release) -> str:
    """The best implementation of ATTENTIONS that an importer takes.

    Not the one with the Attention operator: that is imported, but the build then fails at fp32
    for want of a kernel (TensorRT-RTX 1.7.1).
    """
    in_place = ATTENTIONS["scatter_in_parts"].opset <= release.newest_opset
    return "scatter_in_parts" if in_place and release.takes("TensorScatter") else "scatter_elements"


def engine_decoder(
    model: onnx.ModelProto, max_len: int, attention: str, *, given_row: bool = False
) -> onnx.ModelProto:
    """Rewrite a decoder for an engine.

    Args:
        model: `t2s_decoder` of the contract; not changed.
        max_len: rows of the cache.
        attention: key of ATTENTIONS for the attention, where it is the fused operator.
        given_row: take the cache row that a call writes first, FIRST_NEW_ROW, int64 [1], in place
            of `live_rows`: computed within, it needs the host, and no CUDA graph is captured.

    Returns:
        The same computation in standard operators. The bias is [1, 1, Q, max_len]; its columns
        from the cached positions on must mask what they stand for.

    Raises:
        GraphError: the fused operator is used in a way that we don't write.
    """
    rewritten = onnx.ModelProto()
    rewritten.CopyFrom(model)
    hold_one(rewritten.graph)
    if any(node.op_type == FUSED for node in model.graph.node):
        _replace_fused(rewritten, attention)
    _take_whole_bias(rewritten.graph)
    if given_row:
        _take_first_new_row(rewritten.graph)
    _leave_needed(rewritten.graph)
    del rewritten.graph.value_info[:]  # dims of the graph as it was
    for value in (*rewritten.graph.input, *rewritten.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in FIXED_DIMS:
                dim.dim_value = max_len
    onnx.checker.check_model(rewritten)
    return rewritten


def hold_one(graph: onnx.GraphProto) -> None:
    """Leave out what keeps several sequences apart: an engine decodes one."""
    for value in (*graph.input, *graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in SINGLE:
                dim.CopyFrom(SINGLE[dim.dim_param])
    made_by = {name: node for node in graph.node for name in node.output}
    fused = [node for node in graph.node if node.op_type == FUSED]
    packed, mixed = {node.input[0] for node in fused}, {node.output[0] for node in fused}
    for node in graph.node:
        if node.op_type == "Reshape" and node.output[0] in packed:
            node.op_type, node.input[1] = "Unsqueeze", FIRST_DIM
        elif node.op_type == "Reshape" and node.input[0] in mixed:
            node.op_type, node.input[1] = "Squeeze", FIRST_DIM
        elif node.op_type == "Squeeze" and _picks_last(made_by.get(node.input[0])):
            rows = made_by[made_by[node.input[0]].input[0]].input[0]
            node.op_type, node.input[:] = "Gather", [rows, LAST_ROW]
    graph.initializer.extend(
        numpy_helper.from_array(np.array([value], np.int64), name)
        for name, value in ((FIRST_DIM, 0), (LAST_ROW, -1))
    )


def _picks_last(node: onnx.NodeProto | None) -> bool:
    """Whether a node takes the last row of each sequence."""
    return node is not None and node.op_type == "Gather" and node.attribute[0].i == 1


@dataclass(frozen=True)
class _Fused:
    """One node to replace: its layer in the caches, and the marked names around it."""

    node: onnx.NodeProto
    layer: int
    packed: str
    mixed: str


def _replace_fused(model: onnx.ModelProto, attention: str) -> None:
    """Replace each fused operator in place."""
    graph, implementation = model.graph, ATTENTIONS[attention]
    replaced = {node.name: _fused(node) for node in graph.node if node.op_type == FUSED}
    sizes = _sizes(graph, next(iter(replaced.values())).node, len(replaced))
    hand = GraphBuilder("t2s_decoder", GRAPHS["t2s_decoder"].single().expanded(sizes.layers), {})
    add_first_new_row(hand)
    implementation.prepare_fixed(hand)
    nodes = hand.parts()[0]
    for node in graph.node:
        if node.name not in replaced:
            nodes.append(node)
            continue
        before = len(hand.parts()[0])
        _attend(hand, replaced[node.name], sizes, attention)
        nodes += hand.parts()[0][before:]
    _rename_made(hand, graph)
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(hand.parts()[1])
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", implementation.opset))
    model.ir_version = max(model.ir_version, IR_VERSION)


def _fused(node: onnx.NodeProto) -> _Fused:
    packed, key, value, past_key, past_value = node.input[:5]
    written = (past_key.replace("past_", "present_", 1), past_value.replace("past_", "present_", 1))
    expected = not key and not value and tuple(node.output[1:]) == written
    if not expected or len(node.input) <= BIAS_PLACE or node.input[BIAS_PLACE] != "bias":
        raise GraphError(f"{FUSED} '{node.name}' is not as our export writes it; export again")
    layer = int(past_key.rpartition(".")[2])
    return _Fused(node, layer, f"{OUTER}{packed}", f"{OUTER}{node.output[0]}")


def _sizes(graph: onnx.GraphProto, node: onnx.NodeProto, layers: int) -> T2SSizes:
    """Sizes that an implementation asks for; those that it does not are 0."""
    (cache,) = (value for value in graph.input if value.name == "past_keys.0")
    heads, head_width = (cache.type.tensor_type.shape.dim[axis].dim_value for axis in (1, 3))
    attributes: dict[str, Any] = {
        entry.name: helper.get_attribute_value(entry) for entry in node.attribute
    }
    if attributes["num_heads"] != heads or attributes["kv_num_heads"] != heads:
        raise GraphError(f"{FUSED} '{node.name}': heads differ from the cache's; export again")
    return T2SSizes(heads * head_width, heads, layers, vocabulary=0, phone_rows=0, max_sec=0)


def _attend(hand: GraphBuilder, at: _Fused, sizes: T2SSizes, attention: str) -> None:
    """One layer; the fused operator has a batch dim around it that an implementation has not."""
    batch = hand.integers(0)
    packed = hand.add("Squeeze", [at.packed, batch])
    mixed = ATTENTIONS[attention].attend(hand, CachedAttention(packed, at.layer), sizes)
    hand.add("Unsqueeze", [mixed, batch], to=at.mixed)


def _rename_made(hand: GraphBuilder, graph: onnx.GraphProto) -> None:
    """Names made up here begin with a word of their own: the graph may hold equal ones."""
    borders = {value.name for value in (*graph.input, *graph.output)} | {""}

    def final(name: str) -> str:
        if name.startswith(OUTER):
            return name.removeprefix(OUTER)
        if name == WIDE_BIAS:
            return "bias"
        return name if name in borders else f"{MADE_HERE}{name}"

    nodes, weights = hand.parts()
    for node in nodes:
        node.name = f"{MADE_HERE}{node.name}"
        node.input[:] = map(final, node.input)
        node.output[:] = map(final, node.output)
    for weight in weights:
        weight.name = final(weight.name)


def _take_whole_bias(graph: onnx.GraphProto) -> None:
    """Read the bias as it is given: as wide as the cache, it needs no filling up."""
    for node in graph.node:
        if node.op_type == "Pad" and node.input[0] == "bias":
            _replace(graph, node.output[0], "bias")


def _take_first_new_row(graph: onnx.GraphProto) -> None:
    """Cut off what computes it, and make it an input."""
    places = {node.input[2] for node in graph.node if node.op_type == "TensorScatter"}
    places |= {f"{MADE_HERE}{FIRST_NEW_ROW}"}
    for name in places:
        _replace(graph, name, FIRST_NEW_ROW)
    others = [node for node in graph.node if node.output[0] != FIRST_NEW_ROW]
    del graph.node[:]
    graph.node.extend(others)
    (cached,) = (value for value in graph.input if value.name == "live_rows")
    graph.input.remove(cached)  # nothing else counts
    given = helper.make_tensor_value_info(FIRST_NEW_ROW, onnx.TensorProto.INT64, [1])
    graph.input.append(given)


def _replace(graph: onnx.GraphProto, name: str, by: str) -> None:
    for node in graph.node:
        node.input[:] = [by if given == name else given for given in node.input]


def _leave_needed(graph: onnx.GraphProto) -> None:
    """Leave nodes that an output depends on, in their order, and the weights that they read."""
    wanted, kept = {value.name for value in graph.output}, []
    for node in reversed(list(graph.node)):
        if wanted & set(node.output):
            kept.append(node)
            wanted.update(node.input)
    weights = [weight for weight in graph.initializer if weight.name in wanted]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept[::-1])
    graph.initializer.extend(weights)
