"""Write the weights of MatMul and Gemm as 8- or 4-bit integers; everything is computed in fp32.

A block of weights along the input axis shares a scale, and in 4 bits a zero point
(`com.microsoft.MatMulNBits`), which ONNX Runtime multiplies on the CPU in integers. What is no such
weight is stored in fp16.
"""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from runtime.errors import GraphError
from workflow_scripts.variants.job import Job, Record, matches
from workflow_scripts.variants.stored import stored_half

INTEGER_ARITHMETIC = 4  # accuracy_level: the activations become int8 too
SENSITIVE = ("*ar_predict_layer*",)  # never fewer than 8 bits
SHRINKS = (0.7, 0.8, 0.9, 1.0)  # of a block's range to each side; 4 bits gain from cutting it off


@dataclass(frozen=True)
class Packed:
    """One weight in integers.

    Attributes:
        numbers: uint8 [N, blocks, bytes of a block]; a byte holds two of 4 bits, the low one first.
        scales: float32 [N * blocks].
        zeros: uint8 [N * bytes of a row's zero points], packed alike; None: the middle.
    """

    numbers: NDArray[np.uint8]
    scales: NDArray[np.float32]
    zeros: NDArray[np.uint8] | None = None


def weight_only(graph: onnx.ModelProto, job: Job, bits: int) -> tuple[onnx.ModelProto, Record]:
    """Write constant matrices in integers; the graph itself is changed.

    Args:
        graph: fp32 model.
        job: weights to keep in fp32 or in 8 bits, and the block's size.
        bits: 8 or 4.

    Returns:
        The model, and a record of the matrices that have more than `bits` bits.

    Raises:
        GraphError: there is no constant matrix in the graph.
    """
    gemms_to_matmuls(graph)
    weights = {
        tensor.name: tensor
        for tensor in graph.graph.initializer
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 2
    }
    kept: dict[str, str] = {}
    made: dict[tuple[str, int], Packed] = {}
    for node in graph.graph.node:
        if node.op_type != "MatMul" or node.input[1] not in weights:
            continue
        names = (node.name, node.input[1])
        if matches(names, job.keep_fp32):
            kept[node.input[1]] = "kept in fp32 on request"
            continue
        wide = bits < 8 and matches(names, (*job.keep_int8, *SENSITIVE))
        if wide:
            asked = matches(names, job.keep_int8)
            kept[node.input[1]] = "kept in 8 bits on request" if asked else "8 bits: gives logits"
        _to_integers(node, weights[node.input[1]], 8 if wide else bits, job.block, made)
    if not made:
        raise GraphError(f"{job.graph}: has no MatMul weights; give it another precision")
    _add_weights(graph, made)
    stored, rest = stored_half(graph, replace(job, keep_fp32=(*job.keep_fp32, *kept)))
    return stored, Record(f"MatMul weights in {bits} bits, others in fp16", "", rest.kept | kept)


