"""What follows from times that were measured: the host's share of steps, the evenness of chunks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.measure.workload import CHUNK_TOKENS

ENDS = 10  # chunks at either end of a stream that tell whether they grow
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
    """Whether chunks of one size take one time, whatever the machine does meanwhile.

    Where a machine's own speed comes and goes, a fixed work beside each chunk feels it too: what
    is judged are ratios of the two, and how far the fixed work alone strays tells how much of an
    unevenness is not ours.

    Args:
        seconds: [turns, chunks, 2], of each chunk and of the fixed work beside it.

    Returns:
        Medians over turns in `ms`, their median from the second chunk on; the `farthest` from the
        usual, as a share, of chunks, of the fixed work, and of their ratio; whether that last is
        `constant` enough; and `growth`, the last ten beside the first ten of the ratios.
    """
    each = 1e3 * np.median(seconds[..., 0], axis=0)
    ratios = np.median(seconds[..., 0] / seconds[..., 1], axis=0)[1:]
    beside = _farthest(ratios)
    return {
        "tokens": CHUNK_TOKENS,
        "ms": each.tolist(),
        "median_ms": float(np.median(each[1:])),
        "farthest": _farthest(each[1:]),
        "farthest_fixed": _farthest(np.median(seconds[..., 1], axis=0)[1:]),
        "farthest_beside_fixed": beside,
        "constant": beside <= STEADY,
        "growth": float(np.median(ratios[-ENDS:]) / np.median(ratios[:ENDS])),
    }


def _farthest(values: NDArray[np.float64]) -> float:
    """From their median, as a share of it."""
    return float(np.abs(values / np.median(values) - 1).max())
