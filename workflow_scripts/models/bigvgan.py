"""The vocoder of v3, BigVGAN-v2: mel frames to samples, without a style.

Attribute names are the checkpoint's keys.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EDGE_KERNEL = 7  # of the first and the last convolution
TAPS = 12  # of the filter around each activation
ABOVE_ZERO = 1e-9  # keeps 1 / beta finite


@dataclass(frozen=True)
class BigVganSizes:
    """Sizes of the vocoder, and how its folder's config states it is built.

    Attributes:
        mels: bands of the mel spectrogram.
        initial: channels before the first stage; each stage halves them.
        rates: by how much each stage lengthens.
        kernels: kernel of each stage's transposed convolution.
        block_kernels: kernels of the residual blocks of a stage.
        block_dilations: dilations of each of these blocks.
        own_beta: activation "snakebeta"; else "snake", which uses alpha in both places.
        log_scale: whether alpha and beta are stored as logarithms.
        final_tanh: whether samples are bent by a tanh; else they are cut at -1 and 1.
        final_bias: whether the last convolution has one.
    """

    mels: int
    initial: int
    rates: tuple[int, ...]
    kernels: tuple[int, ...]
    block_kernels: tuple[int, ...]
    block_dilations: tuple[tuple[int, ...], ...]
    own_beta: bool
    log_scale: bool
    final_tanh: bool
    final_bias: bool


class Snake(nn.Module):
    """x + sin(alpha x)^2 / beta, per channel."""

    def __init__(self, channels: int, sizes: BigVganSizes) -> None:
        super().__init__()
        self.log_scale = sizes.log_scale
        self.alpha = nn.Parameter(torch.zeros(channels))
        if sizes.own_beta:
            self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map [1, channels, n] float32 to the same shape."""
        alpha: Tensor = self.alpha
        beta: Tensor = getattr(self, "beta", self.alpha)
        if self.log_scale:
            alpha, beta = alpha.exp(), beta.exp()
        column = (-1, 1)
        share = 1 / (beta + ABOVE_ZERO)
        return x + share.reshape(column) * torch.sin(x * alpha.reshape(column)).square()


class Lowpass(nn.Module):
    """A stored filter, float32 [1, 1, 12]."""

    def __init__(self) -> None:
        super().__init__()
        self.filter = nn.Parameter(torch.zeros(1, 1, TAPS))


class Upsampling(Lowpass):
    """Twice as many samples: the even and the odd ones are a convolution of their own each."""

    def forward(self, x: Tensor) -> Tensor:
        """Float32 [1, channels, 2n] of [1, channels, n]."""
        return upsampled(x, self.phases())

    def phases(self) -> Tensor:
        """The filters of the even and of the odd samples, float32 [2, 1, 7]."""
        taps = 2 * self.filter[0, 0].flip(0)
        # half of the taps meet a sample, the others the zeros that were never put between
        return torch.stack([F.pad(taps[::2], (0, 1)), F.pad(taps[1::2], (1, 0))]).unsqueeze(1)


def upsampled(x: Tensor, phases: Tensor) -> Tensor:
    """Float32 [1, channels, 2n] of [1, channels, n], by the filters of both phases [2, 1, 7]."""
    rows = F.pad(x.squeeze(0).unsqueeze(1), (3, 3), mode="replicate")  # channels as a batch
    return F.conv1d(rows, phases).transpose(1, 2).reshape(1, x.shape[1], -1)


class Downsampling(nn.Module):
    """Half as many samples."""

    def __init__(self) -> None:
        super().__init__()
        self.lowpass = Lowpass()

    def forward(self, x: Tensor) -> Tensor:
        """Float32 [1, channels, n] of [1, channels, 2n]."""
        rows = F.pad(x.squeeze(0).unsqueeze(1), (5, 6), mode="replicate")
        return F.conv1d(rows, self.lowpass.filter, stride=2).squeeze(1).unsqueeze(0)


class SmoothActivation(nn.Module):
    """A snake at twice the rate, so that what it makes above the band does not fold back."""

    def __init__(self, channels: int, sizes: BigVganSizes) -> None:
        super().__init__()
        self.act = Snake(channels, sizes)
        self.upsample = Upsampling()
        self.downsample = Downsampling()

    def forward(self, x: Tensor) -> Tensor:
        """Map [1, channels, n] float32 to the same shape."""
        y: Tensor = self.downsample(self.act(self.upsample(x)))
        return y


class ResidualBlock(nn.Module):
    """Pairs of convolutions, dilated and plain, with an activation before each."""

    def __init__(
        self, channels: int, kernel: int, dilations: tuple[int, ...], sizes: BigVganSizes
    ) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, padding=kernel // 2 * step, dilation=step)
            for step in dilations
        )
        self.convs2 = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, padding=kernel // 2) for _ in dilations
        )
        self.activations = nn.ModuleList(
            SmoothActivation(channels, sizes) for _ in range(2 * len(dilations))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map [1, channels, n] float32 to the same shape."""
        before, between = self.activations[::2], self.activations[1::2]
        layers = zip(before, self.convs1, between, self.convs2, strict=True)
        for activate, dilated, activate_again, plain in layers:
            x = x + plain(activate_again(dilated(activate(x))))
        return x


class BigVgan(nn.Module):
    """Transposed convolutions with residual blocks after each."""

    def __init__(self, sizes: BigVganSizes) -> None:
        super().__init__()
        edge = EDGE_KERNEL // 2
        self.final_tanh = sizes.final_tanh
        self.blocks_per_stage = len(sizes.block_kernels)
        self.conv_pre = nn.Conv1d(sizes.mels, sizes.initial, EDGE_KERNEL, padding=edge)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        channels = sizes.initial
        for rate, kernel in zip(sizes.rates, sizes.kernels, strict=True):
            up = nn.ConvTranspose1d(channels, channels // 2, kernel, rate, (kernel - rate) // 2)
            self.ups.append(nn.ModuleList([up]))
            channels //= 2
            for block_kernel, steps in zip(sizes.block_kernels, sizes.block_dilations, strict=True):
                self.resblocks.append(ResidualBlock(channels, block_kernel, steps, sizes))
        self.activation_post = SmoothActivation(channels, sizes)
        self.conv_post = nn.Conv1d(channels, 1, EDGE_KERNEL, padding=edge, bias=sizes.final_bias)

    def forward(self, mel: Tensor) -> Tensor:
        """Samples, float32 [1, 1, S], of a log-mel spectrogram [1, mels, N]."""
        x = self.conv_pre(mel)
        for stage, ups in enumerate(self.ups):
            for up in ups:  # type: ignore[attr-defined] # a list of one, so are the keys
                x = up(x)
            first = stage * self.blocks_per_stage
            blocks = self.resblocks[first : first + self.blocks_per_stage]
            x = sum(block(x) for block in blocks) / self.blocks_per_stage
        x = self.conv_post(self.activation_post(x))
        return torch.tanh(x) if self.final_tanh else x.clamp(-1, 1)
