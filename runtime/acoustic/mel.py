"""The mel grid of v3 and v4: how many frames tokens make, where each is read, and in what units.

Numbers alone: knows nothing of models.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from runtime.arrays import Float32, Int64
from runtime.errors import BundleError
from runtime.frames import FRAMES_PER_TOKEN, frame_grid
from runtime.loop_numbers import MelNumbers
from runtime.manifest import Acoustic

QUIETEST, LOUDEST = (
    MelNumbers.quietest,
    MelNumbers.loudest,
)  # log-mel that is -1 and 1 to the models; values may lie outside


@dataclass(frozen=True)
class MelFrames:
    """What differs between the two families; in a manifest, `acoustic.sizes` but for the last two.

    Attributes:
        prompt_hz: rate of the reference audio that the prompt's mel is taken from.
        fft: samples of its spectra, and of their window.
        hop: samples from one of its frames to the next.
        stretch_more, stretch_less: mel frames to encoded frames (50 Hz), as a fraction.
        shown_per_token: mel frames of a token that the reference's mask lets through.
        prompt_frames: most frames of a prompt.
        chunk_frames: frames of prompt and new ones together in one run of the sampler.
        context_frames: what the vocoder sees to each side of a frame.
        steps: of the sampler, where a request says nothing.
        samples_per_frame: what the vocoder makes of a frame.
        sampling_rate_hz: of the sound.
    """

    prompt_hz: int
    fft: int
    hop: int
    stretch_more: int
    stretch_less: int
    shown_per_token: float
    prompt_frames: int
    chunk_frames: int
    context_frames: int
    steps: int
    samples_per_frame: int
    sampling_rate_hz: int

    @classmethod
    def of(cls, acoustic: Acoustic) -> "MelFrames":
        """As a manifest has them.

        Raises:
            BundleError: one is missing.
        """
        of_rate = {
            "samples_per_frame": acoustic.samples_per_frame,
            "sampling_rate_hz": acoustic.sampling_rate_hz,
        }
        found: dict[str, Any] = {}
        for known in fields(cls):
            value = of_rate.get(known.name, acoustic.sizes.get(known.name))
            if value is None:
                raise BundleError(f"acoustic.sizes: no {known.name!r}; build the bundle again")
            found[known.name] = value if known.name == "shown_per_token" else int(value)
        return cls(**found)


@dataclass(frozen=True, eq=False)
class MelGrid:
    """Where the mel frames of an utterance are read among its encoded frames.

    Attributes:
        index: int64 [N], encoded frame at or before each.
        fraction: float32 [N], of the way to the next one.
        mask: float32 [1, 1, N]; 0 in a last frame that the reference leaves empty.
    """

    index: Int64
    fraction: Float32
    mask: Float32


def mel_grid(tokens: int, speed: float, frames: MelFrames) -> MelGrid:
    """The mel frames of so many tokens.

    Args:
        tokens: T, new semantic tokens.
        speed: above 1 is faster; as the user gave it, since lengths are cut in double.
        frames: of the family.

    Source: two resizes of the reference, linear for the speed, then nearest to the mel's rate;
    golden `sovits_v3v4/v3_encp.npz`.
    """
    index, fraction = frame_grid(FRAMES_PER_TOKEN * tokens, speed)
    more, less = frames.stretch_more, frames.stretch_less
    nearest = np.arange(index.size * more // less) * less // more
    shown = int(frames.shown_per_token * tokens / speed) + (speed != 1)
    mask = (np.arange(nearest.size) < shown).astype(np.float32)
    return MelGrid(index[nearest], fraction[nearest], mask[None, None])


def normalised(log_mel: Float32) -> Float32:
    """A log-mel as the models take it, float32 of the same shape."""
    scaled = (log_mel - QUIETEST) / (LOUDEST - QUIETEST) * 2 - 1
    return np.asarray(scaled, np.float32)


def denormalised(mel: Float32) -> Float32:
    """A mel of the models as the log-mel that vocoders take, float32 of the same shape."""
    return np.asarray((mel + 1) / 2 * (LOUDEST - QUIETEST) + QUIETEST, np.float32)
