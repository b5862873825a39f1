"""The two graphs of the T2S model, built node by node from the checkpoint's tensors.

`t2s_decoder` is one graph for prefill and step: Q rows in, logits of the last row out, KV caches
written in place. `t2s_embed` makes the rows and the bias of a prefill. The rows of a step are two
table rows added by the host; `step_tables` gives it the tables.
"""

from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from runtime.contract import GRAPHS, STEP_TABLES
from workflow_scripts.checkpoint.read import read
from workflow_scripts.checkpoint.sizes import T2SSizes
from workflow_scripts.checkpoint.source import Source
from workflow_scripts.graphs import answers
from workflow_scripts.graphs.attention import ATTENTIONS, CachedAttention, fits_group_query
from workflow_scripts.graphs.builder import GraphBuilder
from workflow_scripts.graphs.outputs import Outputs
from workflow_scripts.graphs.t2s_answers import t2s_answers
from workflow_scripts.models.t2s import FEATURE_WIDTH, T2S

EMBED_OPSET = 18
LAYER_NORM_EPSILON = 1e-5  # torch's default, which the reference keeps


def letters(sizes: T2SSizes) -> dict[str, int]:
    """The contract's letters that are static in one voice."""
    return {
        "D": sizes.hidden,
        "H": sizes.heads,
        "A": sizes.head_width,
        "V": sizes.vocabulary,
    }


def default_attention(sizes: T2SSizes) -> str:
    """The fastest attention implementation that this model's head width allows."""
    return "group_query" if fits_group_query(sizes) else "scatter"


def build_decoder(model: T2S, attention: str) -> onnx.ModelProto:
    """The decoder with an attention implementation, key of ATTENTIONS."""
    sizes, implementation = model.sizes, ATTENTIONS[attention]
    contract = GRAPHS["t2s_decoder"].expanded(sizes.layers)
    contract = contract if implementation.batched else contract.single()
    graph = GraphBuilder("t2s_decoder", contract, letters(sizes))
    implementation.prepare(graph)
    layers = _Layers(graph, model, implementation.batched)
    hidden = "rows"
    for layer in range(sizes.layers):
        packed = layers.linear(hidden, layer, "self_attn.in_proj_weight", "self_attn.in_proj_bias")
        mixed = implementation.attend(graph, CachedAttention(packed, layer), sizes)
        if layer == sizes.layers - 1:  # only the last row's logits are wanted
            mixed, hidden = layers.last_row(mixed), layers.last_row(hidden)
        hidden = layers.rest_of_block(hidden, mixed, layer)
    graph.add("Gemm", [hidden, layers.weight("ar_predict_layer.weight")], to="logits", transB=1)
    return graph.model(implementation.opset)


@dataclass(frozen=True)
class _Layers:
    """Adds the parts of a post-norm block."""

    graph: GraphBuilder
    model: T2S
    batched: bool

    def weight(self, name: str) -> str:
        return self.graph.weight(name, self.model.weights[name].numpy())

    def linear(self, rows: str, layer: int, weight: str, bias: str) -> str:
        names = [self.weight(f"h.layers.{layer}.{name}") for name in (weight, bias)]
        return self.graph.add("Gemm", [rows, *names], transB=1)

    def last_row(self, rows: str) -> str:
        """The last one of each sequence."""
        graph, hidden = self.graph, self.model.sizes.hidden
        if not self.batched:
            return graph.add("Gather", [rows, graph.integers(-1)], axis=0)
        apart = graph.add("Concat", ["batch", graph.integers(-1, hidden)], axis=0)
        rows = graph.add("Reshape", [rows, apart])
        last = graph.add("Gather", [rows, graph.integers(-1)], axis=1)
        return graph.add("Squeeze", [last, graph.integers(1)])

    def rest_of_block(self, hidden: str, mixed: str, layer: int) -> str:
        mixed = self.linear(mixed, layer, "self_attn.out_proj.weight", "self_attn.out_proj.bias")
        hidden = self._norm(self.graph.add("Add", [hidden, mixed]), layer, "norm1")
        inner = self.linear(hidden, layer, "linear1.weight", "linear1.bias")
        inner = self.graph.add("Relu", [inner])
        inner = self.linear(inner, layer, "linear2.weight", "linear2.bias")
        return self._norm(self.graph.add("Add", [hidden, inner]), layer, "norm2")

    def _norm(self, rows: str, layer: int, name: str) -> str:
        names = [self.weight(f"h.layers.{layer}.{name}.{part}") for part in ("weight", "bias")]
        return self.graph.add(
            "LayerNormalization", [rows, *names], axis=-1, epsilon=LAYER_NORM_EPSILON
        )


def build_embed(model: T2S) -> onnx.ModelProto:
    """Phones, text features and prompts to the rows and the bias of a prefill."""
    sizes = letters(model.sizes) | {"W": FEATURE_WIDTH}
    graph = GraphBuilder("t2s_embed", GRAPHS["t2s_embed"], sizes)
    tables = _Embedding(graph, model)
    text = tables.lookup("ar_text_embedding.word_embeddings.weight", "phones")
    features = graph.add("Transpose", ["text_features"], perm=[0, 2, 1])
    features = graph.add("Squeeze", [features, graph.integers(0)])
    projected = graph.add(
        "Gemm",
        [features, tables.weight("bert_proj.weight"), tables.weight("bert_proj.bias")],
        transB=1,
    )
    text = graph.add("Add", [text, projected])
    text = tables.with_positions(text, "phones", "ar_text_position.alpha")
    audio = tables.lookup("ar_audio_embedding.word_embeddings.weight", "prompts")
    audio = tables.with_positions(audio, "prompts", "ar_audio_position.alpha")
    graph.add("Concat", [text, audio], to="rows", axis=0)
    _add_bias(graph)
    return graph.model(EMBED_OPSET)


