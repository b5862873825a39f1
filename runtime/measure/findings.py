"""What follows from times that were measured: the host's share of steps, the evenness of chunks."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from runtime.measure.reports import Chunks, StepMilliseconds
from runtime.measure.workload import CHUNK_TOKENS

ENDS = 10  # chunks at either end of a stream, which show whether they grow
STEADY = 0.1  # chunks of a stream may take so much more or less than usual


def host_shares(
    steps: Mapping[int, StepMilliseconds], sampler_ms_per_token: float
) -> dict[int, float]:
    """Cached positions → share of a sampled step that is not its graph's run: sampler and Python.

    Args:
        steps: with the time of the graph alone where it was measured.
        sampler_ms_per_token: of one draw.
    """
    return {
        rows: 1 - step.run_ms / (step.median + sampler_ms_per_token)
        for rows, step in steps.items()
        if step.run_ms is not None
    }


def judged_chunks(seconds: NDArray[np.float64]) -> Chunks:
    """Whether chunks of one size take one time, whatever the machine does meanwhile.

    Where a machine's own speed comes and goes, a fixed work beside each chunk feels it too: what
    is judged are ratios of the two, and how far the fixed work alone strays shows how much of an
    unevenness is not ours.

    Args:
        seconds: [runs, chunks, 2], of each chunk and of the fixed work beside it.

    Returns:
        Medians over runs, and how even they are.
    """
    each = 1e3 * np.median(seconds[..., 0], axis=0)
    ratios = np.median(seconds[..., 0] / seconds[..., 1], axis=0)[1:]
    beside = _farthest(ratios)
    return Chunks(
        tokens=CHUNK_TOKENS,
        ms=tuple(each.tolist()),
        median_ms=float(np.median(each[1:])),
        farthest=_farthest(each[1:]),
        farthest_fixed=_farthest(np.median(seconds[..., 1], axis=0)[1:]),
        farthest_beside_fixed=beside,
        constant=beside <= STEADY,
        growth=float(np.median(ratios[-ENDS:]) / np.median(ratios[:ENDS])),
    )


def _farthest(values: NDArray[np.float64]) -> float:
    """From their median, as a share of it."""
    return float(np.abs(values / np.median(values) - 1).max())
