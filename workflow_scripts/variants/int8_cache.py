"""Keep the KV cache of a decoder in 8 bits: an int8 number per value, a scale per channel.

ONNX Runtime's attention writes the new rows in integers and reads the cached ones so: a quarter of
the memory and of what a step has to read. The scales stand in the graph as weights.
"""

import re
from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from workflow_scripts.graphs.answers import Answer
from workflow_scripts.variants.job import Record, ReductionJob

FUSED = "GroupQueryAttention"
LARGEST = 127
HEADROOM = 1.1  # speech may reach larger values than the recorded cases do
SCALE_PLACE = 12  # of the operator's inputs: scales of keys, then of values
METHOD = "KV cache in 8 bits, a scale per channel"
_CACHE = re.compile(r"(?:past|present)_((?:keys|values)\.\d+)")

Scales = Mapping[str, NDArray[np.float32]]


def int8_cache(graph: onnx.ModelProto, job: ReductionJob) -> tuple[onnx.ModelProto, Record]:
    """Turn the caches of a decoder into int8; the graph itself is changed.

    Args:
        graph: `t2s_decoder` of the contract, weights at any precision.
        job: recorded prefills and steps; their keys and values give the scales.

    Returns:
        The model, and a record with the reason if the cache stays float32.
    """
    fused = [node for node in graph.graph.node if node.op_type == FUSED]
    if not fused:
        why = f"its head width is not {FUSED}'s, and no other operator keeps integers"
        return graph, Record("KV cache in fp32", why)
    scales = measured_scales(job.cases)
    for node in fused:
        caches = [_CACHE.fullmatch(name) for name in node.input[3:5]]
        names = [f"cache_scale.{cache[1]}" for cache in caches if cache]
        node.input.extend([""] * (SCALE_PLACE - len(node.input)) + names)
        for side in ("k", "v"):
            node.attribute.append(helper.make_attribute(f"{side}_quant_type", "PER_CHANNEL"))
        node.attribute.append(helper.make_attribute("kv_cache_bit_width", 8))
    graph.graph.initializer.extend(
        numpy_helper.from_array(scale, f"cache_scale.{cache}") for cache, scale in scales.items()
    )
    for value in (*graph.graph.input, *graph.graph.output):
        if _CACHE.fullmatch(value.name):
            value.type.tensor_type.elem_type = TensorProto.INT8
    del graph.graph.value_info[:]  # would say what the tensors were before
    return graph, Record(METHOD)


def measured_scales(cases: Mapping[str, Answer]) -> dict[str, NDArray[np.float32]]:
    """The step of each channel: the largest value over all recorded rows, and some headroom.

    Args:
        cases: recorded prefills and steps.

    Returns:
        `keys.{layer}` and `values.{layer}` → float32 [1, H, 1, A].
    """
    largest: dict[str, NDArray[np.float32]] = {}
    for case in cases.values():
        cached = case.inputs["bias"].shape[-1]
        for name, cache in case.outputs.items():
            match = _CACHE.fullmatch(name)
            if match:
                here = np.abs(cache[:, :, :cached]).max(2, keepdims=True)
                largest[match[1]] = np.maximum(largest.get(match[1], 0), here)
    # a channel that is always 0 needs a scale all the same
    return {
        name: np.where(peak > 0, peak * HEADROOM / LARGEST, 1).astype(np.float32)
        for name, peak in largest.items()
    }


def scales_of(graph: onnx.ModelProto) -> Scales:
    """The scales that stand in a graph, as `measured_scales` gives them; {} for a float cache."""
    return {
        tensor.name.removeprefix("cache_scale."): numpy_helper.to_array(tensor)
        for tensor in graph.graph.initializer
        if tensor.name.startswith("cache_scale.")
    }


def to_integers(cache: NDArray[np.float32], scale: NDArray[np.float32]) -> NDArray[np.int8]:
    """Values as the operator stores them; what lies beyond the scale is cut."""
    return np.asarray(np.clip(np.rint(cache / scale), -LARGEST - 1, LARGEST), np.int8)
