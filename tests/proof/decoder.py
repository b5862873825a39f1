"""A decoder of two attention layers with a KV cache, by hand, and what numpy answers for it."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from workflow_scripts.graphs.answers import Answer

LAYERS, HEADS, HEAD_WIDTH, CAPACITY, VOCABULARY = 2, 2, 8, 12, 6
WIDTH = HEADS * HEAD_WIDTH
CACHE = (1, HEADS, CAPACITY, HEAD_WIDTH)


def weights() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {"predict": (WIDTH, VOCABULARY)}
    for layer in range(LAYERS):
        shapes |= {f"packed.{layer}": (WIDTH, 3 * WIDTH), f"keys_bias.{layer}": (WIDTH,)}
    return {k: rng.normal(size=shape).astype(np.float32) / 4 for k, shape in shapes.items()}


def model() -> onnx.ModelProto:
    """The graph, with GroupQueryAttention whose past and present are separate buffers."""
    nodes, rows = [], "rows"
    nodes.append(helper.make_node("Sub", ["live_rows", "one"], ["seqlens"]))
    for layer in range(LAYERS):
        rows = _layer(nodes, rows, layer)
    nodes.append(helper.make_node("Slice", [rows, "minus", "end", "zero"], ["final"]))
    nodes.append(helper.make_node("MatMul", ["final", "predict"], ["logits"]))
    whole = {"zero": [0], "minus": [-1], "end": [2**62]}
    kept = [numpy_helper.from_array(a, name) for name, a in weights().items()]
    kept.append(numpy_helper.from_array(np.ones(1, np.int32), "one"))
    kept += [numpy_helper.from_array(np.array(v, np.int64), name) for name, v in whole.items()]
    value = helper.make_tensor_value_info
    caches = [(kind, layer) for layer in range(LAYERS) for kind in ("keys", "values")]
    inputs = [
        value("rows", TensorProto.FLOAT, ["Q", WIDTH]),
        value("live_rows", TensorProto.INT32, [1]),
        value("bias", TensorProto.FLOAT, [1, 1, "Q", "K"]),
        *[value(f"past_{kind}.{layer}", TensorProto.FLOAT, CACHE) for kind, layer in caches],
    ]
    outputs = [
        value("logits", TensorProto.FLOAT, [1, VOCABULARY]),
        *[value(f"present_{kind}.{layer}", TensorProto.FLOAT, CACHE) for kind, layer in caches],
    ]
    graph = helper.make_graph(nodes, "decoder", inputs, outputs, kept)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def _layer(nodes: list[onnx.NodeProto], rows: str, layer: int) -> str:
    """One attention layer with a residual; returns the name of its rows."""
    past = [f"past_keys.{layer}", f"past_values.{layer}"]
    present = [f"present_keys.{layer}", f"present_values.{layer}"]
    make = helper.make_node
    inputs = [f"qkv.{layer}", "", "", *past, "seqlens", "live_rows", "", "", "", "bias"]
    nodes += [
        make("MatMul", [rows, f"packed.{layer}"], [f"plain.{layer}"]),
        make("Split", [f"plain.{layer}"], [f"{p}.{layer}" for p in "qkv"], axis=1, num_outputs=3),
        make("Add", [f"k.{layer}", f"keys_bias.{layer}"], [f"biased.{layer}"]),
        make("Concat", [f"q.{layer}", f"biased.{layer}", f"v.{layer}"], [f"flat.{layer}"], axis=1),
        make("Unsqueeze", [f"flat.{layer}", "zero"], [f"qkv.{layer}"]),
        make(
            "GroupQueryAttention",
            inputs,
            [f"seen.{layer}", *present],
            domain="com.microsoft",
            num_heads=HEADS,
            kv_num_heads=HEADS,
            scale=HEAD_WIDTH**-0.5,
            causal=0,
        ),
        make("Squeeze", [f"seen.{layer}", "zero"], [f"attended.{layer}"]),
        make("Add", [f"attended.{layer}", rows], [f"rows.{layer + 1}"]),
    ]
    return f"rows.{layer + 1}"


def cases() -> dict[str, Answer]:
    """A prefill of five rows and two steps, each with what lies dead in its caches made strange."""
    rng = np.random.default_rng(1)
    kept = weights()
    caches = {
        f"{kind}.{layer}": np.zeros(CACHE, np.float32)
        for layer in range(LAYERS)
        for kind in ("keys", "values")
    }
    found, cached = {}, 0
    for name, count in (("prefill", 5), ("step0", 1), ("step1", 1)):
        rows = rng.normal(size=(count, WIDTH)).astype(np.float32)
        bias = np.zeros((1, 1, count, cached + count), np.float32)
        if count > 1:
            bias += np.triu(np.full((count, count), -1e4, np.float32), 1)
        for cache in caches.values():
            cache[:, :, cached:] = 7
        past = {f"past_{key}": cache.copy() for key, cache in caches.items()}
        logits = _computed(rows, bias, cached, caches, kept)
        present = {f"present_{key}": cache.copy() for key, cache in caches.items()}
        inputs = {
            "rows": rows,
            "live_rows": np.array([cached + count], np.int32),
            "bias": bias,
            **past,
        }
        found[name] = Answer(inputs, {"logits": logits, **present})
        cached += count
    return found


def _computed(
    rows: np.ndarray, bias: np.ndarray, cached: int, caches: dict, kept: dict
) -> np.ndarray:
    """Logits of the last row, float32 [1, V]; the new rows are written into the caches."""
    for layer in range(LAYERS):
        q, k, v = np.split(rows @ kept[f"packed.{layer}"], 3, axis=1)
        k = k + kept[f"keys_bias.{layer}"]
        q, k, v = (a.reshape(-1, HEADS, HEAD_WIDTH).transpose(1, 0, 2) for a in (q, k, v))
        end = cached + len(rows)
        caches[f"keys.{layer}"][0, :, cached:end] = k
        caches[f"values.{layer}"][0, :, cached:end] = v
        keys, values = (caches[f"{kind}.{layer}"][0, :, :end] for kind in ("keys", "values"))
        scores = q @ keys.transpose(0, 2, 1) * HEAD_WIDTH**-0.5 + bias[0]
        share = np.exp(scores - scores.max(-1, keepdims=True))
        share /= share.sum(-1, keepdims=True)
        rows = rows + (share @ values).transpose(1, 0, 2).reshape(len(rows), WIDTH)
    return (rows[-1:] @ kept["predict"]).astype(np.float32)
