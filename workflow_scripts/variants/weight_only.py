"""Write the weights of MatMul and Gemm as 8- or 4-bit integers; everything is computed in fp32.

A block of weights along the input axis shares a scale, and in 4 bits a zero point
(`com.microsoft.MatMulNBits`), which ONNX Runtime multiplies on the CPU in integers. What is no such
weight is stored in fp16.
"""

from dataclasses import replace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from runtime.errors import GraphError
from workflow_scripts.variants.grams import Gram, grams
from workflow_scripts.variants.job import ACTIVATIONS, BLOCKS, Record, ReductionJob, matches
from workflow_scripts.variants.joined import join
from workflow_scripts.variants.packing import Packed, pack
from workflow_scripts.variants.stored import stored_half

SENSITIVE = ("*ar_predict_layer*",)  # never fewer than 8 bits
JOINED = frozenset({"t2s_decoder"})  # runs where ONNX Runtime's CPU does alone, and step by step
COMPENSATED = frozenset({"t2s_decoder"})  # what errors in it do is read again by its next step


def weight_only(
    graph: onnx.ModelProto, job: ReductionJob, bits: int
) -> tuple[onnx.ModelProto, Record]:
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
    block = job.block or BLOCKS[bits]
    gemms_to_matmuls(graph)
    weights = {
        tensor.name: tensor
        for tensor in graph.graph.initializer
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 2
    }
    kept: dict[str, str] = {}
    made: dict[tuple[str, int], Packed] = {}
    seen = _grams(graph, job, set(weights)) if bits == 4 and job.graph in COMPENSATED else {}
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
        weight = weights[node.input[1]]
        key = (weight.name, 8 if wide else bits)
        if key not in made:
            gram = None if wide else seen.get(node.input[0])
            made[key] = pack(numpy_helper.to_array(weight), key[1], block, gram)
        _to_integers(node, weight, replace(job, block=block), key[1], made[key])
    if not made:
        raise GraphError(f"{job.graph}: has no MatMul weights; give it another precision")
    _add_weights(graph, made)
    if job.graph in JOINED:
        join(graph)
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


def _grams(graph: onnx.ModelProto, job: ReductionJob, matrices: set[str]) -> dict[str, Gram]:
    """Of what each constant matrix is multiplied with, on the recorded cases."""
    products = [node for node in graph.graph.node if node.op_type == "MatMul"]
    return grams(graph, job, {node.input[0] for node in products if node.input[1] in matrices})


def _to_integers(
    node: onnx.NodeProto, weight: onnx.TensorProto, job: ReductionJob, bits: int, packed: Packed
) -> None:
    """Turn one MatMul into MatMulNBits."""
    names = [f"{weight.name}.int{bits}", f"{weight.name}.scales{bits}"]
    if packed.zeros is not None:
        names.append(f"{weight.name}.zeros{bits}")
    new = helper.make_node(
        "MatMulNBits",
        [node.input[0], *names],
        list(node.output),
        name=node.name,
        domain="com.microsoft",
        K=weight.dims[0],
        N=weight.dims[1],
        bits=bits,
        block_size=job.block,
        accuracy_level=ACTIVATIONS[job.activations],
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
