"""Attention over a KV cache that stays in place: one function for each implementation."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from workflow_scripts.checkpoint.sizes import T2SSizes
from workflow_scripts.graphs.builder import ELEMENT_TYPES, GraphBuilder

LOWEST = np.array(np.finfo(np.float32).min, np.float32)
FIRST_NEW_ROW = "first_new_row"  # of the cache, int64 [1]: where a call writes
WIDE_BIAS = "wide_bias"  # as wide as the cache


@dataclass(frozen=True)
class CachedAttention:
    """One layer's attention in a graph under construction.

    Attributes:
        packed: name of queries, keys and values side by side, float32 [Q, 3 D].
        layer: number of the layer; its caches are `past_keys.{layer}` and so on.
    """

    packed: str
    layer: int


@dataclass(frozen=True)
class AttentionImplementation:
    """A row of ATTENTIONS.

    Attributes:
        opset: the operator set that it needs.
        prepare: adds what all layers share, once.
        prepare_fixed: as `prepare`, where the bias is as wide as the cache, and FIRST_NEW_ROW and
            WIDE_BIAS are there already.
        attend: adds one layer; returns the name of float32 [Q, D].
        note: where it runs.
        batched: whether it takes several sequences at once.
    """

    opset: int
    prepare: Callable[[GraphBuilder], None]
    attend: Callable[[GraphBuilder, CachedAttention, T2SSizes], str]
    note: str
    batched: bool = False
    prepare_fixed: Callable[[GraphBuilder], None] = lambda graph: None


def fits_group_query(sizes: T2SSizes) -> bool:
    """ONNX Runtime's operator refuses head widths that are not a multiple of 8."""
    return sizes.head_width % 8 == 0


def _prepare_group_query(graph: GraphBuilder) -> None:
    one = graph.weight("int32.1", np.array([1], np.int32))
    graph.add("Sub", ["live_rows", one], to="last_row")
    longest = graph.add("Shape", ["bias"], start=3, end=4)
    graph.add_many("Cast", [longest], ["longest"], to=ELEMENT_TYPES["int32"])
    graph.add("Shape", ["live_rows"], to="batch")


def _group_query(graph: GraphBuilder, at: CachedAttention, sizes: T2SSizes) -> str:
    layer = at.layer
    if layer == 0:
        width = graph.integers(-1, 3 * sizes.hidden)
        graph.add("Concat", ["batch", width], to="sequences_apart", axis=0)
    mixed, _, _ = graph.add_many(
        "GroupQueryAttention",
        [
            graph.add("Reshape", [at.packed, "sequences_apart"]),
            *("", ""),  # keys and values are packed into the first input
            *(f"past_keys.{layer}", f"past_values.{layer}"),
            *("last_row", "longest"),
            *("", "", ""),  # rotary tables and position ids
            "bias",
        ],
        ["", f"present_keys.{layer}", f"present_values.{layer}"],
        num_heads=sizes.heads,
        kv_num_heads=sizes.heads,
        scale=sizes.head_width**-0.5,
        do_rotary=0,
        causal=0,  # the bias does the masking: text rows see text behind them
    )
    return graph.add("Reshape", [mixed, graph.integers(-1, sizes.hidden)])


def _prepare_scatter(graph: GraphBuilder) -> None:
    """Write position of the new rows, and the bias widened to the capacity of the cache."""
    add_first_new_row(graph)
    capacity = graph.add("Shape", ["past_keys.0"], start=2, end=3)
    width = graph.add("Shape", ["bias"], start=3, end=4)
    missing = graph.add("Sub", [capacity, width])
    none = graph.integers(0, 0, 0, 0, 0, 0, 0)
    pads = graph.add("Concat", [none, missing], axis=0)
    graph.add("Pad", ["bias", pads, graph.weight("lowest", LOWEST)], to=WIDE_BIAS)


def add_first_new_row(graph: GraphBuilder) -> None:
    """From the cached positions; `Shape` is computed on the host, so this is not for a loop."""
    rows = graph.add("Shape", ["rows"], start=0, end=1)
    graph.add("Sub", [graph.cast("live_rows", "int64"), rows], to=FIRST_NEW_ROW)


def _prepare_scatter_elements(graph: GraphBuilder) -> None:
    _prepare_scatter(graph)
    _cache_rows(graph)


