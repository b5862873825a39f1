"""KV cache buffers of one utterance: capacity, cached positions, growth."""

import mmap
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import CacheRows
from runtime.errors import MachineError
from runtime.loop_numbers import DecodeNumbers

CAPACITIES = DecodeNumbers.cache_capacities
HUGE_PAGE_BYTES = 2 << 20


@dataclass(frozen=True)
class CacheShape:
    """Sizes of a voice's cache.

    Attributes:
        layers, heads, head_width: L, H and A.
        dtype: of the elements, float32 or int8 as the graph states.
        huge_pages: whether it is to lie on pages of 2 MiB.
    """

    layers: int
    heads: int
    head_width: int
    dtype: str = "float32"
    huge_pages: bool = False

    @property
    def row_bytes(self) -> int:
        """What a row takes in all layers, keys and values."""
        return 2 * self.layers * self.heads * self.head_width * np.dtype(self.dtype).itemsize


def capacity_for(rows: int, limit: int) -> int:
    """The smallest capacity on offer that holds `rows`, at most `limit` (the voice's max_len)."""
    fitting = [capacity for capacity in CAPACITIES if capacity >= rows]
    return min(fitting[0] if fitting else limit, limit)


class KVCache:
    """Keys and values of all layers, allocated once and written in place by the graph.

    Attributes:
        keys, values: per layer [B, H, C, A], float32 or int8.
        live_rows: rows that are filled, at most, in any of the B.
    """

    def __init__(self, shape: CacheShape, capacity: int, sequences: int = 1) -> None:
        self.shape = shape
        self._sequences = sequences
        self.live_rows = 0
        buffers = self._buffers(capacity)
        self.keys, self.values = buffers[: shape.layers], buffers[shape.layers :]

    @property
    def capacity(self) -> int:
        """Rows that fit."""
        return int(self.keys[0].shape[2])

    @property
    def size_bytes(self) -> int:
        """Of all layers, at this capacity."""
        return self._sequences * self.capacity * self.shape.row_bytes

    def _buffers(self, capacity: int) -> list[CacheRows]:
        size = (self._sequences, self.shape.heads, capacity, self.shape.head_width)
        count = 2 * self.shape.layers
        if not self.shape.huge_pages:
            return [np.zeros(size, self.shape.dtype) for _ in range(count)]
        memory = _on_huge_pages(self._sequences * capacity * self.shape.row_bytes)
        return list(memory.view(self.shape.dtype).reshape(count, *size))

    def grown(self, capacity: int) -> "KVCache":
        """A larger cache with the same cached positions, copied once."""
        larger = KVCache(self.shape, capacity, self._sequences)
        for mine, theirs in zip(self.keys + self.values, larger.keys + larger.values, strict=True):
            theirs[:, :, : self.live_rows] = mine[:, :, : self.live_rows]
        larger.live_rows = self.live_rows
        return larger


def _on_huge_pages(size: int) -> NDArray[np.uint8]:
    """Zeros [size] that begin at a page of 2 MiB; the system is asked for such pages.

    Raises:
        MachineError: it has none.
    """
    try:
        private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        memory = mmap.mmap(-1, size + 2 * HUGE_PAGE_BYTES, flags=private)
        memory.madvise(mmap.MADV_HUGEPAGE)
    except (AttributeError, OSError) as error:
        raise MachineError("huge pages: this system has none; leave the option out") from error
    whole = np.frombuffer(memory, np.uint8)
    start = -whole.ctypes.data % HUGE_PAGE_BYTES
    return whole[start : start + size]
