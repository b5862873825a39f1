"""The vocoder of HiFi-GAN: frames of a latent or of a mel spectrogram to samples.

Attribute names are the checkpoint's keys.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.1  # of the stages
LAST_SLOPE = 0.01  # before the last convolution: another one, so does the reference
EDGE_KERNEL = 7  # of the first and the last convolution


@dataclass(frozen=True)
class VocoderSizes:
    """Sizes of the vocoder.

    Attributes:
        latent: width I of the latent.
        style: width G of the style; 0 where the vocoder takes none.
        initial: channels before the first stage; each stage halves them.
        rates: by how much each stage lengthens.
        kernels: kernel of each stage's transposed convolution.
        block_kernels: kernels of the residual blocks of a stage.
        block_dilations: dilations of each of these blocks.
        final_bias: whether the last convolution has one.
    """

    latent: int
    style: int
    initial: int
    rates: tuple[int, ...]
    kernels: tuple[int, ...]
    block_kernels: tuple[int, ...]
    block_dilations: tuple[tuple[int, ...], ...]
    final_bias: bool = False


class ResidualBlock(nn.Module):
    """Pairs of convolutions, dilated and plain, each pair added to its input."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, padding=kernel // 2 * step, dilation=step)
            for step in dilations
        )
        self.convs2 = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, padding=kernel // 2) for _ in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map [1, channels, n] float32 to the same shape."""
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            x = x + plain(F.leaky_relu(dilated(F.leaky_relu(x, SLOPE)), SLOPE))
        return x


class Vocoder(nn.Module):
    """Transposed convolutions with residual blocks after each."""

    def __init__(self, sizes: VocoderSizes) -> None:
        super().__init__()
        edge = EDGE_KERNEL // 2
        self.conv_pre = nn.Conv1d(sizes.latent, sizes.initial, EDGE_KERNEL, padding=edge)
        if sizes.style:
            self.cond = nn.Conv1d(sizes.style, sizes.initial, 1)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        channels = sizes.initial
        for rate, kernel in zip(sizes.rates, sizes.kernels, strict=True):
            self.ups.append(
                nn.ConvTranspose1d(channels, channels // 2, kernel, rate, (kernel - rate) // 2)
            )
            channels //= 2
            for block_kernel, steps in zip(sizes.block_kernels, sizes.block_dilations, strict=True):
                self.resblocks.append(ResidualBlock(channels, block_kernel, steps))
        self.blocks_per_stage = len(sizes.block_kernels)
        self.conv_post = nn.Conv1d(channels, 1, EDGE_KERNEL, padding=edge, bias=sizes.final_bias)

    def forward(self, latent: Tensor, style: Tensor | None = None) -> Tensor:
        """Samples, float32 [1, 1, S], of latent [1, I, N] and, if it takes one, style [1, G, 1].

        With each convolution replaced by its 2-D form of height 1, the same code takes
        [1, I, 1, N] and [1, G, 1, 1].
        """
        x = self.conv_pre(latent)
        if style is not None:
            x = x + self.cond(style)
        for stage, up in enumerate(self.ups):
            x = up(F.leaky_relu(x, SLOPE))
            first = stage * self.blocks_per_stage
            blocks = self.resblocks[first : first + self.blocks_per_stage]
            x = sum(block(x) for block in blocks) / self.blocks_per_stage
        return torch.tanh(self.conv_post(F.leaky_relu(x, LAST_SLOPE)))