def _cache_rows(graph: GraphBuilder) -> None:
    """The cache row that each new row goes to, int64 [1, 1, Q, 1]."""
    none, one = (graph.weight(f"int64.scalar.{n}", np.array(n, np.int64)) for n in (0, 1))
    count = graph.add("Squeeze", [graph.add("Shape", ["rows"], start=0, end=1), graph.integers(0)])
    new_rows = graph.add("Add", [graph.add("Range", [none, count, one]), FIRST_NEW_ROW])
    graph.add("Reshape", [new_rows, graph.integers(1, 1, -1, 1)], to="cache_rows")


def _scatter_elements(graph: GraphBuilder, at: CachedAttention, sizes: T2SSizes) -> str:
    query, key, value = _heads_apart(graph, at, sizes)
    places = graph.add("Expand", ["cache_rows", graph.add("Shape", [key])])
    keys, values = (
        graph.add(
            "ScatterElements",
            [f"past_{kind}.{at.layer}", places, new],
            to=f"present_{kind}.{at.layer}",
            axis=2,
        )
        for kind, new in (("keys", key), ("values", value))
    )
    return _mixed_in_parts(graph, (query, keys, values), sizes)


def _scatter_in_parts(graph: GraphBuilder, at: CachedAttention, sizes: T2SSizes) -> str:
    return _mixed_in_parts(graph, _scattered(graph, at, sizes), sizes)


def _scattered(graph: GraphBuilder, at: CachedAttention, sizes: T2SSizes) -> tuple[str, str, str]:
    """Queries of the new rows, and the caches with their keys and values written into them."""
    query, key, value = _heads_apart(graph, at, sizes)
    keys, values = (
        graph.add(
            "TensorScatter",
            [f"past_{kind}.{at.layer}", new, FIRST_NEW_ROW],
            to=f"present_{kind}.{at.layer}",
            axis=-2,  # NVIDIA's importer wants it counted from the end
        )
        for kind, new in (("keys", key), ("values", value))
    )
    return query, keys, values


def _mixed_in_parts(graph: GraphBuilder, parts: tuple[str, str, str], sizes: T2SSizes) -> str:
    """Attention as products and a softmax, which every importer takes at every precision."""
    query, keys, values = parts
    scale = graph.weight("attention.scale", np.array(sizes.head_width**-0.5, np.float32))
    products = graph.add("MatMul", [query, graph.add("Transpose", [keys], perm=[0, 1, 3, 2])])
    products = graph.add("Add", [graph.add("Mul", [products, scale]), WIDE_BIAS])
    mixed = graph.add("MatMul", [graph.add("Softmax", [products], axis=-1), values])
    return _heads_together(graph, mixed, sizes)


def _heads_apart(graph: GraphBuilder, at: CachedAttention, sizes: T2SSizes) -> list[str]:
    """Queries, keys and values, float32 [1, H, Q, A] each."""
    heads = graph.integers(1, -1, 3 * sizes.heads, sizes.head_width)
    split = graph.add("Transpose", [graph.add("Reshape", [at.packed, heads])], perm=[0, 2, 1, 3])
    return graph.add_many("Split", [split], ["", "", ""], axis=1, num_outputs=3)


def _heads_together(graph: GraphBuilder, mixed: str, sizes: T2SSizes) -> str:
    rows = graph.add("Transpose", [mixed], perm=[0, 2, 1, 3])
    return graph.add("Reshape", [rows, graph.integers(-1, sizes.hidden)])


def _scatter(graph: GraphBuilder, at: CachedAttention, sizes: T2SSizes) -> str:
    mixed = graph.add("Attention", [*_scattered(graph, at, sizes), WIDE_BIAS])
    return _heads_together(graph, mixed, sizes)


ATTENTIONS: dict[str, AttentionImplementation] = {
    "group_query": AttentionImplementation(
        18, _prepare_group_query, _group_query, "ONNX Runtime, in place, fastest", batched=True
    ),
    "scatter": AttentionImplementation(
        24, _prepare_scatter, _scatter, "standard operators, any head width"
    ),
    "scatter_in_parts": AttentionImplementation(
        24, _prepare_scatter, _scatter_in_parts, "engines: cache in place, any precision"
    ),
    "scatter_elements": AttentionImplementation(
        18,
        _prepare_scatter_elements,
        _scatter_elements,
        "standard operators of older importers",
        prepare_fixed=_cache_rows,
    ),
}
