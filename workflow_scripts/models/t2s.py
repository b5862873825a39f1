"""The text-to-semantic transformer in PyTorch: phones, text features and prompt tokens to logits.

Knows nothing of sampling, stop rules or files. Source of shapes and formulas: GPT-SoVITS
`AR/models/t2s_model.py` as written down in docs; proved by the `t2s` goldens.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from workflow_scripts.checkpoint.sizes import t2s_sizes

FEATURE_WIDTH = 1024
PREFIX = "model."


def position_frequencies(hidden: int) -> Tensor:
    """Angular step of each sine pair, float32 [D/2]: the reference's, the same on every CPU.

    Its exponents are float32; their powers are rounded once, since float32 `exp` differs in the
    last bit between CPUs.
    """
    exponents = torch.arange(0, hidden, 2, dtype=torch.float32) * -(math.log(1e4) / hidden)
    return torch.exp(exponents.double()).float()


def position_rows(positions: Tensor, frequencies: Tensor) -> Tensor:
    """Sine rows float32 [n, D] of int64 positions [n]: sine in even columns, cosine in odd."""
    angles = positions[:, None].to(torch.float32) * frequencies
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


@dataclass
class KVCache:
    """Keys and values of every layer, each [1, H, K, A]; empty before the prefill."""

    keys: list[Tensor] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)

    def extended(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values of a layer after new rows [1, H, Q, A], which are kept."""
        if layer < len(self.keys):
            key = torch.cat([self.keys[layer], key], 2)
            value = torch.cat([self.values[layer], value], 2)
            self.keys[layer], self.values[layer] = key, value
        else:
            self.keys.append(key)
            self.values.append(value)
        return key, value


class T2S:
    """The model with float32 weights.

    Attributes:
        sizes: its sizes.
        weights: name without the `model.` prefix to float32 tensor.
    """

    def __init__(
        self, weights: Mapping[str, Tensor], config: Mapping[str, Any], where: str = "T2S"
    ) -> None:
        self.sizes = t2s_sizes(config, where)
        self.weights = {
            name.removeprefix(PREFIX): tensor.detach().to(torch.float32).contiguous()
            for name, tensor in weights.items()
        }
        self.frequencies = position_frequencies(self.sizes.hidden)

    def audio_rows(self, tokens: Tensor, first_position: int = 0) -> Tensor:
        """Embedded semantic tokens: int64 [n] to float32 [n, D], from `first_position` on."""
        positions = torch.arange(first_position, first_position + tokens.numel())
        rows = self.weights["ar_audio_embedding.word_embeddings.weight"][tokens]
        sines = position_rows(positions, self.frequencies)
        return rows + self.weights["ar_audio_position.alpha"] * sines

    def text_rows(self, phones: Tensor, features: Tensor) -> Tensor:
        """Embedded phones, int64 [X] and float32 [1024, X] to float32 [X, D]."""
        rows = self.weights["ar_text_embedding.word_embeddings.weight"][phones]
        rows = rows + F.linear(
            features.T, self.weights["bert_proj.weight"], self.weights["bert_proj.bias"]
        )
        sines = position_rows(torch.arange(phones.numel()), self.frequencies)
        return rows + self.weights["ar_text_position.alpha"] * sines

    def embed(self, phones: Tensor, features: Tensor, prompts: Tensor) -> tuple[Tensor, Tensor]:
        """What the decoder takes at prefill.

        Args:
            phones: int64 [1, X].
            features: float32 [1, 1024, X].
            prompts: int64 [1, P].

        Returns:
            float32 rows [X+P, D] and additive bias [1, 1, X+P, X+P] (0 or the lowest float32).
        """
        rows = torch.cat([self.text_rows(phones[0], features[0]), self.audio_rows(prompts[0])])
        return rows, prefill_bias(phones.shape[1], prompts.shape[1])

    def decode(self, rows: Tensor, bias: Tensor | None, cache: KVCache) -> tuple[Tensor, Tensor]:
        """Run rows [Q, D] through all layers, appending to the cache.

        Returns:
            float32 logits [1, V] of the last row, and all last hidden rows [Q, D].
        """
        hidden = rows
        for layer in range(self.sizes.layers):
            hidden = self._block(layer, hidden, bias, cache)
        return F.linear(hidden[-1:], self.weights["ar_predict_layer.weight"]), hidden

    def step(self, token: int, position: int, cache: KVCache) -> Tensor:
        """Logits [1, V] after one more token; `position` counts prompt and generated tokens."""
        return self.decode(self.audio_rows(torch.tensor([token]), position), None, cache)[0]

    def _block(self, layer: int, hidden: Tensor, bias: Tensor | None, cache: KVCache) -> Tensor:
        def weight(name: str) -> Tensor:
            return self.weights[f"h.layers.{layer}.{name}"]

        packed = F.linear(
            hidden, weight("self_attn.in_proj_weight"), weight("self_attn.in_proj_bias")
        )
        query, key, value = (
            part.view(1, -1, self.sizes.heads, self.sizes.head_width).transpose(1, 2)
            for part in packed.chunk(3, -1)
        )
        key, value = cache.extended(layer, key, value)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        mixed = mixed.transpose(1, 2).reshape(hidden.shape)
        mixed = F.linear(
            mixed, weight("self_attn.out_proj.weight"), weight("self_attn.out_proj.bias")
        )
        width = (self.sizes.hidden,)
        hidden = F.layer_norm(hidden + mixed, width, weight("norm1.weight"), weight("norm1.bias"))
        inner = F.relu(F.linear(hidden, weight("linear1.weight"), weight("linear1.bias")))
        inner = F.linear(inner, weight("linear2.weight"), weight("linear2.bias"))
        return F.layer_norm(hidden + inner, width, weight("norm2.weight"), weight("norm2.bias"))


def prefill_bias(phones: int, prompts: int) -> Tensor:
    """Additive mask [1, 1, X+P, X+P]: text sees all text; audio sees text and earlier audio."""
    rows = phones + prompts
    row, column = torch.arange(rows)[:, None], torch.arange(rows)[None]
    visible = (column < phones) | ((row >= phones) & (column <= row))
    return torch.where(visible, 0.0, torch.finfo(torch.float32).min)[None, None]
