"""A decoder step in PyTorch on a device: as the reference steps, and as well as PyTorch can.

As the reference: the cache grows by copying. As well as PyTorch can: a cache of fixed length that
is written in place, at any precision, and on a GPU as a CUDA graph.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from runtime.arrays import Float32, Logits
from workflow_scripts.models.t2s import T2S, KVCache

WARMUPS = 3  # runs before a capture, as PyTorch asks for
MASKED = -1e4  # attention mask value, finite in fp16


def on_device(model: T2S, device: str, dtype: torch.dtype) -> T2S:
    """The same model with its weights elsewhere, at another precision."""
    moved = copy.copy(model)
    moved.weights = {name: tensor.to(device, dtype) for name, tensor in model.weights.items()}
    return moved


@dataclass
class FixedCache(KVCache):
    """Buffers of every layer [1, H, C, A], written in place at `rows`, int64 [Q]."""

    rows: Tensor = field(default_factory=lambda: torch.zeros(1, dtype=torch.int64))

    def extended(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """The whole buffers after new rows were written into them."""
        self.keys[layer].index_copy_(2, self.rows, key)
        self.values[layer].index_copy_(2, self.rows, value)
        return self.keys[layer], self.values[layer]


class FixedStep:
    """One row at a time over a cache of fixed length.

    Attributes:
        run: does a step over its input buffers.
    """

    def __init__(self, model: T2S, capacity: int, replayed: bool) -> None:
        """Make the buffers.

        Args:
            model: on its device, at its precision.
            capacity: C, rows of the cache.
            replayed: replay a step as a CUDA graph.
        """
        some, sizes = next(iter(model.weights.values())), model.sizes
        made: dict[str, Any] = {"device": some.device, "dtype": some.dtype}
        shape = (1, sizes.heads, capacity, sizes.head_width)
        keys, values = ([torch.zeros(shape, **made) for _ in range(sizes.layers)] for _ in range(2))
        self._model = model
        rows = torch.zeros(1, dtype=torch.int64, device=some.device)
        self._cache = FixedCache(keys, values, rows)
        self._row = torch.zeros(1, sizes.hidden, **made)
        self._bias = torch.full((1, 1, 1, capacity), MASKED, **made)
        self._logits = torch.zeros(1, sizes.vocabulary, **made)
        self.run: Callable[[], None] = self._captured() if replayed else self._eager

    @torch.inference_mode()
    def prefill(self, rows: Float32, bias: Float32) -> Logits:
        """Fill the cache with a prompt's rows [Q, D] under its bias [1, 1, Q, Q]; logits [V]."""
        count, capacity = rows.shape[0], self._bias.shape[3]
        wide = np.full((1, 1, count, capacity), MASKED, np.float32)
        wide[..., :count] = np.maximum(bias, MASKED)
        kept, self._cache.rows = self._cache.rows, torch.arange(count, device=self._row.device)
        found, _ = self._model.decode(self._here(rows), self._here(wide), self._cache)
        self._cache.rows = kept
        return _on_host(found)

    @torch.inference_mode()
    def step(self, row: Float32, cached: int) -> Logits:
        """Logits [V] after one more row [D], the `cached`-th of the cache."""
        self._row.copy_(torch.from_numpy(row)[None])
        self._cache.rows.fill_(cached - 1)
        self._bias[..., :cached] = 0
        self._bias[..., cached:] = MASKED
        self.run()
        return _on_host(self._logits)

    def _here(self, array: Float32) -> Tensor:
        return torch.from_numpy(array).to(self._row.device, self._row.dtype)

    @torch.inference_mode()
    def _eager(self) -> None:
        found, _ = self._model.decode(self._row, self._bias, self._cache)
        self._logits.copy_(found)

    def _captured(self) -> Callable[[], None]:
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARMUPS):
                self._eager()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._eager()
        replay: Callable[[], None] = graph.replay
        return replay


class GrowingStep:
    """One row at a time over a cache that grows by copying, as the reference steps."""

    def __init__(self, model: T2S) -> None:
        self._model = model
        some = next(iter(model.weights.values()))
        self._made: dict[str, Any] = {"device": some.device, "dtype": some.dtype}
        self._cache = KVCache()

    @torch.inference_mode()
    def prefill(self, rows: Float32, bias: Float32) -> Logits:
        """Begin with a prompt's rows [Q, D] under its bias [1, 1, Q, Q]; logits [V]."""
        self._cache = KVCache()
        seen = np.maximum(bias, MASKED)
        return self._decoded(rows, torch.from_numpy(seen).to(**self._made))

    @torch.inference_mode()
    def step(self, row: Float32, cached: int) -> Logits:
        """Logits [V] after one more row [D], the `cached`-th; a longer cache is filled up to it."""
        sizes, past = self._model.sizes, cached - 1
        if not self._cache.keys or self._cache.keys[0].shape[2] != past:
            shape = (1, sizes.heads, past, sizes.head_width)
            filled = [torch.full(shape, 0.5, **self._made) for _ in range(sizes.layers)]
            self._cache = KVCache(list(filled), list(filled))
        return self._decoded(row[None], None)

    def _decoded(self, rows: Float32, bias: Tensor | None) -> Logits:
        found, _ = self._model.decode(torch.from_numpy(rows).to(**self._made), bias, self._cache)
        return _on_host(found)


def _on_host(logits: Tensor) -> Logits:
    """A copy for the host; on the CPU a view would be of a buffer that the next step overwrites."""
    copied: Logits = np.array(logits[0].float().cpu().numpy())
    return copied
