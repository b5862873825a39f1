"""Give the system back what was freed: loading takes far more than the weights for a while."""

import ctypes
import sys


def release_freed() -> None:
    """Hand over what the allocator keeps for later; does nothing where it is not glibc's."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
