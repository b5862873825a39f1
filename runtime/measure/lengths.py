"""Lengths of sentences as users have them: none comes again.

A back end that prepares itself for each length looks fast where one length is repeated.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from runtime.acoustic.kind import SizedWork


def unseen(tokens: int, count: int) -> tuple[int, ...]:
    """So many lengths around `tokens`, each once.

    They lie between half of `tokens` and one and a half of it, nearest first; where there are not
    so many, they come again from the beginning.
    """
    steps = (sign * step for step in range(1, tokens // 2 + 1) for sign in (1, -1))
    different = [tokens, *(tokens + step for step in steps)]
    again = cycle(different)
    return tuple(next(again) for _ in range(count))


@dataclass(frozen=True)
class Runs:
    """A work that takes its next length at each call.

    Attributes:
        work: of so many tokens.
        lengths: of its calls, in order.
    """

    work: SizedWork
    lengths: Sequence[int]
    _left: Iterator[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_left", iter(self.lengths))

    def __call__(self) -> object:
        """Do the work once more."""
        return self.work(next(self._left))


def at_length(
    seconds: NDArray[np.float64], lengths: Sequence[int], tokens: int
) -> NDArray[np.float64]:
    """Seconds [rounds] of sentences of these lengths, as of `tokens`: time goes with the length."""
    usual: NDArray[np.float64] = seconds * tokens / np.array(lengths[-seconds.size :])
    return usual
