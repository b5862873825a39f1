"""Give the system back what was freed.

Loading takes far more than the weights for a while, and sentences of ever other lengths leave holes
that an allocator would keep.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def release_freed() -> None:
    """Hand over what the allocator keeps for later; does nothing where it is not glibc's."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


@contextmanager
def releasing() -> Iterator[None]:
    """Work behind which memory is given back, however it ends."""
    try:
        yield
    finally:
        release_freed()
