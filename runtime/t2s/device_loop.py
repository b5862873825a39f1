"""Phones and prompt in, semantic tokens out, on a device: the host looks at blocks of tokens.

Embedding, sampler and cache stay on the device; noise goes there and tokens come back, a block of
steps at a time. What is made behind the end of an utterance is thrown away.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from runtime.arrays import Float32, Int64
from runtime.backends import GraphRunner, Loop
from runtime.backends.steps import Array, DeviceSteps
from runtime.contract import BLOCK_TOKENS
from runtime.pool import Pool
from runtime.t2s.request import (
    HARD_CAP_TOKENS,
    Chooser,
    Finish,
    Limits,
    Prompt,
    Sampled,
    limit_reached,
    prefill_inputs,
)
from runtime.t2s.sampler import COLDEST, Sampling

KEEPS_ALL = 2.0  # a top-p that rounding does not reach


class LoopDecoder:
    """The T2S graphs of one voice on a device; weights shared, buffers per utterance."""

    def __init__(self, embed: GraphRunner, loop: Loop) -> None:
        self._embed = embed
        self._loop = loop
        self._idle: Pool[DeviceSteps] = Pool()
        self._give(loop.steps())  # ready when the first utterance comes

    @property
    def vocabulary(self) -> int:
        """V, the end token included."""
        return self._loop.vocabulary

    @contextmanager
    def _steps(self) -> Iterator[DeviceSteps]:
        steps = self._idle.take(self._loop.steps)
        try:
            yield steps
        finally:
            self._give(steps)

    def _give(self, steps: DeviceSteps) -> None:
        self._idle.give(steps, steps.buffers.idle_bytes)

    def tokens(
        self, prompt: Prompt, choose: Chooser, limits: Limits, finish: Finish
    ) -> Generator[int, None, None]:
        """Semantic tokens one by one, as `Decoder.tokens` gives them.

        A sampler of our own runs on the device; any other chooser is asked here, step by step.

        Raises:
            SettingError: the prompt alone does not leave room for a token within max_len.
        """
        room = replace(limits, max_len=min(limits.max_len, self._loop.capacity))
        room.room(prompt)
        with self._steps() as steps:
            if isinstance(choose, Sampled):
                made = self._sampled(steps, prompt, choose, room)
            else:
                made = self._chosen(steps, prompt, choose)
            end = self.vocabulary - 1
            for step, token in enumerate(made):
                if token == end:
                    finish.reason = "eos"
                    return
                finish.reason = limit_reached(step + 1, prompt.rows, room)
                yield token
                if finish.reason:
                    return

    def _sampled(
        self, steps: DeviceSteps, prompt: Prompt, choose: Sampled, limits: Limits
    ) -> Iterator[int]:
        """Tokens of the device's own sampler, the end token among them."""
        most, noise = limits.room(prompt), self._noise(choose, 0)
        for first in range(0, most, BLOCK_TOKENS):
            count = min(BLOCK_TOKENS, most - first)
            if first == 0:
                self._begin(steps, prompt, choose.sampling, noise)
            else:
                steps.buffers.put("noise", noise)
            steps.step(count - (first == 0))
            noise = self._noise(choose, first + BLOCK_TOKENS)  # while the device is at work
            yield from steps.buffers.get("history")[:count].tolist()

    def _noise(self, choose: Sampled, first: int) -> Float32:
        rows = [choose.draws(first + i, self.vocabulary) for i in range(BLOCK_TOKENS)]
        return np.stack(rows).astype(np.float32, copy=False)

    def _chosen(self, steps: DeviceSteps, prompt: Prompt, choose: Chooser) -> Iterator[int]:
        """Tokens that the host chooses, the end token last."""
        end = self.vocabulary - 1
        noise = np.ones((BLOCK_TOKENS, self.vocabulary), np.float32)
        self._begin(steps, prompt, Sampling(), noise)
        used = np.zeros(self.vocabulary, np.bool_)
        used[prompt.tokens] = True
        for step in range(HARD_CAP_TOKENS):
            token = choose(steps.buffers.get("logits")[0], used, step)
            if token is None:
                yield end
                return
            used[token] = True
            yield token
            steps.set_state(token, prompt.tokens.size + step, steps.cached + 1, step + 1)
            steps.step()

    def _begin(
        self, steps: DeviceSteps, prompt: Prompt, sampling: Sampling, noise: Float32
    ) -> None:
        rows, bias = prefill_inputs(self._embed, prompt)
        steps.begin(self._inputs(prompt, sampling) | {"noise": noise}, rows, bias)

    def _inputs(self, prompt: Prompt, sampling: Sampling) -> dict[str, Array]:
        used = np.zeros((1, self.vocabulary), np.float32)
        used[0, prompt.tokens] = 1
        last: Int64 = np.array([prompt.tokens.size - 1])
        top_k = sampling.top_k or self.vocabulary
        return {
            "position": last,
            "used": used,
            "history": np.zeros(BLOCK_TOKENS, np.int64),
            "temperature": np.array([max(sampling.temperature, COLDEST)], np.float32),
            "top_p": np.array([sampling.top_p if sampling.top_p < 1 else KEEPS_ALL], np.float32),
            "penalty": np.array([sampling.repetition_penalty], np.float32),
            "top_k": np.array([min(top_k, self.vocabulary)], np.int64),
        }
