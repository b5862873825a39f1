"""The reference's spectrogram to the style vector.

Attribute names are the checkpoint's keys.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH = 128
HEADS = 2
KERNEL = 5


class Dense(nn.Module):
    """A linear layer under the key `fc`."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.fc = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map [1, R, inputs] to [1, R, outputs], float32."""
        y: Tensor = self.fc(x)
        return y


class Convolution(nn.Module):
    """A convolution under the key `conv`."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Map [1, inputs, R] to [1, outputs, R], float32."""
        y: Tensor = self.conv(x)
        return y


class GatedConvolution(nn.Module):
    """A gated convolution, added to its input."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.width = width
        self.conv1 = Convolution(width, 2 * width, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """Map [1, width, R] float32 to the same shape."""
        value, gate = self.conv1(x).split(self.width, dim=1)
        y: Tensor = x + value * torch.sigmoid(gate)
        return y


class SelfAttention(nn.Module):
    """Attention over time, added to its input."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        self.w_qs = nn.Linear(width, width)
        self.w_ks = nn.Linear(width, width)
        self.w_vs = nn.Linear(width, width)
        self.fc = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map [1, R, width] float32 to the same shape."""
        split = (1, -1, self.heads, self.width // self.heads)
        query, key, value = (
            linear(x).reshape(split).transpose(1, 2) for linear in (self.w_qs, self.w_ks, self.w_vs)
        )
        # the width of the model, not of a head: so does the reference
        share = torch.softmax(query @ key.transpose(2, 3) / math.sqrt(self.width), dim=-1)
        mixed = (share @ value).transpose(1, 2).reshape(1, -1, self.width)
        out: Tensor = x + self.fc(mixed)
        return out


class ReferenceEncoder(nn.Module):
    """Spectrogram to one vector: two dense layers, gated convolutions, attention, mean."""

    def __init__(self, bins: int, style_width: int) -> None:
        super().__init__()
        # the checkpoint counts activations and dropouts too: dense layers are 0 and 3
        self.spectral = nn.ModuleDict({"0": Dense(bins, WIDTH), "3": Dense(WIDTH, WIDTH)})
        self.temporal = nn.ModuleList(GatedConvolution(WIDTH, KERNEL) for _ in range(2))
        self.slf_attn = SelfAttention(WIDTH, HEADS)
        self.fc = Dense(WIDTH, style_width)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Style, float32 [1, G, 1], of a magnitude spectrogram [1, bins, R]."""
        x = spectrogram.transpose(1, 2)
        for dense in self.spectral.values():
            x = F.mish(dense(x))
        x = x.transpose(1, 2)
        for convolution in self.temporal:
            x = convolution(x)
        rows: Tensor = self.fc(self.slf_attn(x.transpose(1, 2)))
        return rows.mean(dim=1).unsqueeze(-1)
