"""The grids of time: tokens 25 Hz, latent frames 50 Hz, samples 32 kHz; and how speed moves frames.

Numbers alone: knows nothing of models.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import Float32, Int64
from runtime.contract import ENCODER_FRAMES_PER_TOKEN

FRAMES_PER_TOKEN = ENCODER_FRAMES_PER_TOKEN
SAMPLES_PER_FRAME = 640


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
