"""The mel grid of v3 and v4: how many frames tokens make, where each is read, and in what units.

Numbers alone: knows nothing of models.
"""

from dataclasses import dataclass

import numpy as np

from runtime.arrays import Float32, Int64
from runtime.frames import FRAMES_PER_TOKEN, frame_grid

MELS = 100
QUIETEST, LOUDEST = -12.0, 2.0  # log-mel that is -1 and 1 to the models; values may lie outside
TOKENS_HZ = 25


@dataclass(frozen=True)
class MelFrames:
    """What differs between the two families.

    Attributes:
        prompt_hz: rate of the reference audio that the prompt's mel is taken from.
        fft: samples of its spectra, and of their window.
        hop: samples from one of its frames to the next.
        stretch: mel frames to encoded frames (50 Hz), as a fraction.
        shown_per_token: mel frames of a token that the reference's mask lets through.
        prompt_frames: most frames of a prompt.
        chunk_frames: frames of prompt and new ones together in one run of the sampler.
        samples_per_frame: what the vocoder makes of a frame.
        context_frames: what the vocoder sees to each side of a frame.
        sampling_rate_hz: of the sound.
        steps: of the sampler, where a request says nothing.
    """

    prompt_hz: int
    fft: int
    hop: int
    stretch: tuple[int, int]
    shown_per_token: float
    prompt_frames: int
    chunk_frames: int
    samples_per_frame: int
    context_frames: int
    sampling_rate_hz: int
    steps: int


MEL_FRAMES: dict[str, MelFrames] = {
    "v3": MelFrames(
        prompt_hz=24_000,
        fft=1024,
        hop=256,
        stretch=(15, 8),
        shown_per_token=3.875,  # more than the 3.75 that there are: so does the reference
        prompt_frames=468,
        chunk_frames=934,
        samples_per_frame=256,
        context_frames=38,
        sampling_rate_hz=24_000,
        steps=32,
    ),
    "v4": MelFrames(
        prompt_hz=32_000,
        fft=1280,
        hop=320,
        stretch=(2, 1),
        shown_per_token=4.0,
        prompt_frames=500,
        chunk_frames=1000,
        samples_per_frame=480,
        context_frames=12,
        sampling_rate_hz=48_000,
        steps=8,
    ),
}


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
    more, less = frames.stretch
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
