"""How alike two sounds are: the speaker of one and another, and the same words said twice."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import Float32
from runtime.audio import Audio, resample_hq, resample_sinc
from runtime.reference import features

LOUD_NEPERS = 4.0  # below the loudest frame's mean log energy: quieter frames hold no speaker


def speaker_of(audio: Audio) -> Float32:
    """What a speaker sounds like on average: shape and liveliness of the spectrum, float32 [160].

    Mean and deviation over time of each log-mel band, loud frames only, without the level.
    """
    bank = features.filter_bank(resample_hq(audio.samples, audio.rate, features.SSL_HZ))
    level = bank.mean(1)
    loud = bank[level > level.max() - LOUD_NEPERS]
    shape = loud.mean(0)
    return np.concatenate([shape - shape.mean(), loud.std(0)])


def nearest(found: Float32, speakers: Mapping[str, Float32]) -> str:
    """The name of the speaker that it is nearest to."""
    return min(speakers, key=lambda name: float(np.linalg.norm(found - speakers[name])))


def warped_distance_db(found: Audio, wanted: Audio) -> float:
    """Mean difference of log-mel spectra in dB, where the best warp in time puts them together."""
    ours, theirs = _bands(found), _bands(wanted)
    costs = np.abs(ours[:, None] - theirs[None]).mean(-1)
    total, steps = _cheapest_way(costs)
    return total / steps


def _bands(audio: Audio) -> Float32:
    """Log-mel spectrum, float32 [frames, 80]."""
    samples = resample_sinc(audio.samples, audio.rate, features.OUTPUT_HZ)
    return features.log_mel_db(samples).T.astype(np.float32)


def _cheapest_way(costs: NDArray[np.floating]) -> tuple[float, int]:
    """Sum and number of steps of the cheapest way from the first to the last corner, [A, B]."""
    rows = costs.shape[0]
    above: list[tuple[float, int]] = []
    for i in range(rows):
        row: list[tuple[float, int]] = []
        for j, cost in enumerate(map(float, costs[i])):
            ways = [row[j - 1]] if j else []
            ways += above[max(j - 1, 0) : j + 1]
            total, steps = min(ways, default=(0.0, 0))
            row.append((total + cost, steps + 1))
        above = row
    return above[-1]
