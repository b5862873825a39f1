"""PyTorch's decode loop with a sampler, as well as it can: the loop that ours is held against.

Embedding, decoder and sampler run on the device over buffers that stay, on a GPU as one CUDA graph;
noise goes there and tokens come back in blocks, as in the runtime's loop.
"""

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import torch

from runtime.backends import GraphRunner
from runtime.contract import BLOCK_TOKENS
from runtime.t2s.request import Chooser, Finish, Limits, Prompt, Sampled, limit_reached
from runtime.t2s.request import prefill_inputs as inputs_of
from runtime.t2s.sampler import Sampling
from runtime.t2s.step_tables import END_HELD_BACK_STEPS, StepTables
from workflow_scripts.models.t2s import T2S
from workflow_scripts.proof.gpu.torch_steps import MASKED, FixedStep, captured


class TorchLoop:
    """Tokens of one utterance after another, as `LoopDecoder` gives them.

    Attributes:
        vocabulary: V, the end token included.
    """

    def __init__(
        self, embed: GraphRunner, model: T2S, tables: StepTables, capacity: int, *, replayed: bool
    ) -> None:
        """Make the buffers.

        Args:
            embed: `t2s_embed`, on the CPU.
            model: on its device, at its precision.
            tables: rows of tokens and positions.
            capacity: rows of the cache.
            replayed: replay a step as a CUDA graph.
        """
        self.vocabulary = model.sizes.vocabulary
        self._embed, self._capacity = embed, capacity
        self._steps = FixedStep(model, capacity, replayed=False)
        row = self._steps.row
        there: dict[str, Any] = {"device": row.device}
        self._tokens = torch.from_numpy(tables.audio_embedding).to(row)
        self._positions = torch.from_numpy(tables.position_rows[:capacity]).to(row)
        self._columns = torch.arange(capacity, **there)
        self._vocabulary = torch.arange(self.vocabulary, **there)
        self._token, self._position, self._cached, self._step = (
            torch.zeros(1, dtype=torch.int64, **there) for _ in range(4)
        )
        self._used = torch.zeros(self.vocabulary, dtype=torch.bool, **there)
        self._history = torch.zeros(BLOCK_TOKENS, dtype=torch.int64, **there)
        self._noise = torch.ones(BLOCK_TOKENS, self.vocabulary, **there)
        self._sampling = Sampling()
        self._run: Callable[[], None] = captured(self._one) if replayed else self._one

    def tokens(
        self, prompt: Prompt, choose: Chooser, limits: Limits, finish: Finish
    ) -> Generator[int, None, None]:
        """Semantic tokens one by one; only of our own sampler, with the settings that are usual."""
        if not isinstance(choose, Sampled) or choose.sampling != self._sampling:
            raise NotImplementedError("another sampler than the usual one")
        most, end = limits.room(prompt), self.vocabulary - 1
        for first in range(0, most, BLOCK_TOKENS):
            for step, token in enumerate(self._block(prompt, choose, first, most), first):
                if token == end:
                    finish.reason = "eos"
                    return
                finish.reason = limit_reached(step + 1, prompt.rows, limits)
                yield token
                if finish.reason:
                    return

    @torch.inference_mode()
    def _block(self, prompt: Prompt, choose: Sampled, first: int, most: int) -> list[int]:
        count = min(BLOCK_TOKENS, most - first)
        drawn = [choose.draws(first + i, self.vocabulary) for i in range(BLOCK_TOKENS)]
        self._noise.copy_(torch.from_numpy(np.stack(drawn)))
        if first == 0:
            self._begin(prompt)
        for _ in range(count - (first == 0)):
            self._run()
        return [int(token) for token in self._history[:count].cpu().tolist()]

    def _begin(self, prompt: Prompt) -> None:
        self._used.zero_()
        self._used[torch.from_numpy(prompt.tokens).to(self._used.device)] = True
        self._step.zero_()
        self._cached.fill_(prompt.rows)
        self._position.fill_(prompt.tokens.size - 1)
        self._steps.prefill(*inputs_of(self._embed, prompt))
        self._choose()

    @torch.inference_mode()
    def _one(self) -> None:
        """A step over the state, which it moves on."""
        steps = self._steps
        self._cached.add_(1)
        steps.row.copy_(self._tokens[self._token] + self._positions[self._position])
        steps.cache.rows.copy_(self._cached - 1)
        hidden = (self._columns >= self._cached).to(steps.bias.dtype)
        steps.bias.copy_((hidden * MASKED)[None, None, None])
        steps.eager()
        self._choose()

    def _choose(self) -> None:
        """A token of the logits, as the reference samples; and the state behind it."""
        settings, logits = self._sampling, self._steps.logits[0].float()
        end = self.vocabulary - 1
        lowest = torch.full_like(logits, torch.finfo(torch.float32).min)
        held = (self._step < END_HELD_BACK_STEPS) & (self._vocabulary == end)
        logits = torch.where(held, lowest, logits)
        factor = settings.repetition_penalty
        scaled = torch.where(logits < 0, logits * factor, logits / factor)
        logits = torch.where(self._used, scaled, logits) / settings.temperature
        if settings.top_k is not None:
            least = torch.topk(logits, settings.top_k).values[-1]
            logits = torch.where(logits < least, lowest, logits)
        noise = self._noise[self._step % BLOCK_TOKENS][0]
        drawn = torch.argmax(torch.softmax(logits, -1) / noise, -1, keepdim=True)
        over = torch.argmax(logits, -1, keepdim=True) == end
        self._token.copy_(torch.where(over, torch.full_like(drawn, end), drawn))
        self._used.index_fill_(0, self._token, True)
        self._history.index_copy_(0, self._step % BLOCK_TOKENS, self._token)
        self._step.add_(1)
        self._position.add_(1)
