"""Run the networks of the acoustic model on several crops at once, as far as they are trained.

The networks themselves take one utterance, as inference does. Attention adds nothing in ours (its
output layers are zero), so that what is learned on crops holds for utterances of any length; it
is left out here.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workflow_scripts.models.encoders import Encoder, PriorEncoder
from workflow_scripts.models.style import ReferenceEncoder


def prior(encoder: PriorEncoder, vectors: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log-scale of a batch, float32 [B, I, N] twice.

    Args:
        encoder: whose weights; its attentions give zero.
        vectors: float32 [B, 768, N], codebook rows at 50 Hz.
        style: float32 [B, 512, 1].
    """
    frames = _encode(encoder.encoder_ssl, encoder.ssl_proj(vectors))
    mixed = encoder.mrte.c_post(encoder.mrte.c_pre(frames) + style)
    encoded = _encode(encoder.encoder2, mixed)
    with torch.autocast("cpu", enabled=False):  # half a percent of a loud channel is much
        return encoder.moments(encoded)


def _encode(encoder: Encoder, x: Tensor) -> Tensor:
    layers = zip(encoder.norm_layers_1, encoder.ffn_layers, encoder.norm_layers_2, strict=True)
    for norm_1, feed, norm_2 in layers:
        x = _float(norm_1, x)
        x = _float(norm_2, x + feed(x).float())
    return x


def _float(norm: nn.Module, x: Tensor) -> Tensor:
    """Norm in float32 whatever the rest is computed in."""
    with torch.autocast("cpu", enabled=False):
        y: Tensor = norm(x.float())
    return y


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
