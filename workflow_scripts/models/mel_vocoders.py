"""Read the vocoder of v3 (a BigVGAN folder) or of v4 (one file) into a network.

Both are published files that all voices of a family share, in formats of their own.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from runtime.errors import CheckpointError
from workflow_scripts.checkpoint.source import Source
from workflow_scripts.checkpoint.vocoder_layout import (
    BLOCK_KERNELS,
    DILATIONS,
    MELS,
    VOCODER_V4,
)
from workflow_scripts.models.bases import read_nested_tensors, read_tensor_file
from workflow_scripts.models.bigvgan import BigVgan, BigVganSizes
from workflow_scripts.models.vocoder import Vocoder, VocoderSizes
from workflow_scripts.models.weights import fill, folded

GENERATOR = "bigvgan_generator.pt"
_ACTIVATIONS = ("snake", "snakebeta")


def load_bigvgan(folder: Path | Source) -> BigVgan:
    """The vocoder of v3.

    Args:
        folder: with `config.json` and `bigvgan_generator.pt`, and which one it must be.

    Raises:
        CheckpointError: a file is missing or holds something else.
    """
    base = Source.of(folder)
    config = _config(base)
    if not base.has(GENERATOR):
        raise CheckpointError(f"{base.path}: no {GENERATOR}; fetch the weights of the BigVGAN")
    weights = read_nested_tensors(base, "generator", GENERATOR)
    base.confirm()
    return bigvgan(weights, config, f"{base.path / GENERATOR}")


def bigvgan(weights: Mapping[str, Tensor], config: Mapping[str, Any], where: str) -> BigVgan:
    """The vocoder of v3 from its tensors and its `config.json`; errors as of `load_bigvgan`."""
    with torch.device("meta"):
        network = BigVgan(_bigvgan_sizes(config, where))
    fill(network, folded(weights, where), where)
    return network


def load_vocoder_v4(path: Path | Source) -> Vocoder:
    """The vocoder of v4.

    Args:
        path: `vocoder.pth`, and which one it must be.

    Raises:
        CheckpointError: it can't be read or holds something else.
    """
    given = Source.of(path)
    weights = read_tensor_file(given)
    given.confirm()
    return vocoder_v4(weights, f"{given.path}")


def vocoder_v4(weights: Mapping[str, Tensor], where: str) -> Vocoder:
    """The vocoder of v4 from its tensors; errors as of `load_vocoder_v4`."""
    tensors = folded(weights, where)
    first = tensors.get("conv_pre.weight", torch.empty(0))
    shape = tuple(first.shape)
    if len(shape) != 3 or shape[1] != MELS or shape[0] % 2 ** len(VOCODER_V4.rates):
        found = list(shape) if first.numel() else "missing"
        raise CheckpointError(
            f"{where}: not the vocoder of v4 (conv_pre.weight is {found});"
            " give gsv-v4-pretrained/vocoder.pth"
        )
    sizes = VocoderSizes(
        latent=MELS,
        style=0,
        initial=shape[0],
        rates=VOCODER_V4.rates,  # in no file
        kernels=VOCODER_V4.kernels,
        block_kernels=BLOCK_KERNELS,
        block_dilations=(DILATIONS,) * len(BLOCK_KERNELS),
        final_bias=True,
    )
    with torch.device("meta"):
        network = Vocoder(sizes)
    fill(network, tensors, where)
    return network


MEL_VOCODERS: dict[str, Callable[[Path | Source], nn.Module]] = {  # by the name of their graph
    "bigvgan": load_bigvgan,
    "vocoder_v4": load_vocoder_v4,
}


def vocode(network: nn.Module, mel: Tensor) -> Tensor:
    """Samples, float32 [1, S], of a log-mel spectrogram [1, mels, N]."""
    audio: Tensor = network(mel)
    return audio.squeeze(1)


def _config(base: Source) -> Mapping[str, Any]:
    path = base.path / "config.json"
    if not base.has("config.json"):
        raise CheckpointError(f"{base.path}: no config.json; give the folder of a BigVGAN (24 kHz)")
    try:
        config = json.loads(base.content("config.json").decode("utf-8-sig"))
    except (ValueError, RecursionError) as fault:
        raise CheckpointError(f"{path}: not JSON ({fault}); fetch it again") from None
    if not isinstance(config, dict) or config.get("num_mels") != MELS:
        found = config.get("num_mels") if isinstance(config, dict) else None
        raise CheckpointError(
            f"{path}: num_mels is {found!r:.40}, v3 wants {MELS};"
            " give the folder of bigvgan_v2_24khz_100band_256x"
        )
    return config


def _bigvgan_sizes(config: Mapping[str, Any], where: str) -> BigVganSizes:
    activation = config.get("activation")
    if config.get("resblock") != "1" or activation not in _ACTIVATIONS:
        raise CheckpointError(
            f"{where}: resblock {config.get('resblock')!r} with activation {activation!r} is not"
            " known; give the folder of bigvgan_v2_24khz_100band_256x"
        )
    try:
        sizes = BigVganSizes(
            mels=MELS,
            initial=int(config["upsample_initial_channel"]),
            rates=tuple(config["upsample_rates"]),
            kernels=tuple(config["upsample_kernel_sizes"]),
            block_kernels=tuple(config["resblock_kernel_sizes"]),
            block_dilations=tuple(map(tuple, config["resblock_dilation_sizes"])),
            own_beta=activation == "snakebeta",
            log_scale=bool(config["snake_logscale"]),
            final_tanh=bool(config.get("use_tanh_at_final", True)),
            final_bias=bool(config.get("use_bias_at_final", True)),
        )
    except (KeyError, TypeError, ValueError) as fault:
        raise CheckpointError(f"{where}: {fault} is missing or no number; fetch it again") from None
    if len(sizes.rates) != len(sizes.kernels) or len(sizes.block_kernels) != len(
        sizes.block_dilations
    ):
        raise CheckpointError(f"{where}: rates and kernels differ in number; fetch it again")
    return sizes
