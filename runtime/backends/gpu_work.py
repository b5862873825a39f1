"""Who may use the GPU of this process now: all at once, or one alone while it captures.

CUDA fails what allocates or waits, in any thread, while ONNX Runtime captures a graph.
"""

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Work:
    """Many at once, or one alone; whoever wants to be alone is waited for. Not to be nested."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self._alone = False
        self._waiting = 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Run beside others."""
        with self._changed:
            self._changed.wait_for(lambda: not self._alone and not self._waiting)
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Run when nothing else does."""
        with self._changed:
            self._waiting += 1
            try:
                self._changed.wait_for(lambda: not self._alone and not self._running)
            finally:
                self._waiting -= 1
            self._alone = True
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()


@functools.cache
def gpu_work() -> Work:
    """That of this process."""
    return Work()
