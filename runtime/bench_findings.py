"""What follows from times that were measured: the host's share of steps, the evenness of chunks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.workload import CHUNK_TOKENS

STEADY = 0.1  # chunks of a stream may take so much more or less than usual


def host_shares(found: Mapping[str, Any]) -> dict[str, float]:
    """Rows → share of a sampled step that is not its graph's run: sampler and Python.

    Args:
        found: a rival's part of the report, with `run_ms` of bare runs beside its steps.
    """
    sampler = found["sampler_ms_per_token"]
    return {
        rows: 1 - row["run_ms"] / (row["median"] + sampler)
        for rows, row in found["step_ms"].items()
    }


def judged_chunks(seconds: NDArray[np.float64]) -> dict[str, Any]:
    """Whether chunks of one size take one time.

    Args:
        seconds: [turns, chunks].

    Returns:
        Medians over turns in `ms`; the median from the second chunk on, the `farthest` from it as
        a share, and whether that is `constant` enough.
    """
    each = 1e3 * np.median(seconds, axis=0)
    usual = float(np.median(each[1:]))
    farthest = float(np.abs(each[1:] / usual - 1).max())
    return {
        "tokens": CHUNK_TOKENS,
        "ms": each.tolist(),
        "median_ms": usual,
        "farthest": farthest,
        "constant": farthest <= STEADY,
    }
