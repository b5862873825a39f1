"""Phones and prompt in, semantic tokens out: one prefill, then one step a token, in place.

Knows nothing of audio or text. Per step the host writes one row and three numbers, and reads V
logits; nothing is allocated or copied beyond that.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import Features, Flags, Float32, Logits, PhoneIds, Tokens
from runtime.backends import GraphRunner
from runtime.backends.cpu import Binding, CpuGraph
from runtime.cache import CacheShape, KVCache, capacity_for
from runtime.errors import SettingError
from runtime.forecast import Pace
from runtime.sampler import Sampling, draw, penalised, probabilities
from runtime.step_tables import END_HELD_BACK_STEPS, StepTables

HARD_CAP_TOKENS = 1500
CUT_SHORT = frozenset({"early_stop", "cap", "max_len"})  # endings that the model did not choose

Draws = Callable[[int, int], Float32]  # (step, count) -> Exponential(1) numbers
Chooser = Callable[[Logits, Flags, int], int | None]  # (scores, used, step) -> token; None ends


@dataclass(frozen=True)
class Prompt:
    """What an utterance begins from.

    Attributes:
        phones: int64 [X], reference text then target text.
        features: float32 [1024, X].
        tokens: int64 [P] of the reference audio; empty in prompt-free mode.
        most_tokens: that the text hardly passes, for the cache's first size; None: by its phones.
    """

    phones: PhoneIds
    features: Features
    tokens: Tokens
    most_tokens: int | None = None

    @property
    def rows(self) -> int:
        """Cache rows that the prefill fills."""
        return self.phones.size + self.tokens.size


@dataclass(frozen=True)
class Limits:
    """When to stop besides the end token.

    Attributes:
        early_stop_tokens: stop when more tokens than this are there; -1 is off.
        max_len: cache rows at most: phones, prompt and new tokens together.
    """

    early_stop_tokens: int = -1
    max_len: int = 2048

    def room(self, prompt: Prompt) -> int:
        """Tokens after which an utterance ends, whatever the model says.

        Raises:
            SettingError: the prompt alone leaves no room for a token within max_len.
        """
        if prompt.rows >= self.max_len:
            raise SettingError(
                f"max_len: {prompt.phones.size} phones and {prompt.tokens.size} prompt tokens leave"
                f" no room in {self.max_len} cache rows; cut the text or build a longer max_len"
            )
        early = HARD_CAP_TOKENS if self.early_stop_tokens < 0 else self.early_stop_tokens + 1
        return min(early, HARD_CAP_TOKENS, self.max_len - prompt.rows)


@dataclass
class Ending:
    """Why the last token was the last: `eos`, or what cut it short; empty before."""

    reason: str = ""

    @property
    def cut_short(self) -> bool:
        """Whether a limit ended it, not the model."""
        return self.reason in CUT_SHORT


class Decoder:
    """The T2S graphs of one voice; weights shared, state per utterance."""

    def __init__(
        self, embed: GraphRunner, decoder: CpuGraph, tables: StepTables, shape: CacheShape
    ) -> None:
        self._embed = embed
        self._decoder = decoder
        self._tables = tables
        self.cache_shape = shape
        self._idle: list[DecodeState] = []  # list.append and list.pop are atomic

    @property
    def vocabulary(self) -> int:
        """V, the end token included."""
        return int(self._tables.audio_embedding.shape[0])

    def tokens(
        self, prompt: Prompt, choose: Chooser, limits: Limits, ending: Ending
    ) -> Generator[int, None, None]:
        """Semantic tokens one by one, without prompt and end token; closing it ends the work.

        Args:
            prompt: what to begin from.
            choose: takes the scores (a view that the next step overwrites), the tokens that
                already occurred and the number of the step; `sampled` makes one.
            limits: when to stop besides the end token.
            ending: gets the reason when the last token is out.

        Raises:
            SettingError: the prompt alone does not leave room for a token within max_len.
        """
        limits.room(prompt)
        state = self._state_for(prompt, limits)
        try:
            logits = state.prefill(*self._prefill_inputs(prompt))
            used = np.zeros(self.vocabulary, np.bool_)
            used[prompt.tokens] = True
            for step in range(HARD_CAP_TOKENS):
                token = choose(logits, used, step)
                if token is None:
                    ending.reason = "eos"
                    return
                used[token] = True
                ending.reason = limit_reached(step + 1, prompt.rows, limits)
                yield token
                if ending.reason:
                    return
                state = state.with_room(limits.max_len)
                logits = state.step(token, prompt.tokens.size + step)
        finally:
            self._idle.append(state)

    def state_at(self, rows: int) -> "DecodeState":
        """A state with `rows` live rows of no meaning, to time steps at."""
        state = DecodeState(self._decoder, self._tables, KVCache(self.cache_shape, rows + 1))
        state.cache.live_rows = rows
        for buffer in state.cache.keys + state.cache.values:
            buffer.fill(1)  # untouched zeros would all be one page, and read from the cache
        return state

    def _prefill_inputs(self, prompt: Prompt) -> tuple[Float32, Float32]:
        rows, bias = self._embed.run(
            {
                "phones": prompt.phones[None],
                "text_features": prompt.features[None],
                "prompts": prompt.tokens[None],
            }
        )
        return rows, bias

    def _state_for(self, prompt: Prompt, limits: Limits) -> "DecodeState":
        most = prompt.most_tokens
        if most is None:
            most = Pace().most(prompt.phones.size)
        capacity = capacity_for(prompt.rows + most, limits.max_len)
        try:
            state = self._idle.pop()
        except IndexError:
            state = None
        if state is None or state.cache.capacity < capacity:
            state = DecodeState(self._decoder, self._tables, KVCache(self.cache_shape, capacity))
        return state


class TokenSource(Protocol):
    """A decoder, as far as who only wants its tokens sees it."""

    def tokens(
        self, prompt: Prompt, choose: Chooser, limits: Limits, ending: Ending
    ) -> Generator[int, None, None]:
        """Semantic tokens one by one, as `Decoder.tokens` gives them."""
        ...


def forced_logits(decoder: TokenSource, prompt: Prompt, tokens: Tokens, max_len: int) -> Float32:
    """Scores before each of given tokens (teacher forcing), float32 [T, V]."""
    rows: list[Logits] = []

    def replay(logits: Logits, _used: Flags, step: int) -> int:
        rows.append(logits.copy())
        return int(tokens[step])

    limits = Limits(early_stop_tokens=tokens.size - 1, max_len=max_len)
    for _ in decoder.tokens(prompt, replay, limits, Ending()):
        pass
    return np.stack(rows)


@dataclass(frozen=True)
class Sampled:
    """Chooses as the reference samples.

    The end token is held back at first; later it ends the utterance when it is drawn, and also
    when it leads the penalised scores, whatever was drawn.

    Attributes:
        sampling: the settings.
        draws: Exponential(1) numbers for a step, float32 [count].
    """

    sampling: Sampling
    draws: Draws

    def __call__(self, logits: Logits, used: Flags, step: int) -> int | None:
        """The token of a step, or None at the end."""
        end = logits.size - 1
        count = end if step < END_HELD_BACK_STEPS else logits.size
        scores = penalised(logits[:count], used[:count], self.sampling.repetition_penalty)
        token = draw(probabilities(scores, self.sampling), self.draws(step, logits.size)[:count])
        if token == end or int(scores.argmax()) == end:
            return None
        return token


def sampled(sampling: Sampling, draws: Draws) -> Sampled:
    """The chooser of these settings."""
    return Sampled(sampling, draws)


def limit_reached(tokens: int, prompt_rows: int, limits: Limits) -> str:
    """Why an utterance of so many tokens must end, besides its end token; empty if it need not."""
    if 0 <= limits.early_stop_tokens < tokens:
        return "early_stop"
    if tokens >= HARD_CAP_TOKENS:
        return "cap"
    if prompt_rows + tokens >= limits.max_len:
        return "max_len"
    return ""


@dataclass
class DecodeState:
    """Buffers of one running utterance, bound once."""

    decoder: CpuGraph
    tables: StepTables
    cache: KVCache
    row: Float32 = field(init=False)
    live_rows: NDArray[np.int32] = field(init=False)
    logits: Float32 = field(init=False)
    visible: Float32 = field(init=False)  # a step's bias: zeros, viewed at the live length
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
        live = self.cache.live_rows
        self.live_rows[0] = live
        self.binding.bind_input("bias", self.visible[:live].reshape(1, 1, 1, live))
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
