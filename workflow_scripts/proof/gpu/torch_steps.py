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
        row, bias, logits, cache: buffers of a step.
        run: does a step over them.
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
        self.cache = FixedCache(keys, values, rows)
        self.row = torch.zeros(1, sizes.hidden, **made)
        self.bias = torch.full((1, 1, 1, capacity), MASKED, **made)
        self.logits = torch.zeros(1, sizes.vocabulary, **made)
        self.run: Callable[[], None] = captured(self.eager) if replayed else self.eager

    @torch.inference_mode()
    def prefill(self, rows: Float32, bias: Float32) -> Logits:
        """Fill the cache with a prompt's rows [Q, D] under its bias [1, 1, Q, Q]; logits [V]."""
        count, capacity = rows.shape[0], self.bias.shape[3]
        wide = np.full((1, 1, count, capacity), MASKED, np.float32)
        wide[..., :count] = np.maximum(bias, MASKED)
        kept, self.cache.rows = self.cache.rows, torch.arange(count, device=self.row.device)
        found, _ = self._model.decode(self._here(rows), self._here(wide), self.cache)
        self.cache.rows = kept
        self.logits.copy_(found)
        return _on_host(found)

    @torch.inference_mode()
    def step(self, row: Float32, cached: int) -> Logits:
        """Logits [V] after one more row [D], the `cached`-th of the cache."""
        self._put(row, cached)
        self.run()
        return _on_host(self.logits)

    @torch.inference_mode()
    def repeat(self, row: Float32, cached: int, count: int) -> None:
        """Such a step so many times; waits for the last one, and reads no logits."""
        self._put(row, cached)
        for _ in range(count):
            self.run()
        wait_for(self.row)

    def _put(self, row: Float32, cached: int) -> None:
        self.row.copy_(torch.from_numpy(row)[None])
        self.cache.rows.fill_(cached - 1)
        self.bias[..., :cached] = 0
        self.bias[..., cached:] = MASKED

    def _here(self, array: Float32) -> Tensor:
        return torch.from_numpy(array).to(self.row.device, self.row.dtype)

    @torch.inference_mode()
    def eager(self) -> None:
        """A step over the buffers, operator by operator."""
        found, _ = self._model.decode(self.row, self.bias, self.cache)
        self.logits.copy_(found)


def captured(step: Callable[[], None]) -> Callable[[], None]:
    """A step as a CUDA graph; how it is replayed."""
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARMUPS):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    replay: Callable[[], None] = graph.replay
    return replay


def wait_for(tensor: Tensor) -> None:
    """Until the device that holds a tensor is done."""
    if tensor.device.type == "cuda":
        torch.cuda.synchronize(tensor.device)


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
        return _on_host(self._decoded(rows, torch.from_numpy(seen).to(**self._made)))

    @torch.inference_mode()
    def step(self, row: Float32, cached: int) -> Logits:
        """Logits [V] after one more row [D], the `cached`-th; a longer cache is filled up to it."""
        return _on_host(self._stepped(row, cached))

    @torch.inference_mode()
    def repeat(self, row: Float32, cached: int, count: int) -> None:
        """So many steps from there on; waits for the last one, and reads no logits."""
        found = self._stepped(row, cached)
        for step in range(1, count):
            found = self._stepped(row, cached + step)
        wait_for(found)

    def _stepped(self, row: Float32, cached: int) -> Tensor:
        sizes, past = self._model.sizes, cached - 1
        if not self._cache.keys or self._cache.keys[0].shape[2] != past:
            shape = (1, sizes.heads, past, sizes.head_width)
            filled = [torch.full(shape, 0.5, **self._made) for _ in range(sizes.layers)]
            self._cache = KVCache(list(filled), list(filled))
        return self._decoded(row[None], None)

    def _decoded(self, rows: Float32, bias: Tensor | None) -> Tensor:
        found, _ = self._model.decode(torch.from_numpy(rows).to(**self._made), bias, self._cache)
        return found


def _on_host(logits: Tensor) -> Logits:
    """A copy for the host; on the CPU a view would be of a buffer that the next step overwrites."""
    copied: Logits = np.array(logits[0].float().cpu().numpy())
    return copied
