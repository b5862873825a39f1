"""Names and shapes of all tensors of the vocoders of v3 and v4, by rule. Torch-free."""

from collections.abc import Iterator
from dataclasses import dataclass

from workflow_scripts.checkpoint.layout import Named, Shape, conv, normed_conv

MELS = 100
TAPS = 12
EDGE = 7
BLOCK_KERNELS = (3, 7, 11)
DILATIONS = (1, 3, 5)


@dataclass(frozen=True)
class Stages:
    """Upsampling of a vocoder.

    Attributes:
        initial: channels before the first stage; each stage halves them.
        rates: by how much each stage lengthens.
        kernels: of the stages' transposed convolutions.
    """

    initial: int
    rates: tuple[int, ...]
    kernels: tuple[int, ...]


BIGVGAN = Stages(initial=1536, rates=(4, 4, 2, 2, 2, 2), kernels=(8, 8, 4, 4, 4, 4))
VOCODER_V4 = Stages(initial=512, rates=(10, 6, 2, 2, 2), kernels=(20, 12, 4, 4, 4))


def bigvgan_layout(stages: Stages) -> dict[str, Shape]:
    """Every tensor of a BigVGAN generator with its weight norms, shape by name."""
    return dict(_bigvgan(stages))


def vocoder_v4_layout(stages: Stages) -> dict[str, Shape]:
    """Every tensor of the v4 vocoder, shape by name."""
    return dict(_vocoder_v4(stages))


def _bigvgan(stages: Stages) -> Iterator[Named]:
    yield from normed_conv("conv_pre", stages.initial, MELS, EDGE).items()
    for stage, kernel in enumerate(stages.kernels):
        width = stages.initial >> stage
        yield f"ups.{stage}.0.bias", (width // 2,)
        yield f"ups.{stage}.0.weight_g", (width, 1, 1)
        yield f"ups.{stage}.0.weight_v", (width, width // 2, kernel)
    for name, width, kernel in _blocks(stages):
        for pair in ("convs1", "convs2"):
            for place in range(len(DILATIONS)):
                yield from normed_conv(f"{name}.{pair}.{place}", width, width, kernel).items()
        for place in range(2 * len(DILATIONS)):
            yield from _activation(f"{name}.activations.{place}", width)
    last = stages.initial >> len(stages.rates)
    yield from _activation("activation_post", last)
    yield "conv_post.weight_g", (1, 1, 1)
    yield "conv_post.weight_v", (1, last, EDGE)


def _activation(name: str, width: int) -> Iterator[Named]:
    yield f"{name}.act.alpha", (width,)
    yield f"{name}.act.beta", (width,)
    yield f"{name}.upsample.filter", (1, 1, TAPS)
    yield f"{name}.downsample.lowpass.filter", (1, 1, TAPS)


def _vocoder_v4(stages: Stages) -> Iterator[Named]:
    yield from conv("conv_pre", stages.initial, MELS, EDGE).items()
    for stage, kernel in enumerate(stages.kernels):
        width = stages.initial >> stage
        yield f"ups.{stage}.weight", (width, width // 2, kernel)
        yield f"ups.{stage}.bias", (width // 2,)
    for name, width, kernel in _blocks(stages):
        for pair in ("convs1", "convs2"):
            for place in range(len(DILATIONS)):
                yield from conv(f"{name}.{pair}.{place}", width, width, kernel).items()
    yield from conv("conv_post", 1, stages.initial >> len(stages.rates), EDGE).items()


def _blocks(stages: Stages) -> Iterator[tuple[str, int, int]]:
    """Name, channels and kernel of each residual block."""
    for stage in range(len(stages.rates)):
        for place, kernel in enumerate(BLOCK_KERNELS):
            number = stage * len(BLOCK_KERNELS) + place
            yield f"resblocks.{number}", stages.initial >> (stage + 1), kernel
