"""Teach the vocoder to turn latents into sound; a state that can go on at any time."""

import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import FrameType

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.sovits_data import Store, crop
from training.sovits_latent import NOISE, NOISE_SCALE, NOISE_UNIT
from training.sovits_loss import sound_loss
from training.sovits_speech import noise_patterns
from workflow_scripts.models.vocoder import Vocoder

FRAME = 640
MARGIN = 5  # frames at the ends of a crop that do not count: the vocoder lacks their context


@dataclass(frozen=True)
class Course:
    """How a network is trained.

    Attributes:
        batch: crops, or utterances, per iteration.
        tokens: of a crop.
        rate: of learning, at its highest.
        warm: iterations until it is reached.
        iterations: after which it has sunk to a twentieth.
        clip: of the gradient's norm.
        seed: of what is drawn.
    """

    batch: int = 8
    tokens: int = 24
    rate: float = 2e-3
    warm: int = 100
    iterations: int = 6000
    clip: float = 5.0
    seed: int = 1

    def changed(self, iterations: int | None, seed: int) -> "Course":
        """The same with another seed and, if given, another end."""
        return replace(self, iterations=iterations or self.iterations, seed=seed)

    def rate_at(self, iteration: int) -> float:
        """Learning rate: rises in a line, falls as a cosine."""
        if iteration < self.warm:
            return self.rate * (iteration + 1) / self.warm
        done = min(1.0, (iteration - self.warm) / max(1, self.iterations - self.warm))
        return self.rate * (0.05 + 0.95 * 0.5 * (1 + float(np.cos(np.pi * done))))


class Clock:
    """Says when to stop: time is up, or somebody sent SIGTERM."""

    def __init__(self, minutes: float) -> None:
        self._end = time.monotonic() + 60 * minutes
        self._told = False
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._told = True

    @property
    def up(self) -> bool:
        """Whether it is time."""
        return self._told or time.monotonic() > self._end


@dataclass(frozen=True, eq=False)
class Batch:
    """Crops.

    Attributes:
        latent: float32 [B, 192, N], a draw.
        sound: float32 [B, 640 N].
    """

    latent: Tensor
    sound: Tensor


def vocoder_batch(
    stores: Sequence[Store], course: Course, rng: np.random.Generator, patterns: Tensor
) -> Batch:
    """Crops of speech with fresh noise, and what they should sound like."""
    picks = [
        crop(stores[number % len(stores)], course.tokens, rng) for number in range(course.batch)
    ]
    mean = torch.from_numpy(np.stack([latent.mean.T for latent, _ in picks]))
    scale = torch.from_numpy(np.stack([latent.log_scale.T for latent, _ in picks])).exp()
    noise = torch.from_numpy(rng.standard_normal(mean.shape, dtype=np.float32))
    drawn = mean + noise * scale * NOISE_SCALE
    voice = torch.from_numpy(np.stack([sound for _, sound in picks]))
    return Batch(drawn, voice + breath(drawn, patterns))


def breath(latent: Tensor, patterns: Tensor) -> Tensor:
    """The noise that latents [B, 192, N] ask for, float32 [B, 640 N].

    Args:
        latent: a draw.
        patterns: float32 [48, 1, 960], from `pattern_weights`.
    """
    out = F.conv_transpose1d(latent[:, NOISE] * NOISE_UNIT, patterns, stride=FRAME)
    return F.pad(out, (0, FRAME))[:, 0, 160 : 160 + latent.shape[2] * FRAME]


def pattern_weights() -> Tensor:
    """The noise patterns as the weight of a transposed convolution, float32 [48, 1, 960]."""
    table = torch.from_numpy(noise_patterns())
    return table.reshape(-1, 1, table.shape[-1])


def vocoder_step(
    vocoder: Vocoder, optimizer: torch.optim.Optimizer, batch: Batch, clip: float
) -> dict[str, float]:
    """One iteration; the parts of the loss."""
    style = torch.zeros(len(batch.latent), vocoder.cond.in_channels, 1)
    with torch.autocast("cpu", torch.bfloat16):
        made = vocoder(batch.latent, style)
    inner = slice(MARGIN * FRAME, -MARGIN * FRAME)
    parts = sound_loss(made.float()[:, 0, inner], batch.sound[:, inner])
    optimizer.zero_grad()
    torch.stack(list(parts.values())).sum().backward()
    torch.nn.utils.clip_grad_norm_(vocoder.parameters(), clip)
    optimizer.step()
    return {name: part.item() for name, part in parts.items()}
