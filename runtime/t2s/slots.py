"""Cache and buffers of several sentences side by side, so that one run makes a step of each.

Knows nothing of threads: who calls sees to it that one call runs at a time.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import Float32, Logits
from runtime.backends.cpu import Binding, CpuGraph
from runtime.t2s.cache import CacheShape, KVCache, capacity_for
from runtime.t2s.step_tables import StepTables


class Slots:
    """Room for a number of sentences; each has its place until it moves.

    Attributes:
        cached: int32 [S], cached positions of each place.
        logits: float32 [S, V], of each place's last row.
    """

    def __init__(self, shape: CacheShape, tables: StepTables, count: int) -> None:
        """Begin without a cache: it is made when the first sentence comes.

        Args:
            shape: of the cache.
            tables: rows of a step.
            count: places.
        """
        self._shape, self._tables = shape, tables
        vocabulary, hidden = tables.audio_embedding.shape
        self.cached: NDArray[np.int32] = np.zeros(count, np.int32)
        self.logits: Float32 = np.zeros((count, vocabulary), np.float32)
        self._rows: Float32 = np.zeros((count, hidden), np.float32)
        self._cache: KVCache | None = None
        self._bound: dict[tuple[int, int, int], Binding] = {}  # session, first place, end

    @property
    def count(self) -> int:
        """Places."""
        return int(self.cached.size)

    @property
    def capacity(self) -> int:
        """Rows of each place; 0 before the first sentence."""
        return self._cache.capacity if self._cache else 0

    @property
    def size_bytes(self) -> int:
        """What the cache takes; pages that were never written cost nothing."""
        return self.count * self.capacity * self._shape.row_bytes

    @cached_property
    def _visible(self) -> Float32:
        """A step's bias: zeros, viewed at the length of the longest sentence."""
        return np.zeros(self.capacity, np.float32)

    def reserve(self, rows: int, limit: int) -> None:
        """Make room for so many rows in every place; what is there stays."""
        if rows <= self.capacity:
            return
        capacity = capacity_for(rows, limit)
        if self._cache is None:
            self._cache = KVCache(self._shape, capacity, self.count)
        else:
            self._cache.live_rows = int(self.cached.max())
            self._cache = self._cache.grown(capacity)
        self._forget()

    def release(self) -> None:
        """Give the cache back; no sentence may be left."""
        self._cache = None
        self._forget()

    def _forget(self) -> None:
        self._bound.clear()
        self.__dict__.pop("_visible", None)

    def draw(self, lengths: Sequence[int], generator: np.random.Generator) -> None:
        """Fill each place with rows of no meaning, to try steps with."""
        self.reserve(max(lengths) + 2, max(lengths) + 2)
        if self._cache is None:
            raise ValueError("no place was reserved")
        spread = 40 if self._shape.dtype == "int8" else 1
        for place, length in enumerate(lengths):
            for buffer in self._cache.keys + self._cache.values:
                drawn = spread * generator.standard_normal(buffer[place, :, :length].shape)
                buffer[place, :, :length] = drawn.clip(-127, 127)
            self.cached[place] = length

    def put_row(self, place: int, token: int, position: int) -> None:
        """What the next step of a place begins from."""
        tables = self._tables
        np.add(tables.audio_embedding[token], tables.position_rows[position], self._rows[place])

    def prefill(self, graph: CpuGraph, place: int, rows: Float32, bias: Float32) -> Logits:
        """Fill one place with a sentence's first rows; logits [V] of the last one."""
        rows, bias = np.ascontiguousarray(rows), np.ascontiguousarray(bias)
        self.cached[place] = rows.shape[0]
        binding = self._binding(graph, place, place + 1, rows)
        binding.bind_input("bias", bias)
        binding.run()
        logits: Logits = self.logits[place].copy()
        return logits

    def step(self, graph: CpuGraph, first: int, end: int) -> None:
        """One more row in each place from `first` to before `end`, of what `put_row` put there."""
        self.cached[first:end] += 1
        longest = int(self.cached[first:end].max())
        key = (id(graph), first, end)
        if key not in self._bound:
            self._bound[key] = self._binding(graph, first, end, self._rows[first:end])
        binding = self._bound[key]
        binding.bind_input("bias", self._visible[:longest].reshape(1, 1, 1, longest))
        binding.run()

    def _binding(self, graph: CpuGraph, first: int, end: int, rows: Float32) -> Binding:
        if self._cache is None:
            raise ValueError("no place was reserved")
        binding = graph.binding()
        binding.bind_input("rows", rows)
        binding.bind_input("live_rows", self.cached[first:end])
        binding.bind_output("logits", self.logits[first:end])
        for layer in range(self._shape.layers):
            for kind, buffers in (("keys", self._cache.keys), ("values", self._cache.values)):
                part = buffers[layer][first:end]
                binding.bind_input(f"past_{kind}.{layer}", part)
                binding.bind_output(f"present_{kind}.{layer}", part)
        return binding

    def move(self, place: int, to: int) -> None:
        """Take a sentence to another place; its own is then free."""
        if self._cache is None:
            raise ValueError("no place was reserved")
        cached = int(self.cached[place])
        for buffer in self._cache.keys + self._cache.values:
            buffer[to, :, :cached] = buffer[place, :, :cached]
        self.cached[to] = cached
        self._rows[to] = self._rows[place]
