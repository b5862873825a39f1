"""What loading has freed goes back to the system."""

import ctypes
import sys

import pytest

from runtime.backends.memory import release_freed
from runtime.measure.fresh_process import rss_bytes

BLOCKS, BLOCK_BYTES = 1000, 100_000  # each below what glibc maps by itself


@pytest.mark.skipif(sys.platform != "linux", reason="unverified: memory given back elsewhere")
def test_freed_memory_is_given_back() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, (ctypes.c_void_p,)
    blocks = [libc.malloc(BLOCK_BYTES) for _ in range(BLOCKS)]
    for block in blocks:
        ctypes.memset(block, 1, BLOCK_BYTES)
    last = blocks.pop()  # keeps the top of the heap, and so the rest below it
    for block in blocks:
        libc.free(block)
    kept = rss_bytes("VmRSS") or 0
    release_freed()
    assert kept - (rss_bytes("VmRSS") or 0) > BLOCKS * BLOCK_BYTES // 2
    libc.free(last)
