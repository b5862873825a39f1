"""Our acoustic model: its sizes, how it begins, and the file that it is written to."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.quantizer import codebook
from training.sovits_latent import QUIET
from workflow_scripts.checkpoint.families import FAMILIES, PLAIN, SYMBOL_TABLES
from workflow_scripts.checkpoint.layout import sovits_layout
from workflow_scripts.checkpoint.sizes import AUDIO, sovits_sizes
from workflow_scripts.checkpoint.write import write_checkpoint
from workflow_scripts.models.encoders import EncoderSizes
from workflow_scripts.models.sovits import Sovits
from workflow_scripts.models.vocoder import VocoderSizes
from workflow_scripts.random_voice.__main__ import SHARED_SIZES

FAMILY = "v2"
_FLOW_SEED = 1


@dataclass(frozen=True)
class Sizes:
    """What differs from a full-size `config.model`.

    Attributes:
        filters: inner width of the encoders.
        layers: of the phone encoder; the other two have half as many.
        kernel: of the convolutions in them.
        initial: channels before the vocoder's first stage.
        rates: of its stages.
        kernels: of their transposed convolutions.
        block_kernels: of the residual blocks of a stage.
        block_steps: dilations in each of them.
    """

    filters: int = 384
    layers: int = 4
    kernel: int = 5
    initial: int = 128
    rates: tuple[int, ...] = (10, 8, 8)
    kernels: tuple[int, ...] = (20, 24, 24)
    block_kernels: tuple[int, ...] = (3,)
    block_steps: tuple[int, ...] = (1, 3, 5)


def config_of(sizes: Sizes) -> dict[str, Any]:
    """The configuration of the file, as the trainer nests it."""
    model = SHARED_SIZES | {
        "filter_channels": sizes.filters,
        "n_layers": sizes.layers,
        "kernel_size": sizes.kernel,
        "upsample_initial_channel": sizes.initial,
        "upsample_rates": list(sizes.rates),
        "upsample_kernel_sizes": list(sizes.kernels),
        "resblock_kernel_sizes": list(sizes.block_kernels),
        "resblock_dilation_sizes": [list(sizes.block_steps) for _ in sizes.block_kernels],
        "version": FAMILY,
    }
    audio = {"max_wav_value": 32768.0, "n_mel_channels": 128, "mel_fmin": 0.0, "mel_fmax": None}
    return {
        "train": {"segment_size": 20480},
        "data": {**AUDIO, **audio, "add_blank": True, "n_speakers": 300, "cleaned_text": True},
        "model": model,
        "version": FAMILY,
    }


def network(sizes: Sizes, seed: int) -> Sovits:
    """A new model; its flow changes nothing, and it stays so."""
    torch.manual_seed(seed)
    model = config_of(sizes)["model"]
    row = FAMILIES[FAMILY]
    encoder = EncoderSizes(
        hidden=model["hidden_channels"],
        filters=sizes.filters,
        heads=model["n_heads"],
        layers=sizes.layers,
        kernel=sizes.kernel,
        latent=model["inter_channels"],
        symbols=SYMBOL_TABLES[row.symbols].sovits_rows,
    )
    vocoder = VocoderSizes(
        latent=model["inter_channels"],
        style=model["gin_channels"],
        initial=sizes.initial,
        rates=sizes.rates,
        kernels=sizes.kernels,
        block_kernels=sizes.block_kernels,
        block_dilations=tuple(sizes.block_steps for _ in sizes.block_kernels),
    )
    sovits = Sovits(encoder, vocoder, row.spectrogram_bins, takes_speaker=False)
    with torch.no_grad():
        sovits.codebook.weight.copy_(torch.from_numpy(codebook()))
        nn.init.normal_(sovits.enc_p.ssl_proj.weight)  # each row of the codebook has three ones
        for coupling in sovits.flow.flows.values():
            for table in coupling.get_submodule("post").parameters():
                table.zero_()
        for name, table in sovits.enc_p.named_parameters():
            if ".conv_o." in name:
                table.zero_()
    keep_still(sovits)
    return sovits


def keep_still(sovits: Sovits) -> None:
    """Give the prior next to no noise."""
    with torch.no_grad():
        for name, value in (("weight", 0.0), ("bias", QUIET)):
            sovits.enc_p.get_parameter(f"proj.{name}")[sovits.latent_width :] = value


def learning(sovits: Sovits) -> nn.ModuleDict:
    """The parts that are trained."""
    prior = sovits.enc_p
    return nn.ModuleDict(
        {
            "ssl_proj": prior.ssl_proj,
            "encoder_ssl_ffn": prior.encoder_ssl.ffn_layers,
            "encoder_ssl_norm_1": prior.encoder_ssl.norm_layers_1,
            "encoder_ssl_norm_2": prior.encoder_ssl.norm_layers_2,
            "c_pre": prior.mrte.c_pre,
            "c_post": prior.mrte.c_post,
            "encoder2_ffn": prior.encoder2.ffn_layers,
            "encoder2_norm_1": prior.encoder2.norm_layers_1,
            "encoder2_norm_2": prior.encoder2.norm_layers_2,
            "proj": prior.proj,
            "ref_enc": sovits.ref_enc,
            "dec": sovits.dec,
        }
    )


def write_voice(path: Path, sovits: Sovits, sizes: Sizes, iterations: int) -> None:
    """Write a model as a trainer's file, float16.

    Weights that a zero behind them silences (of the flow, attention and the phone encoder) lie on
    one row of storage, and the codebook's running mean on the codebook.

    Args:
        path: of the file; appears whole or not at all.
        sovits: the model.
        sizes: its sizes.
        iterations: what the file states of its training.

    Raises:
        OSError: the file can't be written.
    """
    config = config_of(sizes)
    layout = sovits_layout(sovits_sizes(config, str(path)), FAMILY)
    held = {key: value.detach().float() for key, value in sovits.state_dict().items()}
    weight = _stored(held, layout)
    write_checkpoint(path, weight, config, f"1epoch_{iterations}iteration", PLAIN)


def _stored(held: Mapping[str, Tensor], layout: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    codebook = "quantizer.vq.layers.0._codebook"
    embed = held["codebook.weight"].half()
    stored = {
        f"{codebook}.inited": torch.ones(1, dtype=torch.float16),
        f"{codebook}.cluster_size": torch.ones(len(embed), dtype=torch.float16),
        f"{codebook}.embed": embed,
        f"{codebook}.embed_avg": embed,
    }
    row = torch.randn(1 << 13, generator=torch.Generator().manual_seed(_FLOW_SEED)).half() * 0.02
    for name, shape in layout.items():
        if name in stored:
            continue
        if silenced(name):
            stored[name] = row[: shape[-1] * (shape[-2] if len(shape) > 1 else 1)].as_strided(
                shape, _strides(shape)
            )
        elif name.endswith(".weight_g"):
            direction = held[f"{name.removesuffix('_g')}"]
            axes = list(range(1, direction.dim()))
            stored[name] = torch.linalg.vector_norm(direction, dim=axes, keepdim=True).half()
        else:
            key = name.removesuffix("_v") if name.endswith(".weight_v") else name
            stored[name] = held[key].half()
    return {name: stored[name] for name in layout}


def silenced(name: str) -> bool:
    """Whether a zero behind it keeps a tensor of the file inaudible."""
    if name.startswith("flow."):
        return ".post." not in name
    if name.startswith(("enc_p.encoder_text.", "enc_p.text_embedding.", "enc_p.mrte.text_pre.")):
        return True
    attention = ".attn_layers." in name or ".cross_attention." in name
    return attention and ".conv_o." not in name


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Every matrix the same row again and again, each tensor inside 8,192 numbers."""
    return (0,) * (len(shape) - 1) + (1,) if len(shape) > 1 else (1,)
