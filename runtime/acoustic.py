"""Semantic tokens, phones and style in, latent frames and samples out.

Knows nothing of text or of how tokens came about.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from runtime.arrays import Float32, Latent, PhoneIds, Samples, Style, Tokens
from runtime.backends import GraphRunner
from runtime.errors import SettingError
from runtime.frames import FRAMES_PER_TOKEN, Window, frame_grid, steady_grid

SPEEDS = (0.25, 4.0)
CONTEXT_FRAMES = 11  # what the vocoder sees to each side of a frame, in every family

Noise = Callable[[int, int], Float32]  # (first frame, frames) -> standard normal [1, I, N]


@dataclass(frozen=True)
class Delivery:
    """How the tokens are spoken.

    Attributes:
        speed: above 1 is faster; 1 leaves the frames as they are.
        noise_scale: share of the prior's spread that is used; 0 gives its mean.
        steady: read frames at steps of exactly the speed, as a stream has to, instead of fitting
            them between first and last, as the reference does: under a frame apart at the end.
    """

    speed: float = 1.0
    noise_scale: float = 0.5
    steady: bool = False

    def __post_init__(self) -> None:
        low, high = SPEEDS
        if not low <= self.speed <= high:
            raise SettingError(f"speed: {self.speed} is not between {low:g} and {high:g}")
        if not 0 <= self.noise_scale <= 2:
            raise SettingError(f"noise_scale: {self.noise_scale} is not between 0 and 2")


@dataclass(frozen=True, eq=False)
class Manner:
    """What all tokens of one utterance are spoken under.

    Attributes:
        phones: int64 [X] of the target text only.
        style: float32 [1, G, 1], the mean over the references.
        noise: gives standard normal frames by their number in the utterance.
        delivery: speed and noise scale.
    """

    phones: PhoneIds
    style: Style
    noise: Noise
    delivery: Delivery


class Acoustic:
    """The prior and the vocoder of one voice; no state of its own."""

    def __init__(self, prior: GraphRunner, vocoder: GraphRunner) -> None:
        self._prior = prior
        self._vocoder = vocoder
        self.latent_width = prior.input_dim("noise", 1)

    def latent(self, tokens: Tokens, manner: Manner) -> Latent:
        """All latent frames float32 [1, I, N'] of an utterance's new tokens, int64 [T]."""
        frames, delivery = FRAMES_PER_TOKEN * tokens.size, manner.delivery
        window = Window(0, *frame_grid(frames, delivery.speed))
        if delivery.steady:
            window = steady_grid(frames, delivery.speed, 0, window.index.size)
        return self.latent_window(tokens, manner, window)

    def latent_window(self, tokens: Tokens, manner: Manner, window: Window) -> Latent:
        """Some latent frames, float32 [1, I, N].

        Args:
            tokens: int64 [T], those that the encoder sees.
            manner: of the utterance.
            window: the frames that are wanted, encoder frames counted from the first token.
        """
        (latent,) = self._prior.run(
            {
                "tokens": tokens[None],
                "phones": manner.phones[None],
                "style": manner.style,
                "noise": manner.noise(window.first, window.index.size),
                "noise_scale": np.array([manner.delivery.noise_scale], np.float32),
                "frame_index": window.index,
                "frame_fraction": window.fraction,
            }
        )
        return latent

    def samples(self, latent: Latent, style: Style) -> Samples:
        """Samples float32 [640 N] at 32 kHz of latent frames [1, I, N]."""
        (audio,) = self._vocoder.run({"latent": latent, "style": style})
        samples: Samples = audio[0]
        return samples
