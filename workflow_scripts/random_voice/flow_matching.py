"""Random acoustic models of v3 and v4, LoRA files over them, and their vocoders, as files."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from workflow_scripts.checkpoint.cfm import FULL, CfmSizes, cfm_layout
from workflow_scripts.checkpoint.families import FAMILIES, PLAIN
from workflow_scripts.checkpoint.layout import Shape
from workflow_scripts.checkpoint.lora import LoraSizes, lora_layout
from workflow_scripts.checkpoint.sizes import AUDIO
from workflow_scripts.checkpoint.vocoder_layout import (
    BIGVGAN,
    BLOCK_KERNELS,
    DILATIONS,
    MELS,
    TAPS,
    VOCODER_V4,
    Stages,
    bigvgan_layout,
    vocoder_v4_layout,
)
from workflow_scripts.checkpoint.write import write_checkpoint, write_weights
from workflow_scripts.files import atomic, write_json
from workflow_scripts.random_voice.draw import drawn

TINY = replace(
    FULL,
    hidden_channels=64,
    filter_channels=64,
    n_layers=2,
    latent=64,
    gin_channels=64,
    features=48,
    width=128,
    depth=2,
    inner=128,
    text_inner=64,
)
TINY_STAGES = 64  # channels before the first stage of a small vocoder
KAISER_BETA = 4.663800127934911  # of the filter around BigVGAN's activations
_QUIETER = {  # factor by part of a name: mels and sound stay in range
    "cfm.estimator.proj_out": 0.3,
    ".attn_norm.": 0.3,
    ".norm_out.": 0.3,
    ".grn.": 0.3,
    "conv_pre": 0.1,
    ".convs2.": 0.5,
    "conv_post": 0.3,
}


def write_flow_matching(
    path: Path, family: str, sizes: CfmSizes, generator: torch.Generator
) -> None:
    """Write a whole v3 or v4 file; as trainers do, without a header."""
    weight = _drawn(cfm_layout(sizes), generator, torch.float16, sizes != FULL)
    write_checkpoint(path, weight, flow_matching_config(family, sizes), "0epoch_0iteration", PLAIN)


def write_lora(
    path: Path, family: str, sizes: CfmSizes, rank: int, generator: torch.Generator
) -> None:
    """Write a LoRA file over a base of these sizes; `family` is that of the base."""
    lora = LoraSizes(
        rank=rank,
        **{name: getattr(sizes, name) for name in LoraSizes.__dataclass_fields__ if name != "rank"},
    )
    weight = _drawn(lora_layout(lora), generator, torch.float16, sizes != FULL)
    (header,) = FAMILIES[f"{family} LoRA"].headers
    config = flow_matching_config(family, sizes)
    write_checkpoint(path, weight, config, "0epoch_0iteration", header, lora_rank=rank)


def flow_matching_config(family: str, sizes: CfmSizes) -> dict[str, Any]:
    """The config of a v3 or v4 file, nested dicts; much of it is of no account there either."""
    model = {
        "inter_channels": sizes.latent,
        "hidden_channels": sizes.hidden_channels,
        "filter_channels": sizes.filter_channels,
        "n_heads": sizes.n_heads,
        "n_layers": sizes.n_layers,
        "kernel_size": sizes.kernel_size,
        "gin_channels": sizes.gin_channels,
        "semantic_frame_rate": "25hz",
        "version": family,
    }
    return {"train": {"segment_size": 20480}, "data": dict(AUDIO), "model": model}


def write_bigvgan(folder: Path, full: bool, generator: torch.Generator) -> None:
    """Write the folder of a v3 vocoder."""
    stages = BIGVGAN if full else replace(BIGVGAN, initial=TINY_STAGES)
    weight = _drawn(bigvgan_layout(stages), generator, torch.float32, not full)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(folder / "bigvgan_generator.pt") as (part,):
        torch.save({"generator": weight}, part)
    with atomic(folder / "config.json") as (part,):
        write_json(part, bigvgan_config(stages))


def bigvgan_config(stages: Stages) -> dict[str, Any]:
    """What a BigVGAN folder says of itself."""
    return {
        "resblock": "1",
        "upsample_rates": list(stages.rates),
        "upsample_kernel_sizes": list(stages.kernels),
        "upsample_initial_channel": stages.initial,
        "resblock_kernel_sizes": list(BLOCK_KERNELS),
        "resblock_dilation_sizes": [list(DILATIONS)] * len(BLOCK_KERNELS),
        "use_tanh_at_final": False,
        "use_bias_at_final": False,
        "activation": "snakebeta",
        "snake_logscale": True,
        "num_mels": MELS,
        "n_fft": 1024,
        "hop_size": 256,
        "win_size": 1024,
        "sampling_rate": 24000,
        "fmin": 0,
        "fmax": None,
    }


def write_vocoder_v4(path: Path, full: bool, generator: torch.Generator) -> None:
    """Write a v4 vocoder."""
    stages = VOCODER_V4 if full else replace(VOCODER_V4, initial=TINY_STAGES)
    write_weights(path, _drawn(vocoder_v4_layout(stages), generator, torch.float32, not full))


def lowpass_filter() -> torch.Tensor:
    """The filter around BigVGAN's activations, float32 [1, 1, 12]: half the band is let through."""
    time = torch.arange(TAPS, dtype=torch.float64) - (TAPS - 1) / 2
    window = torch.kaiser_window(TAPS, periodic=False, beta=KAISER_BETA, dtype=torch.float64)
    taps = window * torch.sinc(time / 2)
    return (taps / taps.sum()).float().reshape(1, 1, TAPS)


def _drawn(
    layout: dict[str, Shape], generator: torch.Generator, dtype: torch.dtype, shared: bool
) -> dict[str, torch.Tensor]:
    weight = drawn(layout, generator, dtype, shared)
    for name, tensor in weight.items():
        if name.endswith("inv_freq"):
            places = torch.arange(tensor.numel()) / tensor.numel()
            weight[name] = (10000.0**-places).to(dtype)
        elif name.endswith(".filter"):
            weight[name] = lowpass_filter()
        elif ".act." in name:
            weight[name] = torch.zeros_like(tensor)
        else:
            factor = math.prod(by for part, by in _QUIETER.items() if part in name)
            weight[name] = tensor if factor == 1 else tensor * factor
    return weight
