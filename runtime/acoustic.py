"""Semantic tokens, phones and style in, latent frames and samples out.

Knows nothing of text or of how tokens came about. Times: tokens 25 Hz, latent frames 50 Hz,
samples 32 kHz.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import Float32, Int64, Latent, PhoneIds, Samples, Style, Tokens
from runtime.backends import GraphRunner
from runtime.errors import SettingError

FRAMES_PER_TOKEN = 2
SAMPLES_PER_FRAME = 640
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


@dataclass(frozen=True, eq=False)
class Window:
    """Output frames that lie next to each other, and where they are read.

    Attributes:
        first: number of the first one in the utterance.
        index: int64 [N], encoder frame at or before each.
        fraction: float32 [N], of the way to the next one.
    """

    first: int
    index: Int64
    fraction: Float32

    def counted_from(self, frame: int) -> "Window":
        """The same for an encoder that sees nothing before this encoder frame."""
        return replace(self, index=self.index - frame)


def frame_count(frames: int, speed: float) -> int:
    """How many output frames so many encoder frames make at a speed."""
    return frames if speed == 1 else int(frames / speed) + 1


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
    count = frame_count(frames, speed)
    return _grid_of(_places(0, count, float(np.float32(frames / count))), frames)


def steady_grid(frames: int, speed: float, first: int, end: int) -> Window:
    """Output frames `first` .. `end - 1`, read in steps of exactly `speed`.

    Where a frame is read depends on its number alone, not on how much is known of the utterance.

    Args:
        frames: encoder frames that there are; none behind them is read.
        speed: as the user gave it.
        first: number of the first output frame.
        end: number after the last one.
    """
    if speed == 1:
        return Window(first, np.arange(first, end), np.zeros(end - first, np.float32))
    return Window(first, *_grid_of(_places(first, end, speed), frames))


def _places(first: int, end: int, step: float) -> NDArray[np.float64]:
    places: NDArray[np.float64] = np.maximum((np.arange(first, end) + 0.5) * step - 0.5, 0)
    return places


def _grid_of(places: NDArray[np.float64], frames: int) -> tuple[Int64, Float32]:
    index = np.minimum(places.astype(np.int64), frames - 1)
    return index, (places - index).astype(np.float32)


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
