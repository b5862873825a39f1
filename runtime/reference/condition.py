"""Whether a reference can be encoded: silence is cut, faults of a recording are named.

Knows nothing of models: a sound in, the sound that is encoded and what was found.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import Samples
from runtime.audio import Audio
from runtime.errors import AudioError

FRAME_S = 0.02
SILENT_DB = -65.0  # below that even the loudest frame is no speech
QUIET_DB = -42.0
BELOW_SPEECH_DB = 40.0  # a frame so far below the loudest is a pause
FLOOR_DB = -60.0
EDGE_S = 0.3  # silence kept before and after speech
PAUSE_S = 0.6  # and inside it
CLIPPED = 0.999
CLIPPED_SHARE = 0.005
NOISY_DB = 12.0
SHORTEST_S = 0.1


@dataclass(frozen=True)
class Condition:
    """A reference as it is encoded.

    Attributes:
        audio: the sound without long silence; the same object where nothing is cut.
        cut_s: seconds of silence that were cut.
        faults: what is wrong with the recording and what to do, a line each.
    """

    audio: Audio
    cut_s: float
    faults: tuple[str, ...]


def condition(audio: Audio) -> Condition:
    """Cut leading, trailing and long inner silence; find what spoils a reference.

    Raises:
        AudioError: there is nothing but silence in it.
    """
    levels = _levels(audio)
    loudest = float(levels.max(initial=-np.inf))
    if loudest < SILENT_DB:
        raise AudioError(f"{audio.source}: it is silent; give a recording of speech")
    loud = levels > max(loudest - BELOW_SPEECH_DB, FLOOR_DB)
    kept = _kept(loud)
    faults = tuple(_faults(audio, levels, loud))
    if kept.all():
        return Condition(audio, 0.0, faults)
    frame = _frame(audio)
    mask = np.repeat(kept, frame)[: audio.samples.size]
    rest = np.ones(audio.samples.size - mask.size, np.bool_) & kept[-1]
    samples: Samples = audio.samples[np.concatenate([mask, rest])]
    shorter = Audio(samples, audio.rate, audio.source)
    return Condition(shorter, audio.seconds - shorter.seconds, faults)


def _frame(audio: Audio) -> int:
    return max(int(FRAME_S * audio.rate), 1)


def _levels(audio: Audio) -> NDArray[np.float64]:
    """Level of each whole frame in dB of full scale."""
    frame = _frame(audio)
    count = audio.samples.size // frame
    frames = audio.samples[: count * frame].reshape(count, frame).astype(np.float64)
    levels: NDArray[np.float64] = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    return levels


def _kept(loud: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Frames to encode: those with speech, and some silence around and between them."""
    kept = loud.copy()
    edge, pause = round(EDGE_S / FRAME_S), round(PAUSE_S / FRAME_S)
    spoken = np.flatnonzero(loud)
    first, last = int(spoken[0]), int(spoken[-1])
    kept[max(first - edge, 0) : first] = True
    kept[last + 1 : last + 1 + edge] = True
    for one, two in pairwise(spoken):
        kept[one + 1 : min(one + 1 + pause, two)] = True
    return kept


def _faults(audio: Audio, levels: NDArray[np.float64], loud: NDArray[np.bool_]) -> list[str]:
    faults = []
    speech = float(np.median(levels[loud]))
    if float(np.mean(np.abs(audio.samples) >= CLIPPED)) > CLIPPED_SHARE:
        faults.append(f"{audio.source}: it is clipped; record it at a lower level")
    if speech < QUIET_DB:
        faults.append(f"{audio.source}: it is very quiet ({speech:.0f} dB); record it louder")
    quietest, loud = np.percentile(levels, [5, 95])
    if loud - quietest < NOISY_DB:
        faults.append(
            f"{audio.source}: speech is only {loud - quietest:.0f} dB above the noise; record it in"
            " a quiet room"
        )
    return faults