@dataclass(frozen=True)
class _Embedding:
    """Adds table lookups and sine positions."""

    graph: GraphBuilder
    model: T2S

    def weight(self, name: str) -> str:
        return self.graph.weight(name, self.model.weights[name].numpy())

    def lookup(self, table: str, ids: str) -> str:
        flat = self.graph.add("Squeeze", [ids, self.graph.integers(0)])
        return self.graph.add("Gather", [self.weight(table), flat])

    def with_positions(self, rows: str, ids: str, alpha: str) -> str:
        """Sines are computed from the recorded frequencies: a table would be 8 MB of constants."""
        graph = self.graph
        positions = graph.cast(_range(graph, ids), "float32")
        positions = graph.add("Unsqueeze", [positions, graph.integers(1)])
        angles = graph.add(
            "Mul", [positions, graph.weight("frequencies", self.model.frequencies.numpy())]
        )
        pairs = [
            graph.add("Unsqueeze", [graph.add(wave, [angles]), graph.integers(2)])
            for wave in ("Sin", "Cos")
        ]
        pairs_side_by_side = graph.add("Concat", pairs, axis=2)
        # with 0 rows (prompt-free) a -1 would stay undecided, so the count comes from the ids
        count = graph.add("Shape", [ids], start=1, end=2)
        shape = graph.add("Concat", [count, graph.integers(self.model.sizes.hidden)], axis=0)
        sines = graph.add("Reshape", [pairs_side_by_side, shape], allowzero=1)
        return graph.add("Add", [rows, graph.add("Mul", [sines, self.weight(alpha)])])


def _range(graph: GraphBuilder, ids: str) -> str:
    """0 .. n-1 for ids [1, n]."""
    count = graph.add("Squeeze", [graph.add("Shape", [ids], start=1, end=2), graph.integers(0)])
    zero = graph.weight("int64.zero", np.array(0, np.int64))
    one = graph.weight("int64.one", np.array(1, np.int64))
    return graph.add("Range", [zero, count, one])


def _add_bias(graph: GraphBuilder) -> None:
    """Visible: text columns for all, and for audio rows the columns up to themselves."""
    text = graph.add("Shape", ["phones"], start=1, end=2)
    audio = graph.add("Shape", ["prompts"], start=1, end=2)
    total = graph.add("Squeeze", [graph.add("Add", [text, audio]), graph.integers(0)])
    zero = graph.weight("int64.zero", np.array(0, np.int64))
    one = graph.weight("int64.one", np.array(1, np.int64))
    columns = graph.add("Range", [zero, total, one])
    rows = graph.add("Unsqueeze", [columns, graph.integers(1)])
    is_text = graph.add("Less", [columns, text])
    is_audio_row = graph.add("GreaterOrEqual", [rows, text])
    earlier = graph.add("And", [is_audio_row, graph.add("LessOrEqual", [columns, rows])])
    visible = graph.add("Or", [is_text, earlier])
    lowest = graph.weight("lowest", np.array(np.finfo(np.float32).min, np.float32))
    shown = graph.weight("float32.zero", np.array(0, np.float32))
    bias = graph.add("Where", [visible, shown, lowest])
    graph.add("Unsqueeze", [bias, graph.integers(0, 1)], to="bias")


def step_tables(model: T2S) -> dict[str, NDArray[np.floating]]:
    """What the host adds up for one step: audio_embedding[token] + alpha * sines(position).

    Returns:
        audio_embedding [V, D] (float16 where that is exact, as in released files), frequencies
        float32 [D/2], alpha float32 [1].
    """
    embedding = model.weights["ar_audio_embedding.word_embeddings.weight"].numpy()
    half = embedding.astype(np.float16)
    exact = bool(np.array_equal(half.astype(np.float32), embedding))
    return {
        "audio_embedding": half if exact else embedding,
        "frequencies": model.frequencies.numpy(),
        "alpha": model.weights["ar_audio_position.alpha"].numpy(),
    }


def export_t2s(source: Source, to: Outputs) -> None:
    """Write the two graphs of a T2S checkpoint, PyTorch's answers, and the tables of a step."""
    stored = read(source, "t2s")
    model = T2S(stored.weights, stored.config, f"{source.path}")
    with torch.inference_mode():
        recorded = t2s_answers(model)
    built = {
        "t2s_embed": build_embed(model),
        "t2s_decoder": build_decoder(model, default_attention(model.sizes)),
    }
    for name, graph in built.items():
        onnx.save(graph, to.graphs[name])
        answers.save(to.answers[name], recorded[name])
    with to.tables[STEP_TABLES].open("wb") as file:
        np.savez(file, allow_pickle=False, **step_tables(model))
