"""Random weights for a layout: sound stays in range and activations finite in float16."""

import math
from collections.abc import Mapping

import torch

from workflow_scripts.checkpoint.layout import Shape

BIAS = 0.02
_CONSTANT = {
    "gamma": 1.0,
    "beta": 0.0,
    "running_var": 1.0,
    "running_mean": 0.0,
    "cluster_size": 1.0,
    "inited": 1.0,
    "alpha": 1.0,
}
_GAIN = {
    "ar_predict_layer": 2.0,  # logits that a sampler can distinguish
    "enc_p.proj": 0.5,  # log-scales whose exponent stays small
    "dec.conv_post": 0.3,  # far from where tanh is flat
    ".post.": 0.3,
    "conv_layers": 1.5,  # what GELU takes away
    "out_proj": 0.3,  # rows stay apart, so that tokens differ
    "output_dense": 0.3,
    "linear2": 0.5,
    ".conv3.": 0.3,  # sums over many blocks stay small
    "sv_emb": 0.3,
}


def drawn(
    layout: Mapping[str, Shape], generator: torch.Generator, dtype: torch.dtype, shared: bool
) -> dict[str, torch.Tensor]:
    """Draw all tensors of a layout.

    Args:
        layout: shape by name.
        generator: what to draw from.
        dtype: to store them in; counters stay int64.
        shared: make each row of a matrix the one before, shifted by an element: full rank, and a
            file holds one row and a few numbers of it.

    Returns:
        Tensor by name, in the order of the layout. A weight norm's magnitude is that of its
        direction, so it changes nothing.
    """
    tensors: dict[str, torch.Tensor] = {}
    for name, shape in layout.items():
        if name.endswith("num_batches_tracked"):
            tensors[name] = torch.zeros(shape, dtype=torch.int64)
        elif name.endswith("weight_g"):
            tensors[name] = torch.empty(0)  # keeps its place until the direction is drawn
        else:
            tensors[name] = _one(name, layout, generator, dtype, shared)
    for name, shape in layout.items():
        if name.endswith("weight_g"):
            direction = tensors[name.removesuffix("g") + "v"]
            others = [axis for axis, size in enumerate(shape) if size == 1]
            norm = torch.linalg.vector_norm(direction.float(), dim=others, keepdim=True)
            tensors[name] = norm.to(dtype)
        elif name.endswith("embed_avg"):
            embed = tensors[name.removesuffix("_avg")]
            tensors[name] = embed if shared else embed.clone()
    return tensors


def _one(
    name: str,
    layout: Mapping[str, Shape],
    generator: torch.Generator,
    dtype: torch.dtype,
    shared: bool,
) -> torch.Tensor:
    shape = layout[name]
    last = name.rsplit(".", 1)[-1]
    if last in _CONSTANT:
        return torch.full(shape, _CONSTANT[last], dtype=dtype)
    if name == "prelu.weight":
        return torch.full(shape, 0.25, dtype=dtype)
    if last == "weight" and len(shape) == 1:
        return torch.ones(shape, dtype=dtype)
    if last == "bias" and len(layout.get(f"{name.removesuffix('bias')}weight", ())) == 1:
        return torch.zeros(shape, dtype=dtype)
    scale = _scale(name, shape)
    if not shared or len(shape) < 2:
        return torch.randn(shape, generator=generator).mul_(scale).to(dtype)
    row = math.prod(shape[1:])
    pool = torch.randn(shape[0] + row - 1, generator=generator).mul_(scale).to(dtype)
    strides = [math.prod(shape[axis + 1 :]) for axis in range(1, len(shape))]
    return pool.as_strided(shape, [1, *strides])


def _scale(name: str, shape: Shape) -> float:
    """Standard deviation that keeps the variance of what passes through."""
    if name.endswith("bias"):
        return BIAS
    if len(shape) == 1 or "embedding" in name or name.endswith("_codebook.embed"):
        return 1.0
    if "emb_rel" in name:
        return 1 / math.sqrt(shape[-1])
    gain = next((gain for part, gain in _GAIN.items() if part in name), 1.0)
    if name.startswith("dec.ups."):  # transposed: each sample sees about two taps of each channel
        return gain / math.sqrt(2 * shape[0])
    return gain / math.sqrt(math.prod(shape[1:]))
