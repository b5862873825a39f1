"""The largest value that each tensor inside a graph takes on recorded inputs."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

from workflow_scripts.graphs.answers import Answer
from workflow_scripts.variants.measure import Running


def largest_values(graph: onnx.ModelProto, name: str, cases: dict[str, Answer]) -> dict[str, float]:
    """Find the largest finite absolute value of every float32 tensor and weight.

    Args:
        graph: fp32 model; not changed.
        name: its name, for messages.
        cases: recorded inputs.

    Returns:
        Tensor -> value, over all cases; infinities (masks) do not count.

    Raises:
        GraphError: the graph can't be run.
    """
    probes, tensors = _probed(graph)
    running = Running(probes.SerializeToString(), name)
    largest = {
        tensor.name: _largest(numpy_helper.to_array(tensor))
        for tensor in graph.graph.initializer
        if tensor.data_type == TensorProto.FLOAT
    }
    for case in cases.values():
        found = running(case)
        for probe, tensor in tensors.items():
            value = float(found[probe].reshape(()))
            largest[tensor] = max(largest.get(tensor, 0.0), value)
    return largest


def float_tensors(graph: onnx.ModelProto) -> dict[str, None]:
    """Names of all float32 tensors: inputs, weights and what nodes make, in a fixed order."""
    inferred = shape_inference.infer_shapes(graph).graph
    entries = (*inferred.input, *inferred.value_info, *inferred.output)
    names = [e.name for e in entries if e.type.tensor_type.elem_type == TensorProto.FLOAT]
    weights = [t.name for t in inferred.initializer if t.data_type == TensorProto.FLOAT]
    return dict.fromkeys([*names, *weights])


def _largest(values: np.ndarray) -> float:
    return float(np.abs(values[np.isfinite(values)]).max(initial=0))


def _probed(graph: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, str]]:
    """The graph with one scalar output per tensor instead of its own, and whose each is."""
    probed = onnx.ModelProto()
    probed.CopyFrom(graph)
    inner = probed.graph
    weights = {tensor.name for tensor in inner.initializer}
    for constant, value in (("probe.zero", np.zeros(1, np.float32)), ("probe.flat", [-1])):
        inner.initializer.append(numpy_helper.from_array(np.asarray(value), constant))
    del inner.output[:]
    tensors: dict[str, str] = {}
    for tensor in (name for name in float_tensors(graph) if name not in weights):
        probe = f"probe.{len(tensors)}"
        tensors[probe] = tensor
        inner.node.extend(_probe(tensor, probe))
        inner.output.append(helper.make_tensor_value_info(probe, TensorProto.FLOAT, None))
    return probed, tensors


def _probe(tensor: str, probe: str) -> list[onnx.NodeProto]:
    """Nodes from a tensor of any shape, an empty one too, to its largest finite value."""
    steps = [
        ("Reshape", [tensor, "probe.flat"]),
        ("Abs", [f"{probe}.Reshape"]),
        ("IsInf", [f"{probe}.Abs"]),
        ("Where", [f"{probe}.IsInf", "probe.zero", f"{probe}.Abs"]),
        ("Concat", [f"{probe}.Where", "probe.zero"]),
    ]
    nodes = [
        helper.make_node(op, inputs, [f"{probe}.{op}"], **({"axis": 0} if op == "Concat" else {}))
        for op, inputs in steps
    ]
    return [*nodes, helper.make_node("ReduceMax", [f"{probe}.Concat"], [probe], keepdims=0)]
