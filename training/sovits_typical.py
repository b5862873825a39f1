"""What tokens usually sound like: the median of all places where the same tokens stand around.

An example of speech differs from the next for reasons that tokens do not determine; a network that
learns from medians is not pulled about by them.
"""

import numpy as np
from numpy.typing import NDArray

from training.labels import LABELS
from training.sovits_speech import Floats

FEWEST = {2: 4, 1: 2}  # neighbours to each side that must agree → how often that must happen


def typical(tokens: NDArray[np.int64], values: Floats) -> Floats:
    """Medians over places with the same neighbours, as many as have been seen often enough.

    Args:
        tokens: int64 [T].
        values: float32 [T, C]; kept where even one neighbour to each side is seen nowhere else.
    """
    out = values.copy()
    for reach, fewest in sorted(FEWEST.items()):
        key = np.zeros(len(tokens), np.int64)
        for shift in range(-reach, reach + 1):
            key = key * LABELS + np.roll(tokens, shift)
        order = np.argsort(key, kind="stable")
        starts = np.flatnonzero(np.diff(key[order], prepend=-1))
        for place in np.split(order, starts[1:]):
            if len(place) >= fewest:
                out[place] = np.median(values[place], axis=0)
    return out
