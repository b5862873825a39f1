"""Let products add their bias, and layer norms their residual: fewer operators to a step.

A step takes milliseconds and has hundreds of operators, so what each costs by itself counts. The
joined ones are ONNX Runtime's for the CPU (`com.microsoft`); other back ends refuse the bias.
"""

from collections import Counter

import onnx
from onnx import helper

PRODUCT = "MatMulNBits"
BIAS_PLACE = 5  # of a product's inputs
NORM, JOINED_NORM = "LayerNormalization", "SkipLayerNormalization"
EPSILON = 1e-5  # the operator's default


def join(graph: onnx.ModelProto) -> None:
    """Join what can be joined; the graph itself is changed.

    Args:
        graph: model with products in integers. A sum of such a product and a weight becomes the
            product's bias; a sum that nothing but a layer norm reads becomes part of it.
    """
    nodes = graph.graph.node
    weights = {tensor.name: tuple(tensor.dims) for tensor in graph.graph.initializer}
    made_by = {name: node for node in nodes for name in node.output}
    reads = Counter(name for node in nodes for name in node.input)
    reads.update(value.name for value in graph.graph.output)
    gone: set[tuple[str, str]] = set()
    for node in nodes:
        term = made_by.get(node.input[0]) if node.input else None
        if term is None or reads[node.input[0]] > 1:
            continue
        if node.op_type == "Add" and _adds_bias(term, weights.get(node.input[1])):
            gone.add((node.op_type, node.output[0]))
            term.input.extend([""] * (BIAS_PLACE - len(term.input)) + [node.input[1]])
            term.output[0] = node.output[0]
            made_by[node.output[0]] = term
        elif node.op_type == NORM and term.op_type == "Add" and not set(term.input) & set(weights):
            gone.add((term.op_type, term.output[0]))
            node.CopyFrom(_joined_norm(node, term))
    kept = [node for node in nodes if (node.op_type, node.output[0]) not in gone]
    del nodes[:]
    nodes.extend(kept)


def _adds_bias(node: onnx.NodeProto, shape: tuple[int, ...] | None) -> bool:
    """Whether a node can add a weight of this shape itself."""
    if node.op_type != PRODUCT or len(node.input) > BIAS_PLACE:
        return False
    return shape == tuple(field.i for field in node.attribute if field.name == "N")


def _joined_norm(node: onnx.NodeProto, term: onnx.NodeProto) -> onnx.NodeProto:
    fields = {field.name: helper.get_attribute_value(field) for field in node.attribute}
    return helper.make_node(
        JOINED_NORM,
        [*term.input, *node.input[1:]],
        list(node.output),
        name=node.name,
        domain="com.microsoft",
        epsilon=fields.get("epsilon", EPSILON),
    )
