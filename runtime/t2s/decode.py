"""Phones and prompt in, semantic tokens out: one prefill, then one step a token, in place.

Knows nothing of audio or text. Per step the host writes one row and three numbers, and reads V
logits; nothing is allocated or copied beyond that.
"""

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import Float32, Logits
from runtime.backends import GraphRunner
from runtime.backends.cpu import Binding, CpuGraph
from runtime.pool import Pool
from runtime.t2s.batch import BatchedDecoder, Plan, Sessions
from runtime.t2s.cache import CacheShape, KVCache, capacity_for
from runtime.t2s.request import (
    Chooser,
    Finish,
    Limits,
    Prompt,
    decoded,
    most_rows,
    prefill_inputs,
)
from runtime.t2s.step_tables import StepTables


class Decoder:
    """The T2S graphs of one voice; weights shared, state per utterance."""

    def __init__(
        self, embed: GraphRunner, decoder: CpuGraph, tables: StepTables, shape: CacheShape
    ) -> None:
        self._embed = embed
        self._decoder = decoder
        self._tables = tables
        self.cache_shape = shape
        self._idle: Pool[DecodeState] = Pool()

    @property
    def vocabulary(self) -> int:
        """V, the end token included."""
        return int(self._tables.audio_embedding.shape[0])

    def tokens(
        self, prompt: Prompt, choose: Chooser, limits: Limits, finish: Finish
    ) -> Generator[int, None, None]:
        """Semantic tokens one by one, without prompt and end token; closing it ends the work.

        Args:
            prompt: what to begin from.
            choose: takes the logits (a view that the next step overwrites), the tokens that
                already occurred and the number of the step; `sampled` makes one.
            limits: when to stop besides the end token.
            finish: gets the reason when the last token is out.

        Raises:
            SettingError: the prompt alone does not leave room for a token within max_len.
        """
        limits.room(prompt)
        inputs = prefill_inputs(self._embed, prompt)
        state = self._state_for(most_rows(prompt, limits), limits.max_len)
        running = _Running(state, inputs, limits.max_len)
        try:
            yield from decoded(prompt, choose, limits, finish, running)
        finally:
            self._idle.give(running.state, running.state.cache.size_bytes)

    def batched(self, narrow: CpuGraph, plan: Plan) -> BatchedDecoder:
        """The same voice for several sentences at once.

        Args:
            narrow: the decoder's graph in a session of one thread.
            plan: how many.
        """
        sessions = Sessions(self._decoder, narrow)
        return BatchedDecoder(self._embed, sessions, self._tables, self.cache_shape, plan)

    def state_at(self, rows: int) -> "DecodeState":
        """A state with `rows` cached positions of no meaning, to time steps at."""
        state = DecodeState(self._decoder, self._tables, KVCache(self.cache_shape, rows + 1))
        state.cache.live_rows = rows
        for buffer in state.cache.keys + state.cache.values:
            buffer.fill(1)  # untouched zeros would all be one page, and read from the cache
        return state

    def _state_for(self, rows: int, limit: int) -> "DecodeState":
        capacity = capacity_for(rows, limit)
        return self._idle.take(
            lambda: DecodeState(self._decoder, self._tables, KVCache(self.cache_shape, capacity)),
            lambda state: state.cache.capacity >= capacity,
        )


@dataclass
class _Running:
    """One utterance over a state that may grow.

    Attributes:
        state: now.
        inputs: of the prefill.
        limit: rows at most.
    """

    state: "DecodeState"
    inputs: tuple[Float32, Float32]
    limit: int

    def prefill(self) -> Logits:
        """Logits [V] after the prompt."""
        return self.state.prefill(*self.inputs)

    def step(self, token: int, position: int) -> Logits:
        """Logits [V] after one more token; a view that the next step overwrites."""
        self.state = self.state.with_room(self.limit)
        return self.state.step(token, position)


@dataclass
class DecodeState:
    """Buffers of one running utterance, bound once."""

    decoder: CpuGraph
    tables: StepTables
    cache: KVCache
    row: Float32 = field(init=False)
    live_rows: NDArray[np.int32] = field(init=False)
    logits: Float32 = field(init=False)
    visible: Float32 = field(init=False)  # a step's bias: zeros, viewed at the context length
    binding: Binding = field(init=False)

    def __post_init__(self) -> None:
        vocabulary, hidden = self.tables.audio_embedding.shape
        self.row = np.zeros((1, hidden), np.float32)
        self.live_rows = np.zeros(1, np.int32)
        self.logits = np.zeros((1, vocabulary), np.float32)
        self.visible = np.zeros(self.cache.capacity, np.float32)
        self.binding = self._bound(self.row)

    def _bound(self, rows: Float32) -> Binding:
        binding = self.decoder.binding()
        binding.bind_input("rows", rows)
        binding.bind_input("live_rows", self.live_rows)
        binding.bind_output("logits", self.logits)
        for layer in range(self.cache.shape.layers):
            for kind, buffers in (("keys", self.cache.keys), ("values", self.cache.values)):
                binding.bind_input(f"past_{kind}.{layer}", buffers[layer])
                binding.bind_output(f"present_{kind}.{layer}", buffers[layer])
        return binding

    def prefill(self, rows: Float32, bias: Float32) -> Logits:
        """Fill the cache with the prompt's rows; logits [V] of the last one."""
        rows, bias = np.ascontiguousarray(rows), np.ascontiguousarray(bias)
        binding = self._bound(rows)
        binding.bind_input("bias", bias)
        self.cache.live_rows = rows.shape[0]
        self.live_rows[0] = rows.shape[0]
        binding.run()
        return self._last_logits()

    def step(self, token: int, position: int) -> Logits:
        """Logits [V] after one more token."""
        np.add(self.tables.audio_embedding[token], self.tables.position_rows[position], self.row[0])
        self.cache.live_rows += 1
        cached = self.cache.live_rows
        self.live_rows[0] = cached
        self.binding.bind_input("bias", self.visible[:cached].reshape(1, 1, 1, cached))
        self.binding.run()
        return self._last_logits()

    def _last_logits(self) -> Logits:
        """A view that the next run overwrites."""
        logits: Logits = self.logits[0]
        return logits

    def with_room(self, limit: int) -> "DecodeState":
        """This state, or a grown copy where the cache is full."""
        if self.cache.live_rows < self.cache.capacity:
            return self
        capacity = capacity_for(self.cache.capacity + 1, limit)
        return DecodeState(self.decoder, self.tables, self.cache.grown(capacity))
