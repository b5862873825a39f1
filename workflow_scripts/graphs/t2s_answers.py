"""PyTorch's answers for the T2S graphs, at lengths that exporters get wrong: one, none, many."""

import numpy as np
import torch
from numpy.typing import NDArray

from workflow_scripts.graphs.answers import Answer
from workflow_scripts.models.t2s import FEATURE_WIDTH, T2S, KVCache

SEED = 20261124
LENGTHS = {"usual": (24, 40), "one phone": (1, 1), "prompt-free": (9, 0), "long": (200, 250)}
SPARE_ROWS = 8  # capacity beyond the cached positions: a graph that reads dead rows is caught
STEPS = 3


def t2s_answers(model: T2S) -> dict[str, dict[str, Answer]]:
    """Cases by graph and name."""
    generator = torch.Generator().manual_seed(SEED)
    embed: dict[str, Answer] = {}
    decoder: dict[str, Answer] = {}
    for name, (phones, prompts) in LENGTHS.items():
        inputs = _random_inputs(model, phones, prompts, generator)
        rows, bias = model.embed(*inputs)
        embed[name] = _embed_case(inputs, rows, bias)
        decoder |= _decoder_cases(model, name, rows, bias, generator)
    return {"t2s_embed": embed, "t2s_decoder": decoder}


def _random_inputs(
    model: T2S, phones: int, prompts: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    sizes = model.sizes
    return (
        torch.randint(sizes.phone_rows, (1, phones), generator=generator),
        torch.randn(1, FEATURE_WIDTH, phones, generator=generator),
        torch.randint(sizes.end_token, (1, prompts), generator=generator),
    )


def _embed_case(inputs: tuple[torch.Tensor, ...], rows: torch.Tensor, bias: torch.Tensor) -> Answer:
    names = ("phones", "text_features", "prompts")
    return Answer(
        {name: value.numpy() for name, value in zip(names, inputs, strict=True)},
        {"rows": rows.numpy(), "bias": bias.numpy()},
    )


def _decoder_cases(
    model: T2S, name: str, rows: torch.Tensor, bias: torch.Tensor, generator: torch.Generator
) -> dict[str, Answer]:
    """The prefill and one step after some others."""
    cache = KVCache()
    capacity = rows.shape[0] + STEPS + SPARE_ROWS
    before = _buffers(model, cache, capacity)
    logits, _ = model.decode(rows, bias, cache)
    cases = {f"prefill, {name}": _decoder_case(model, (rows, bias), before, cache, logits)}
    for step in range(STEPS):
        before = _buffers(model, cache, capacity)
        token = torch.randint(model.sizes.end_token, (1,), generator=generator)
        row = model.audio_rows(token, step)
        logits, _ = model.decode(row, None, cache)
    nothing_hidden = torch.zeros(1, 1, 1, cache.keys[0].shape[2])
    cases[f"step, {name}"] = _decoder_case(model, (row, nothing_hidden), before, cache, logits)
    return cases


def _decoder_case(
    model: T2S,
    taken: tuple[torch.Tensor, torch.Tensor],
    before: dict[str, NDArray[np.float32]],
    after: KVCache,
    logits: torch.Tensor,
) -> Answer:
    rows, bias = taken
    cached = after.keys[0].shape[2]
    capacity = next(iter(before.values())).shape[2]
    inputs = {
        "rows": rows.numpy(),
        "live_rows": np.array([cached], np.int32),
        "bias": bias.numpy(),
    }
    caches = {f"past_{kind}": buffer for kind, buffer in before.items()}
    outputs = {f"present_{kind}": b for kind, b in _buffers(model, after, capacity).items()}
    return Answer(inputs | caches, {"logits": logits.numpy()} | outputs)


def _buffers(model: T2S, cache: KVCache, capacity: int) -> dict[str, NDArray[np.float32]]:
    """The cache as the graph sees it: rows up to the capacity, zeros behind the cached ones."""
    sizes = model.sizes
    size = (1, sizes.heads, capacity, sizes.head_width)
    found: dict[str, NDArray[np.float32]] = {}
    for layer in range(sizes.layers):
        for kind, tensors in (("keys", cache.keys), ("values", cache.values)):
            buffer = np.zeros(size, np.float32)
            if tensors:
                buffer[:, :, : tensors[layer].shape[2]] = tensors[layer].numpy()
            found[f"{kind}.{layer}"] = buffer
    return found
