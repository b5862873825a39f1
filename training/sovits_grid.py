"""Which samples to encode so that phones change exactly where tokens do.

A token encodes which phone stands at its middle, not where in its 40 ms the phone began. Encoded
as it was spoken, the same tokens begin a sound up to 20 ms earlier or later, and what is learned
from them blurs bursts. Speech is bent in time instead, by at most about half a token.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.labels import TOKEN, centres
from training.sovits_speech import RATE, middles


def listening_at(phones: Sequence[tuple[str, float]], tokens: int) -> NDArray[np.int64]:
    """The sample at 16 kHz to be encoded in the middle of each step of 10 ms, int64 [4T].

    Args:
        phones: names and ends in seconds.
        tokens: T.
    """
    ends = np.array([end for _, end in phones])
    which = np.searchsorted(ends, centres(tokens) / RATE, side="right")
    first = np.flatnonzero(np.diff(which)) + 1  # tokens at which a phone begins
    # of phones too short for a token, each neighbour gets half
    begins = (ends[which[first - 1]] + ends[which[first] - 1]) / 2
    last = tokens * TOKEN
    grid = np.concatenate(([0], first * TOKEN, [last]))
    spoken = np.concatenate(([0], begins * RATE, [last]))
    return np.rint(np.interp(middles(tokens), grid, spoken)).astype(np.int64)