def gemms_to_matmuls(graph: onnx.ModelProto) -> None:
    """Write each plain Gemm with a constant matrix as MatMul and Add."""
    weights = {tensor.name: tensor for tensor in graph.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.graph.node:
        fields = {field.name: helper.get_attribute_value(field) for field in node.attribute}
        plain = not fields.get("transA") and all(fields.get(k, 1) == 1 for k in ("alpha", "beta"))
        if node.op_type != "Gemm" or not plain or node.input[1] not in weights:
            nodes.append(node)
            continue
        matrix = node.input[1]
        if fields.get("transB"):
            matrix = f"{node.input[1]}.transposed"
            if matrix not in weights:
                turned = numpy_helper.to_array(weights[node.input[1]]).T
                graph.graph.initializer.append(
                    numpy_helper.from_array(np.ascontiguousarray(turned), matrix)
                )
                weights[matrix] = graph.graph.initializer[-1]
        biased = len(node.input) > 2 and bool(node.input[2])
        product = f"{node.output[0]}.product" if biased else node.output[0]
        nodes.append(helper.make_node("MatMul", [node.input[0], matrix], [product], name=node.name))
        if biased:
            nodes.append(
                helper.make_node(
                    "Add", [product, node.input[2]], list(node.output), name=f"{node.name}.bias"
                )
            )
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    _drop_unread_weights(graph)


def pack(matrix: NDArray[np.float32], bits: int, block: int) -> Packed:
    """Round a matrix to integers, block by block, with the scales that err least.

    Args:
        matrix: float32 [K, N].
        bits: 8, where the zero is the middle, or 4, where each block has its own.
        block: values along K that share a scale; the last block is filled up with zeros.
    """
    blocks = _in_blocks(matrix, block)
    if bits == 8:
        # the peak lies on the side that has one number more
        peaks = np.take_along_axis(blocks, np.abs(blocks).argmax(-1, keepdims=True), -1)
        steps = np.where(peaks == 0, 1, peaks / np.float32(-128))
        numbers = _rounded(blocks, steps, np.float32(128), 255).astype(np.uint8)
        return Packed(numbers, steps.astype(np.float32).reshape(-1))
    steps, zeros = _searched(blocks, 2**bits - 1)
    numbers = _rounded(blocks, steps, zeros, 2**bits - 1).astype(np.uint8)
    row = zeros.astype(np.uint8)[..., 0]
    row = np.pad(row, ((0, 0), (0, row.shape[1] % 2)))
    return Packed(_nibbles(numbers), steps.reshape(-1), _nibbles(row).reshape(-1))


def _searched(
    blocks: NDArray[np.float32], top: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Steps and zero points, float32 [N, blocks, 1] each, of the least squared error that is found.

    Ranges cut off to either side are tried; the best numbers then get the step that suits them.
    """
    low = np.minimum(blocks.min(-1, keepdims=True), 0)
    high = np.maximum(blocks.max(-1, keepdims=True), 0)
    best = np.full(low.shape, np.inf, np.float32)
    steps, zeros = np.ones_like(low), np.zeros_like(low)
    for below, above in product(SHRINKS, SHRINKS):
        span = np.float32(above) * high - np.float32(below) * low
        step = np.where(span == 0, 1, span / np.float32(top))
        zero = np.clip(np.rint(-np.float32(below) * low / step), 0, top)
        for _ in range(2):
            numbers = _rounded(blocks, step, zero, top) - zero
            errors = np.square(numbers * step - blocks).sum(-1, keepdims=True)
            better = errors < best
            best, steps = np.where(better, errors, best), np.where(better, step, steps)
            zeros = np.where(better, zero, zeros)
            weight = np.square(numbers).sum(-1, keepdims=True)
            fitted = (numbers * blocks).sum(-1, keepdims=True) / np.maximum(weight, 1)
            step = np.where(fitted > 0, fitted, step)
    return steps, zeros


def _nibbles(numbers: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two numbers of 4 bits to a byte along the last axis, the first one low."""
    return np.asarray(numbers[..., 0::2] | numbers[..., 1::2] << 4, np.uint8)


def _in_blocks(matrix: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    """Columns as rows of blocks, float32 [N, blocks, block]."""
    inner, outer = matrix.shape
    blocks = -(-inner // block)
    filled = np.zeros((outer, blocks * block), np.float32)
    filled[:, :inner] = matrix.T
    return filled.reshape(outer, blocks, block)


def _rounded(
    blocks: NDArray[np.float32],
    steps: NDArray[np.float32],
    zeros: NDArray[np.float32] | np.float32,
    top: int,
) -> NDArray[np.float32]:
    """Numbers 0 .. top."""
    return np.asarray(np.clip(np.rint(blocks / steps) + zeros, 0, top), np.float32)


def _to_integers(
    node: onnx.NodeProto,
    weight: onnx.TensorProto,
    bits: int,
    block: int,
    made: dict[tuple[str, int], Packed],
) -> None:
    """Turn one MatMul into MatMulNBits; a weight that two nodes share is packed once."""
    matrix = numpy_helper.to_array(weight)
    if (weight.name, bits) not in made:
        made[weight.name, bits] = pack(matrix, bits, block)
    names = [f"{weight.name}.int{bits}", f"{weight.name}.scales{bits}"]
    if made[weight.name, bits].zeros is not None:
        names.append(f"{weight.name}.zeros{bits}")
    new = helper.make_node(
        "MatMulNBits",
        [node.input[0], *names],
        list(node.output),
        name=node.name,
        domain="com.microsoft",
        K=matrix.shape[0],
        N=matrix.shape[1],
        bits=bits,
        block_size=block,
        accuracy_level=INTEGER_ARITHMETIC,
    )
    node.CopyFrom(new)


def _add_weights(graph: onnx.ModelProto, made: dict[tuple[str, int], Packed]) -> None:
    for (name, bits), packed in made.items():
        graph.graph.initializer.extend(
            [
                numpy_helper.from_array(packed.numbers, f"{name}.int{bits}"),
                numpy_helper.from_array(packed.scales, f"{name}.scales{bits}"),
            ]
        )
        if packed.zeros is not None:
            graph.graph.initializer.append(
                numpy_helper.from_array(packed.zeros, f"{name}.zeros{bits}")
            )
    if all(entry.domain != "com.microsoft" for entry in graph.opset_import):
        graph.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    _drop_unread_weights(graph)


def _drop_unread_weights(graph: onnx.ModelProto) -> None:
    read = {name for node in graph.graph.node for name in node.input}
    read |= {output.name for output in graph.graph.output}
    kept = [tensor for tensor in graph.graph.initializer if tensor.name in read]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)
