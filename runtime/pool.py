"""Buffers that wait to be used again, within a stated size."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

IDLE_BYTES = 256 << 20  # that one pool keeps at most

Kept = TypeVar("Kept")


def _any(_kept: object) -> bool:
    return True


class Pool(Generic[Kept]):
    """Safe from several threads; whoever takes something out has it alone.

    What is in use is not counted: it is as much as runs at once.
    """

    def __init__(self, limit_bytes: int = IDLE_BYTES) -> None:
        """Begin empty.

        Args:
            limit_bytes: that idle ones hold together; the one that was given last stays anyway.
        """
        self._limit = limit_bytes
        self._idle: list[tuple[Kept, int]] = []
        self._lock = threading.Lock()

    @property
    def idle_bytes(self) -> int:
        """What is kept now."""
        with self._lock:
            return sum(size for _, size in self._idle)

    def take(self, make: Callable[[], Kept], fits: Callable[[Kept], bool] = _any) -> Kept:
        """An idle one that fits, the smallest of those; or a new one."""
        with self._lock:
            fitting = [entry for entry in self._idle if fits(entry[0])]
            if fitting:
                taken = min(fitting, key=lambda entry: entry[1])
                self._idle = [entry for entry in self._idle if entry is not taken]
                return taken[0]
        return make()

    def give(self, kept: Kept, size_bytes: int) -> None:
        """Give it back; those that were given first are let go where they are too many."""
        with self._lock:
            self._idle.append((kept, size_bytes))
            held = sum(size for _, size in self._idle)
            while held > self._limit and len(self._idle) > 1:
                held -= self._idle.pop(0)[1]
