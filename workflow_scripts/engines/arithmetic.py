"""What the T2S decoder computes in on a device: a table, and the graph rounded to a row of it.

What is left at fp32 is what the host or a sampler sees: rows, bias and logits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from workflow_scripts.graphs.attention import LOWEST

BORDERS = ("rows", "bias", "logits")  # float32 in every arithmetic
FLOAT = int(TensorProto.FLOAT)
MASK_VALUE = "mask_value"


@dataclass(frozen=True)
class Arithmetic:
    """A row of ARITHMETICS.

    Attributes:
        dtype: of weights, caches and results.
        mask_value: the attention mask value, the least that the bias may hold; finite, also summed.
        largest: number that it holds.
        worst_rms: of logits, from the CPU's at fp32, relative.
        least_same: share of equal tokens that are drawn of them with the same noise.
    """

    dtype: np.dtype[Any]
    mask_value: float
    largest: float
    worst_rms: float
    least_same: float

    @property
    def element(self) -> int:
        """ONNX's number of the dtype."""
        return int(helper.np_dtype_to_tensor_dtype(self.dtype))


ARITHMETICS: Mapping[str, Arithmetic] = {
    "fp32": Arithmetic(np.dtype(np.float32), float(LOWEST), float(-LOWEST), 1e-3, 1.0),
    "fp16": Arithmetic(np.dtype(np.float16), -1e4, 65504.0, 2e-2, 0.95),
    "bf16": Arithmetic(np.dtype(ml_dtypes.bfloat16), -1e4, 3.38e38, 1e-1, 0.8),
}


def compute_in(graph: onnx.GraphProto, arithmetic: str) -> None:
    """Round a decoder in standard operators; changed in place.

    Args:
        graph: float32 but for weights that may be stored in fp16.
        arithmetic: key of ARITHMETICS.
    """
    if arithmetic == "fp32":
        return
    row = ARITHMETICS[arithmetic]
    _widen_stored(graph)
    for weight in graph.initializer:
        if weight.data_type == FLOAT:
            values = np.clip(numpy_helper.to_array(weight), -row.largest, row.largest)
            weight.CopyFrom(numpy_helper.from_array(values.astype(row.dtype), weight.name))
    for value in (*graph.input, *graph.output):
        kind = value.type.tensor_type
        if kind.elem_type == FLOAT and value.name not in BORDERS:
            kind.elem_type = row.element
    for node in graph.node:
        node.input[:] = [_inside(name) for name in node.input]
        node.output[:] = [_inside(name) for name in node.output]
    _cast_at_borders(graph, row)


def _widen_stored(graph: onnx.GraphProto) -> None:
    """Let weights that are stored in fp16 be float32 under the name of their Cast."""
    weights = {weight.name: weight for weight in graph.initializer}
    others = []
    for node in graph.node:
        stored = weights.get(node.input[0]) if node.op_type == "Cast" else None
        if stored is None or node.attribute[0].i != FLOAT:
            others.append(node)
            continue
        values = numpy_helper.to_array(stored).astype(np.float32)
        stored.CopyFrom(numpy_helper.from_array(values, node.output[0]))
    del graph.node[:]
    graph.node.extend(others)


def _cast_at_borders(graph: onnx.GraphProto, row: Arithmetic) -> None:
    graph.initializer.append(
        numpy_helper.from_array(np.array(row.mask_value, np.float32), MASK_VALUE)
    )
    nodes = [
        helper.make_node("Cast", ["rows"], [_inside("rows")], to=row.element),
        helper.make_node("Max", ["bias", MASK_VALUE], ["bias/finite"]),
        helper.make_node("Cast", ["bias/finite"], [_inside("bias")], to=row.element),
        *graph.node,
        helper.make_node("Cast", [_inside("logits")], ["logits"], to=FLOAT),
    ]
    del graph.node[:]
    graph.node.extend(nodes)


def _inside(name: str) -> str:
    return f"{name}/rounded" if name in BORDERS else name
