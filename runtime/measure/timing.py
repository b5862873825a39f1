"""Time several ways of doing the same work fairly: in one process, interleaved, medians of ratios.

Knows nothing of what is timed: any callables.
"""

import gc
import time
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Work = Callable[[], object]
Name = TypeVar("Name", bound=Hashable)
BUFFER_BYTES = 512 << 20  # far over any last-level cache


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of repeated measurements."""

    median: float
    lower: float
    upper: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> "Spread":
        """Of at least one value."""
        lower, median, upper = np.percentile(values, [25, 50, 75])
        return cls(float(median), float(lower), float(upper))

    def times(self, factor: float) -> "Spread":
        """In another unit, or of one of several works."""
        return Spread(factor * self.median, factor * self.lower, factor * self.upper)


@dataclass(frozen=True)
class Timed:
    """Times of each way in seconds, one per round, in the order of the rounds."""

    seconds: Mapping[Any, NDArray[np.float64]]

    def spread(self, name: Hashable) -> Spread:
        """Seconds of one way."""
        return Spread.of(self.seconds[name])

    def ratio(self, name: Hashable, to: Hashable) -> Spread:
        """How many times faster `name` is than `to`, from pairs of the same round."""
        return Spread.of(self.seconds[to] / self.seconds[name])


def interleaved(ways: Mapping[Name, Work], rounds: int, warmup: int = 2) -> Timed:
    """Run every way once per round; the first rounds are thrown away.

    The order rotates round by round, so that none always follows the same other one.
    """
    taken: dict[Name, list[float]] = {name: [] for name in ways}
    names = list(ways)
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for number in range(warmup + rounds):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                begin = time.perf_counter()
                ways[name]()
                if number >= warmup:
                    taken[name].append(time.perf_counter() - begin)
    finally:
        if was_enabled:
            gc.enable()
    return Timed({name: np.array(seconds) for name, seconds in taken.items()})


def memory_bandwidth(threads: int, rounds: int = 9, buffer_bytes: int = BUFFER_BYTES) -> float:
    """Bytes per second that this process can read: buffers far over any cache, summed in threads.

    Reading is what a decode step does with its weights, so this is its ceiling.
    """
    buffers = [np.ones(buffer_bytes // 8 // threads, np.float64) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:

        def read_all() -> None:
            list(pool.map(np.sum, buffers))  # numpy lets go of the lock while it sums

        seconds = interleaved({"read": read_all}, rounds).seconds["read"]
    return buffer_bytes / float(seconds.min())
