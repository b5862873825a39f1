"""A graph that computes as fp16 hardware would, in fp32 arithmetic that any machine has.

ONNX Runtime on a CPU has no fp16 kernels for most operators: it widens, and between two of them
nothing is rounded. So what a GPU would lose can't be seen by running an fp16 graph there. Here
every result of a converted node goes through float16 and back by a pair of Casts.
"""

import onnx
from onnx import TensorProto, helper

from workflow_scripts.variants.ranges import float_tensors


def rounded(graph: onnx.ModelProto, kept: frozenset[str]) -> onnx.ModelProto:
    """Round whatever nodes that are not kept read from outside, and what they make.

    Args:
        graph: fp32 model; not changed.
        kept: names of nodes that stay fp32.

    Returns:
        A new fp32 model; a value that float16 can't hold becomes infinite in it.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    inner = copy.graph
    floats = float_tensors(graph)
    outputs = {output.name for output in inner.output}
    made = {name for node in inner.node for name in node.output}
    nodes: list[onnx.NodeProto] = []
    read: set[str] = set()
    for node in list(inner.node):
        if node.name in kept:
            nodes.append(node)
            continue
        for i, name in enumerate(node.input):
            if name in floats and name not in made:
                read.add(name)
                node.input[i] = f"{name}.rounded"
        names = [name for name in node.output if name in floats and name not in outputs]
        for i, name in enumerate(node.output):
            if name in names:
                node.output[i] = f"{name}.exact"
        nodes.append(node)
        for name in names:
            nodes += _round_trip(f"{name}.exact", name)
    entries = [pair for name in sorted(read) for pair in _round_trip(name, f"{name}.rounded")]
    del inner.node[:]
    del inner.value_info[:]
    inner.node.extend([*entries, *nodes])
    return copy


def _round_trip(name: str, result: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("Cast", [name], [f"{result}.half"], to=TensorProto.FLOAT16),
        helper.make_node("Cast", [f"{result}.half"], [result], to=TensorProto.FLOAT),
    ]
