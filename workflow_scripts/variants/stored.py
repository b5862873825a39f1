"""Store weights in half precision and compute in fp32.

A weight becomes a float16 initializer and a Cast that bears the weight's name, so no other node
changes. ONNX Runtime folds the Cast when it loads the graph: half the disk, and the speed and the
arithmetic of fp32 on every back end.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from workflow_scripts.variants.distance import relative_rms
from workflow_scripts.variants.job import Record, ReductionJob, matches

# biases, sine frequencies and the codebook's norms are small and sensitive: nothing is won there
LEAST_VALUES = 2048
WORST_ROUNDING = 1e-3  # rounding to 11 bits gives 2e-4; more means values below float16's range
METHOD = "weights stored in fp16, computed in fp32"


def stored_half(
    graph: onnx.ModelProto, job: ReductionJob, why: str = ""
) -> tuple[onnx.ModelProto, Record]:
    """Store the weights of a graph in half precision; the graph itself is changed.

    Args:
        graph: fp32 model.
        job: weights that it says to keep stay fp32.
        why: the reason, if half precision throughout was asked for.

    Returns:
        The model, and a record of the weights that stay fp32 since float16 can't hold them.
    """
    constants_to_weights(graph)
    outside = {tensor.name for tensor in graph.graph.input}
    weights = [
        tensor
        for tensor in graph.graph.initializer
        if tensor.data_type == TensorProto.FLOAT
        and tensor.name not in outside
        and np.prod(tensor.dims) >= LEAST_VALUES
    ]
    kept: dict[str, str] = {}
    casts = []
    for weight in weights:
        name, values = weight.name, numpy_helper.to_array(weight)
        reason = _reason_to_keep(name, values, job)
        if reason:
            kept[name] = reason
            continue
        half = f"{name}.half"
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(
            helper.make_node("Cast", [half], [name], name=f"{name}.widen", to=TensorProto.FLOAT)
        )
    nodes = [*casts, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    return graph, Record(METHOD, why, kept)


def constants_to_weights(graph: onnx.ModelProto) -> None:
    """Turn large float Constant nodes into initializers of the same name."""
    others = []
    for node in graph.graph.node:
        value = next((field.t for field in node.attribute if field.name == "value"), None)
        if (
            node.op_type == "Constant"
            and value is not None
            and value.data_type == TensorProto.FLOAT
            and np.prod(value.dims) >= LEAST_VALUES
        ):
            weight = graph.graph.initializer.add()
            weight.CopyFrom(value)
            weight.name = node.output[0]
        else:
            others.append(node)
    if len(others) < len(graph.graph.node):
        del graph.graph.node[:]
        graph.graph.node.extend(others)


def _reason_to_keep(name: str, values: NDArray[np.float32], job: ReductionJob) -> str:
    if matches((name,), job.keep_fp32):
        return "kept on request"
    if np.abs(values, where=np.isfinite(values), out=np.zeros_like(values)).max() > _LARGEST:
        return "larger than float16 can hold"
    finite = np.where(np.isfinite(values), values, 0)
    if relative_rms(finite.astype(np.float16), finite) > WORST_ROUNDING:
        return "smaller than float16 resolves"
    return ""


_LARGEST = float(np.finfo(np.float16).max)
