"""The one distance that chooses nodes and weights, and that reports repeat."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

TINY = 1e-12  # so that a silent answer divides nothing by zero


def relative_rms(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    """Root mean square of the difference over that of what was wanted; 0 if there is nothing."""
    if not wanted.size:
        return 0.0
    difference = found.astype(np.float64) - wanted
    scale = np.sqrt(np.mean(np.square(wanted, dtype=np.float64)))
    return float(np.sqrt(np.mean(difference**2)) / max(scale, TINY))
