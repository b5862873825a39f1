"""What a decoder is asked for: prompt, limits, and how a token is chosen; its finish reason."""

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from runtime.arrays import Features, Flags, Float32, Logits, PhoneIds, Tokens
from runtime.backends import GraphRunner
from runtime.errors import GraphError, SettingError
from runtime.loop_numbers import DecodeNumbers
from runtime.t2s.forecast import Pace
from runtime.t2s.sampler import Sampling, draw, penalised, probabilities
from runtime.t2s.step_tables import END_HELD_BACK_STEPS

HARD_CAP_TOKENS = DecodeNumbers.hard_cap_tokens
UNFINISHED = frozenset({"early_stop", "cap", "max_len"})  # limits that more text runs into
TRUNCATED = UNFINISHED | {"pace"}  # finish reasons that the model did not choose
Draws = Callable[[int, int], Float32]  # (step, count) -> Exponential(1) numbers
Chooser = Callable[[Logits, Flags, int], int | None]  # (logits, used, step) -> token; None ends


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
        pace_tokens: stop at so many, which the text explains at the slowest; -1 is off.
    """

    early_stop_tokens: int = -1
    max_len: int = 2048
    pace_tokens: int = -1

    def room(self, prompt: Prompt) -> int:
        """Tokens after which an utterance ends, whatever the model gives.

        Raises:
            SettingError: the prompt alone leaves no room for a token within max_len.
        """
        if prompt.rows >= self.max_len:
            raise SettingError(
                f"max_len: {prompt.phones.size} phones and {prompt.tokens.size} prompt tokens leave"
                f" no room in {self.max_len} cache rows; cut the text or build a longer max_len"
            )
        paced = HARD_CAP_TOKENS if self.pace_tokens < 0 else self.pace_tokens
        return min(self._most_tokens, self.max_len - prompt.rows, paced)

    def phones(self, pace: Pace, rows: int) -> int:
        """Phones of a line that likely fits behind a reference of so many cache rows."""
        return pace.fitting(self._most_tokens, self.max_len - rows)

    @property
    def _most_tokens(self) -> int:
        early = HARD_CAP_TOKENS if self.early_stop_tokens < 0 else self.early_stop_tokens + 1
        return min(early, HARD_CAP_TOKENS)


@dataclass
class Finish:
    """How an utterance ends.

    Attributes:
        reason: why the last token was the last: `eos`, or what cut it short; empty before.
        unwanted: whether nobody wants it any more; who waits for a place asks.
    """

    reason: str = ""
    unwanted: Callable[[], bool] = bool

    @property
    def truncated(self) -> bool:
        """Whether a limit ended it, not the model."""
        return self.reason in TRUNCATED


class Steps(Protocol):
    """Logits of one utterance, row after row."""

    def prefill(self) -> Logits:
        """Logits [V] after the prompt."""
        ...

    def step(self, token: int, position: int) -> Logits:
        """Logits [V] after one more token."""
        ...


class TokenSource(Protocol):
    """A decoder, as far as who only wants its tokens sees it."""

    def tokens(
        self, prompt: Prompt, choose: Chooser, limits: Limits, finish: Finish
    ) -> Generator[int, None, None]:
        """Semantic tokens one by one, as `Decoder.tokens` gives them."""
        ...


def prefill_inputs(embed: GraphRunner, prompt: Prompt) -> tuple[Float32, Float32]:
    """Rows float32 [Q, D] and bias float32 [1, 1, Q, Q] that a prompt begins with."""
    rows, bias = embed.run(
        {
            "phones": prompt.phones[None],
            "text_features": prompt.features[None],
            "prompts": prompt.tokens[None],
        }
    )
    return rows, bias


def most_rows(prompt: Prompt, limits: Limits) -> int:
    """Cache rows that an utterance hardly passes."""
    most = prompt.most_tokens
    if most is None:
        most = Pace().most(prompt.phones.size)
    return min(prompt.rows + most, limits.max_len)


def decoded(
    prompt: Prompt, choose: Chooser, limits: Limits, finish: Finish, steps: Steps
) -> Generator[int, None, None]:
    """Choose token after token; arguments as of `Decoder.tokens`, and what gives the logits."""
    logits = steps.prefill()
    used = np.zeros(logits.size, np.bool_)
    used[prompt.tokens] = True
    for step in range(HARD_CAP_TOKENS):
        token = choose(logits, used, step)
        if token is None:
            finish.reason = "eos"
            return
        used[token] = True
        finish.reason = limit_reached(step + 1, prompt.rows, limits)
        yield token
        if finish.reason:
            return
        logits = steps.step(token, prompt.tokens.size + step)


def forced_logits(decoder: TokenSource, prompt: Prompt, tokens: Tokens, max_len: int) -> Float32:
    """Scores before each of given tokens (teacher forcing), float32 [T, V]."""
    rows: list[Logits] = []

    def replay(logits: Logits, _used: Flags, step: int) -> int:
        rows.append(logits.copy())
        return int(tokens[step])

    limits = Limits(early_stop_tokens=tokens.size - 1, max_len=max_len)
    for _ in decoder.tokens(prompt, replay, limits, Finish()):
        pass
    return np.stack(rows)


@dataclass(frozen=True)
class Sampled:
    """Chooses as the reference samples.

    The end token is held back at first; later it ends the utterance when it is drawn, and also
    when it leads the penalised logits, whatever was drawn.

    Attributes:
        sampling: the settings.
        draws: Exponential(1) numbers for a step, float32 [count].
    """

    sampling: Sampling
    draws: Draws

    def __call__(self, logits: Logits, used: Flags, step: int) -> int | None:
        """The token of a step, or None at the end."""
        if not math.isfinite(logits.max()):  # a NaN anywhere is the maximum
            raise GraphError(
                f"token {step}: the decoder's logits are no numbers; build the voice again, or take"
                " one of higher precision"
            )
        end = logits.size - 1
        count = end if step < END_HELD_BACK_STEPS else logits.size
        adjusted = penalised(logits[:count], used[:count], self.sampling.repetition_penalty)
        token = draw(probabilities(adjusted, self.sampling), self.draws(step, logits.size)[:count])
        if token == end or int(adjusted.argmax()) == end:
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
    return "pace" if 0 <= limits.pace_tokens <= tokens else ""
