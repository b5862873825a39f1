"""Run the networks of the acoustic model on several utterances at once.

The networks themselves take one, as inference does. Here the same weights see a batch with masks.
"""

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from workflow_scripts.models.encoders import (
    WINDOW,
    Encoder,
    FramePhoneMixer,
    PriorEncoder,
    RelativeAttention,
)
from workflow_scripts.models.style import ReferenceEncoder

HIDDEN_SCORE = -1e4


def prior(
    encoder: PriorEncoder, vectors: Tensor, phones: Tensor, style: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean and log-scale of a batch.

    Args:
        encoder: whose weights.
        vectors: float32 [B, 768, N], codebook rows at 50 Hz.
        phones: int64 [B, X]; -1 behind the last of an utterance.
        style: float32 [B, 512, 1].
        lengths: int64 [B], frames of each utterance.

    Returns:
        float32 [B, I, N] twice.
    """
    frames_exist = _exist(lengths, vectors.shape[2])
    phones_exist = (phones >= 0).unsqueeze(1).to(vectors.dtype)
    frames = _encode(encoder.encoder_ssl, encoder.ssl_proj(vectors), frames_exist)
    rows = encoder.text_embedding(phones.clamp(min=0)).transpose(1, 2)
    text = _encode(encoder.encoder_text, rows, phones_exist)
    mixed = _mix(encoder.mrte, (frames, text, style), phones_exist)
    encoded = _encode(encoder.encoder2, mixed, frames_exist)
    return encoder.moments(encoded)


def style(encoder: ReferenceEncoder, spectrograms: Tensor) -> Tensor:
    """Styles, float32 [B, G, 1], of spectrograms [B, bins, R] of one length."""
    x = spectrograms.transpose(1, 2)
    for dense in encoder.spectral.values():
        x = F.mish(dense(x))
    x = x.transpose(1, 2)
    for convolution in encoder.temporal:
        x = convolution(x)
    x = x.transpose(1, 2)
    attention = encoder.slf_attn
    query, key, value = (
        linear(x).unflatten(2, (attention.heads, -1)).transpose(1, 2)
        for linear in (attention.w_qs, attention.w_ks, attention.w_vs)
    )
    share = torch.softmax(query @ key.transpose(2, 3) / math.sqrt(attention.width), dim=-1)
    x = x + attention.fc((share @ value).transpose(1, 2).flatten(2))
    rows: Tensor = encoder.fc(x)
    return rows.mean(dim=1).unsqueeze(-1)


def _exist(lengths: Tensor, longest: int) -> Tensor:
    """float32 [B, 1, N], 1 where an utterance is."""
    return (torch.arange(longest) < lengths.unsqueeze(1)).unsqueeze(1).float()


def _encode(encoder: Encoder, x: Tensor, exist: Tensor) -> Tensor:
    layers = zip(
        encoder.attn_layers,
        encoder.norm_layers_1,
        encoder.ffn_layers,
        encoder.norm_layers_2,
        strict=True,
    )
    bias = (1 - exist.unsqueeze(2)) * HIDDEN_SCORE
    x = x * exist
    for attend, norm_1, feed, norm_2 in layers:
        x = norm_1(x + _attend(cast(RelativeAttention, attend), x, bias))
        widen, narrow = feed.get_submodule("conv_1"), feed.get_submodule("conv_2")
        inner = torch.relu(widen(x * exist))
        x = norm_2(x + narrow(inner * exist)) * exist
    return x


def _attend(layer: RelativeAttention, x: Tensor, bias: Tensor) -> Tensor:
    batch, _, length = x.shape
    split = (batch, layer.heads, layer.head_width, length)
    query = (layer.conv_q(x) / math.sqrt(layer.head_width)).reshape(split).transpose(2, 3)
    key = layer.conv_k(x).reshape(split)
    value = layer.conv_v(x).reshape(split).transpose(2, 3)
    rows = torch.arange(length)
    distance = rows.unsqueeze(0) - rows.unsqueeze(1)
    near = (distance.abs() <= WINDOW).to(x.dtype)
    columns = (distance.clamp(-WINDOW, WINDOW) + WINDOW).expand(batch, layer.heads, -1, -1)
    by_distance = (query @ layer.emb_rel_k.transpose(1, 2)).gather(3, columns) * near
    share = torch.softmax(query @ key + by_distance + bias, dim=-1)
    table = torch.zeros(*share.shape[:3], 2 * WINDOW + 1, dtype=share.dtype)
    table = table.scatter_add(3, columns, share * near)
    mixed = (share @ value + table @ layer.emb_rel_v).transpose(2, 3)
    out: Tensor = layer.conv_o(mixed.reshape(batch, -1, length))
    return out


def _mix(mixer: FramePhoneMixer, inputs: tuple[Tensor, Tensor, Tensor], exist: Tensor) -> Tensor:
    frames, text, style = inputs
    content = mixer.c_pre(frames)
    attention = mixer.cross_attention
    phones = mixer.text_pre(text)

    def split(x: Tensor) -> Tensor:
        return x.reshape(len(x), attention.heads, attention.head_width, -1)

    query = split(attention.conv_q(content) / math.sqrt(attention.head_width)).transpose(2, 3)
    scores = query @ split(attention.conv_k(phones)) + (1 - exist.unsqueeze(2)) * HIDDEN_SCORE
    mixed = torch.softmax(scores, dim=-1) @ split(attention.conv_v(phones)).transpose(2, 3)
    attended = attention.conv_o(mixed.transpose(2, 3).flatten(1, 2))
    out: Tensor = mixer.c_post(attended + content + style)
    return out
