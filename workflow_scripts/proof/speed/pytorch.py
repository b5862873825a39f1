"""A voice in PyTorch that replays fixed work: what built voices are timed beside."""

from functools import partial
from pathlib import Path

import numpy as np
import torch

from runtime import noise
from runtime.arrays import Int64, Samples
from runtime.measure.workload import (
    FIRST_SOUND,
    FIRST_TOKENS,
    ROWS,
    STEPS_PER_RUN,
    STREAMING,
    TOTAL,
    Replay,
    Works,
    conditioning,
    sampler_work,
)
from runtime.t2s.request import sampled
from runtime.t2s.sampler import Sampling
from workflow_scripts.checkpoint.acoustic_sources import AcousticSources
from workflow_scripts.checkpoint.read import read
from workflow_scripts.models.t2s import T2S, KVCache
from workflow_scripts.proof.spoken import SpokenInTorch, load_acoustic


class PyTorchVoice:
    """A voice in PyTorch, float32, that replays as the reference implementation would speak."""

    def __init__(self, t2s: T2S, acoustic: SpokenInTorch, replay: Replay) -> None:
        self._t2s, self._acoustic, self._replay = t2s, acoustic, replay
        self._conditioning = conditioning(replay, acoustic.made_up())
        self._choose = sampled(Sampling(), partial(noise.exponentials, 0, 0))

    @torch.inference_mode()
    def prefill(self) -> tuple[torch.Tensor, KVCache]:
        """Logits after the prompt, and its cache."""
        cache, prompt = KVCache(), self._replay.prompt
        parts = (prompt.phones, prompt.features, prompt.tokens)
        rows, bias = self._t2s.embed(*(torch.from_numpy(part)[None] for part in parts))
        return self._t2s.decode(rows, bias, cache)[0], cache

    @torch.inference_mode()
    def steps(self, full: KVCache) -> None:
        """All steps of the usual sentence behind a filled cache, which stays as it is."""
        cache, replay = KVCache(list(full.keys), list(full.values)), self._replay
        tokens = replay.tokens[: replay.usual - 1]
        for position, token in enumerate(tokens, replay.prompt.tokens.size):
            self._t2s.step(int(token), position, cache)

    @torch.inference_mode()
    def steps_at(self, full: KVCache) -> None:
        """STEPS_PER_RUN steps behind a filled cache."""
        rows = full.keys[0].shape[2]
        for _ in range(STEPS_PER_RUN):
            self._t2s.step(0, rows, KVCache(list(full.keys), list(full.values)))

    @torch.inference_mode()
    def decode(self, count: int) -> Int64:
        """The first `count` tokens; each is sampled, then the replayed one is taken."""
        used = np.zeros(self._t2s.sizes.vocabulary, np.bool_)
        used[self._replay.prompt.tokens] = True
        logits, cache = self.prefill()
        tokens = self._replay.tokens[:count]
        for step, token in enumerate(tokens):
            self._choose(logits[0].numpy(), used, step)
            used[token] = True
            if step + 1 < count:
                position = self._replay.prompt.tokens.size + step
                logits = self._t2s.step(int(token), position, cache)
        return tokens

    def first_sound(self) -> Samples:
        """From the prompt to the first chunk of a stream."""
        tokens = self.decode(FIRST_TOKENS)
        return self._acoustic.beginning(tokens, self._conditioning, STREAMING.first_chunk_tokens)

    def total(self, count: int) -> Samples:
        """From the prompt to all samples of so many tokens."""
        tokens = self.decode(count)
        frames = self._acoustic.frames(tokens, self._conditioning)
        return self._acoustic.sound(frames, self._conditioning)

    def works(self) -> Works:
        """Its ways to do the work."""
        replay, sizes = self._replay, self._t2s.sizes
        _, filled = self.prefill()
        return Works(
            steps={rows: partial(self.steps_at, _cache_of(self._t2s, rows - 1)) for rows in ROWS},
            parts={
                "prefill": self.prefill,
                "steps": partial(self.steps, filled),
                "sampler": sampler_work(sizes.vocabulary, replay),
                FIRST_SOUND: self.first_sound,
            },
            sound={**self._acoustic.parts(replay.tokens, self._conditioning), TOTAL: self.total},
        )


def _cache_of(model: T2S, rows: int) -> KVCache:
    sizes = model.sizes
    shape = (1, sizes.heads, rows, sizes.head_width)
    return KVCache(
        [torch.full(shape, 0.5) for _ in range(sizes.layers)],
        [torch.full(shape, 0.5) for _ in range(sizes.layers)],
    )


def load(gpt: Path, acoustic: AcousticSources, replay: Replay) -> PyTorchVoice:
    """Read the checkpoints to replay tokens.

    Raises:
        CheckpointError: one of them can't be used.
    """
    t2s = read(gpt, "t2s")
    _, model = load_acoustic(acoustic)
    return PyTorchVoice(T2S(t2s.weights, t2s.config, str(gpt)), model, replay)
