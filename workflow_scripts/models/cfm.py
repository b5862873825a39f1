"""The acoustic model of v3 and v4: tokens, phones and style to features, features to a mel.

Knows nothing of files: weights and sizes come as they were read. Batch is 1, float32. Attribute
names are the checkpoint's keys. The vocoders, which are files of their own, are beside this.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workflow_scripts.checkpoint.cfm import CODEBOOK, CfmSizes, cfm_sizes
from workflow_scripts.models.dit import Estimator, EstimatorSizes
from workflow_scripts.models.encoders import ContentEncoder, EncoderSizes, resampled
from workflow_scripts.models.flow import GatedStack
from workflow_scripts.models.sovits import CODEBOOK as CODES
from workflow_scripts.models.sovits import nearest
from workflow_scripts.models.style import ReferenceEncoder
from workflow_scripts.models.weights import fill, folded, without

BINS = 704  # of the spectrogram that the style is made from
UNGUIDED = 1e-5  # a guidance up to here is none
# the second projection and the codebook's statistics serve training only
_UNUSED = ("enc_p.proj", "linear_mel", "_codebook.inited", "_codebook.cluster", "_codebook.embed_a")


class Waves(nn.Module):
    """Gated convolutions over the features, steered by the style."""

    def __init__(self, width: int, style: int, layers: int) -> None:
        super().__init__()
        self.pre = nn.Conv1d(width, width, 1)
        self.enc = GatedStack(width, style, layers)
        self.proj = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor, style: Tensor, mask: Tensor) -> Tensor:
        """Map [1, C, N] float32 to the same shape; frames whose mask [1, 1, N] is 0 become 0."""
        skips = self.enc(self.pre(x) * mask, style, mask)
        y: Tensor = self.proj(skips * mask) * mask
        return y


class Sampler(nn.Module):
    """Noise to mel in a few steps along the estimated velocity."""

    def __init__(self, sizes: EstimatorSizes) -> None:
        super().__init__()
        self.estimator = Estimator(sizes)

    def forward(
        self, features: Tensor, prompt: Tensor, noise: Tensor, steps: int, guidance: float = 0.0
    ) -> Tensor:
        """Normalised mel, float32 [1, mels, T]; 0 in the frames of the prompt.

        Args:
            features: float32 [1, C, T], of the prompt and of what is new.
            prompt: float32 [1, mels, P], normalised mel of the first frames.
            noise: float32 [1, mels, T], times the temperature.
            steps: how many of equal size.
            guidance: how far to go beyond what the condition changes; 0 in the reference.
        """
        given, step_size = prompt.shape[2], 1 / steps
        padded = F.pad(prompt, (0, noise.shape[2] - given))
        mask, x = torch.ones(1, noise.shape[2], 1), _without_prompt(noise, given)
        halves = [self.estimator.condition(features, padded, mask)]
        if guidance > UNGUIDED:
            nothing = torch.zeros_like(features), torch.zeros_like(padded)
            halves.append(self.estimator.condition(*nothing, mask))
        by_time = self.estimator.modulations(*schedule(steps))
        for step in range(steps):
            now = by_time[step : step + 1]
            found = [self.estimator.velocity(x, half, now, mask) for half in halves]
            velocity = found[0] + guidance * (found[0] - found[-1])
            x = _without_prompt(x + step_size * velocity, given)
        return x


def schedule(steps: int) -> tuple[Tensor, Tensor]:
    """Time and size of each step, float32 [steps] both; added up in double, as the reference."""
    size = 1 / steps
    times = torch.cumsum(torch.full((steps,), size, dtype=torch.float64), 0) - size
    return times.float(), torch.full((steps,), size)


def _without_prompt(x: Tensor, frames: int) -> Tensor:
    return torch.cat([torch.zeros_like(x[..., :frames]), x[..., frames:]], dim=-1)


class CfmSovits(nn.Module):
    """All networks of one v3 or v4 checkpoint.

    Attributes:
        sizes: of all of them.
        bins: rows of the spectrogram that the style is made from.
        takes_speaker: False, as no v3 or v4 does.
        symbols: rows of the phone embedding.
    """

    def __init__(self, sizes: CfmSizes) -> None:
        super().__init__()
        self.sizes, self.symbols = sizes, sizes.symbols
        self.bins, self.takes_speaker = BINS, False
        self.ssl_proj = nn.Conv1d(sizes.ssl, sizes.ssl, 2, stride=2)
        self.codebook = nn.Embedding(CODES, sizes.ssl)
        self.ref_enc = ReferenceEncoder(BINS, sizes.gin_channels)
        self.enc_p = ContentEncoder(_encoder_sizes(sizes))
        self.bridge = nn.ModuleList([nn.Conv1d(sizes.hidden_channels, sizes.features, 1)])
        self.wns1 = Waves(sizes.features, sizes.gin_channels, sizes.wave_layers)
        self.cfm = Sampler(_estimator_sizes(sizes))

    def quantize(self, features: Tensor) -> Tensor:
        """Semantic tokens, int64 [1, F // 2], of ssl features float32 [1, W, F] at 50 Hz."""
        return nearest(self.ssl_proj(features).transpose(1, 2), self.codebook.weight)

    def style(self, spectrogram: Tensor, _speaker: Tensor | None = None) -> Tensor:
        """Style, float32 [1, G, 1], of the first 704 rows of a magnitude [1, 704, R]."""
        style: Tensor = self.ref_enc(spectrogram)
        return style

    def encode(self, tokens: Tensor, phones: Tensor, style: Tensor) -> Tensor:
        """Encoded frames at 50 Hz before speed, float32 [1, D, 2T].

        Args:
            tokens: int64 [1, T].
            phones: int64 [1, X].
            style: float32 [1, G, 1].
        """
        rows = self.codebook(tokens)
        twice = torch.stack([rows, rows], dim=2).reshape(1, -1, self.sizes.ssl)
        encoded: Tensor = self.enc_p(twice.transpose(1, 2), phones, style)
        return encoded

    def features(
        self, encoded: Tensor, style: Tensor, grid: tuple[Tensor, Tensor], mask: Tensor
    ) -> Tensor:
        """Conditioning features at the mel's frame rate, float32 [1, C, N].

        Args:
            encoded: float32 [1, D, 2T].
            style: float32 [1, G, 1].
            grid: int64 [N] and float32 [N], where each mel frame is read: an encoded frame, and how
                far towards the next one.
            mask: float32 [1, 1, N]; 0 where the reference cuts a last frame off.
        """
        bridged = F.leaky_relu(self.bridge[0](resampled(encoded, *grid)), 0.01)
        found: Tensor = self.wns1(bridged, style, mask)
        return found


def load_cfm(
    weights: Mapping[str, Tensor], _config: Mapping[str, Any], where: str = "SoVITS weights"
) -> CfmSovits:
    """Build the acoustic model that weights describe.

    Args:
        weights: tensors by the checkpoint's keys, any float type; a LoRA merged. Their shapes give
            the sizes, which no configuration has.
        where: file, to begin an error with.

    Returns:
        The model in float32, ready to answer.

    Raises:
        CheckpointError: a tensor is missing, left over, or of the wrong shape.
    """
    sizes = cfm_sizes({name: tuple(tensor.shape) for name, tensor in weights.items()}, where)
    tensors = without(folded(weights, where), _UNUSED)
    if f"{CODEBOOK}.embed" in tensors:
        tensors["codebook.weight"] = tensors.pop(f"{CODEBOOK}.embed")
    with torch.device("meta"):
        model = CfmSovits(sizes)
    fill(model, tensors, where)
    model.cfm.estimator.tabulate()
    return model


def _encoder_sizes(sizes: CfmSizes) -> EncoderSizes:
    return EncoderSizes(
        hidden=sizes.hidden_channels,
        filters=sizes.filter_channels,
        heads=sizes.n_heads,
        layers=sizes.n_layers,
        kernel=sizes.kernel_size,
        latent=sizes.latent,
        symbols=sizes.symbols,
        mixer=sizes.gin_channels,
        ssl=sizes.ssl,
    )


def _estimator_sizes(sizes: CfmSizes) -> EstimatorSizes:
    return EstimatorSizes(
        mels=sizes.mels,
        features=sizes.features,
        width=sizes.width,
        depth=sizes.depth,
        inner=sizes.inner,
        head=sizes.head,
        text_blocks=sizes.text_blocks,
        text_inner=sizes.text_inner,
        position_kernel=sizes.position_kernel,
        position_groups=sizes.position_groups,
        times=sizes.times,
    )
