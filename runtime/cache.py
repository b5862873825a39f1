"""KV cache buffers of one utterance: capacity, live rows, growth."""

from dataclasses import dataclass

import numpy as np

from runtime.arrays import Float32

CAPACITIES = (512, 1024, 2048, 4096)


@dataclass(frozen=True)
class CacheShape:
    """Sizes of a voice's cache."""

    layers: int
    heads: int
    head_width: int


def capacity_for(rows: int, limit: int) -> int:
    """The smallest capacity on offer that holds `rows`, at most `limit` (the voice's max_len)."""
    fitting = [capacity for capacity in CAPACITIES if capacity >= rows]
    return min(fitting[0] if fitting else limit, limit)


class KVCache:
    """Keys and values of all layers, allocated once and written in place by the graph.

    Attributes:
        keys, values: per layer float32 [1, H, C, A].
        live_rows: rows that are filled.
    """

    def __init__(self, shape: CacheShape, capacity: int) -> None:
        self.shape = shape
        self.live_rows = 0
        self.keys = self._buffers(capacity)
        self.values = self._buffers(capacity)

    @property
    def capacity(self) -> int:
        """Rows that fit."""
        return int(self.keys[0].shape[2])

    def _buffers(self, capacity: int) -> list[Float32]:
        size = (1, self.shape.heads, capacity, self.shape.head_width)
        return [np.zeros(size, np.float32) for _ in range(self.shape.layers)]

    def grown(self, capacity: int) -> "KVCache":
        """A larger cache with the same live rows, copied once."""
        larger = KVCache(self.shape, capacity)
        for mine, theirs in zip(self.keys + self.values, larger.keys + larger.values, strict=True):
            theirs[:, :, : self.live_rows] = mine[:, :, : self.live_rows]
        larger.live_rows = self.live_rows
        return larger
