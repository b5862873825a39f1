"""Semantic tokens, phones and style in, latent frames and samples out.

Knows nothing of text or of how tokens came about. Times: tokens 25 Hz, latent frames 50 Hz,
samples 32 kHz.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from runtime.arrays import Float32, Int64, Latent, PhoneIds, Samples, Style, Tokens
from runtime.backends import GraphRunner
from runtime.errors import SettingError

FRAMES_PER_TOKEN = 2
SAMPLES_PER_FRAME = 640
SPEEDS = (0.25, 4.0)

Noise = Callable[[int, int], Float32]  # (first frame, frames) -> standard normal [1, I, N]


@dataclass(frozen=True)
class Delivery:
    """How the tokens are spoken.

    Attributes:
        speed: above 1 is faster; 1 leaves the frames as they are.
        noise_scale: share of the prior's spread that is used; 0 gives its mean.
    """

    speed: float = 1.0
    noise_scale: float = 0.5

    def __post_init__(self) -> None:
        low, high = SPEEDS
        if not low <= self.speed <= high:
            raise SettingError(f"speed: {self.speed} is not between {low:g} and {high:g}")
        if not 0 <= self.noise_scale <= 2:
            raise SettingError(f"noise_scale: {self.noise_scale} is not between 0 and 2")


def frame_grid(frames: int, speed: float) -> tuple[Int64, Float32]:
    """Where each output frame lies among the encoder's frames.

    Args:
        frames: N, encoder frames at speed 1.
        speed: as the user gave it: N / speed is often whole in decimal, and a float32 speed would
            change the number of frames.

    Returns:
        int64 [N'] index of the frame at or before, float32 [N'] fraction of the way to the next.

    Source: linear interpolation of PyTorch with half-pixel centres; golden decodes with speed.
    """
    if speed == 1:
        return np.arange(frames), np.zeros(frames, np.float32)
    count = int(frames / speed) + 1
    ratio = float(np.float32(frames / count))
    places = np.clip((np.arange(count) + 0.5) * ratio - 0.5, 0, None)
    index = np.minimum(places.astype(np.int64), frames - 1)
    return index, (places - index).astype(np.float32)


class Acoustic:
    """The prior and the vocoder of one voice; no state of its own."""

    def __init__(self, prior: GraphRunner, vocoder: GraphRunner) -> None:
        self._prior = prior
        self._vocoder = vocoder
        self.latent_width = prior.input_dim("noise", 1)

    def latent(
        self, tokens: Tokens, phones: PhoneIds, style: Style, noise: Noise, delivery: Delivery
    ) -> Latent:
        """All latent frames of an utterance.

        Args:
            tokens: int64 [T], new tokens only.
            phones: int64 [X] of the target text only.
            style: float32 [1, G, 1], the mean over the references.
            noise: gives standard normal frames.
            delivery: speed and noise scale.

        Returns:
            float32 [1, I, N'].
        """
        index, fraction = frame_grid(FRAMES_PER_TOKEN * tokens.size, delivery.speed)
        (latent,) = self._prior.run(
            {
                "tokens": tokens[None],
                "phones": phones[None],
                "style": style,
                "noise": noise(0, index.size),
                "noise_scale": np.array([delivery.noise_scale], np.float32),
                "frame_index": index,
                "frame_fraction": fraction,
            }
        )
        return latent

    def samples(self, latent: Latent, style: Style) -> Samples:
        """Samples float32 [640 N] at 32 kHz of latent frames [1, I, N]."""
        (audio,) = self._vocoder.run({"latent": latent, "style": style})
        samples: Samples = audio[0]
        return samples
