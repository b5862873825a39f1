"""Weights of real sizes, drawn name by name from a seed, as the full-size goldens were made."""

import zlib
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from workflow_scripts.checkpoint.layout import Shape
from workflow_scripts.random_voice.flow_matching import lowpass_filter


def seeded(layout: Mapping[str, Shape], seed: int, half: bool) -> dict[str, Tensor]:
    """Every tensor of a layout, float32; `half` rounds them through float16 as files do."""
    found = {name: _one(name, shape, seed) for name, shape in layout.items()}
    return {name: tensor.half().float() if half else tensor for name, tensor in found.items()}


def _one(name: str, shape: Shape, seed: int) -> Tensor:
    if name.endswith(".filter"):
        return lowpass_filter()
    state = np.random.RandomState((zlib.crc32(name.encode()) ^ seed) & 0xFFFFFFFF)
    drawn = _scaled(name, shape, state.standard_normal(shape))
    return torch.from_numpy(np.ascontiguousarray(drawn, np.float32))


def _scaled(name: str, shape: Shape, z: np.ndarray) -> np.ndarray:
    leaf = name.rsplit(".", 1)[-1]
    gain = 0.25 if ".convs" in name or name.startswith("conv_p") else 1.0
    if leaf == "inv_freq":
        return 10000.0 ** (-2 * np.arange(shape[0]) / 64)
    if leaf == "inited":
        return np.ones(shape)
    if leaf == "cluster_size":
        return 1 + np.abs(z)
    if leaf in ("embed", "embed_avg") or name.endswith("text_embedding.weight"):
        return z
    if ".grn." in name or ".act." in name:
        return 0.3 * z
    if leaf == "gamma" or (leaf == "weight" and len(shape) == 1):
        return 1 + 0.1 * z
    if leaf in ("beta", "bias"):
        return (0.1 if leaf == "beta" else 0.05) * z
    if leaf == "weight_g":
        return gain * (1 + 0.1 * z)
    if leaf == "weight_v":
        return z
    fan = 2 * shape[0] if name.startswith("ups.") else int(np.prod(shape[1:]))
    return gain * z / np.sqrt(fan)
