"""Write a voice of random weights in the trainers' file formats, with the bases that it needs.

It makes noise, not speech; sizes, formats and speed are those of a real one. Decoding never ends
by itself: EOS always scores 0.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import torch
import yaml

from runtime.cli import option, run
from workflow_scripts.checkpoint.cfm import FULL as CFM_FULL
from workflow_scripts.checkpoint.families import FAMILIES, PLAIN, SUPPORTED, SYMBOL_TABLES
from workflow_scripts.checkpoint.layout import sovits_layout, t2s_layout
from workflow_scripts.checkpoint.sizes import AUDIO, T2SSizes, sovits_sizes
from workflow_scripts.checkpoint.write import write_checkpoint, write_weights
from workflow_scripts.files import atomic, write_json
from workflow_scripts.random_voice import flow_matching
from workflow_scripts.random_voice.base_layout import (
    SSL_GROUPS,
    SSL_KERNELS,
    SSL_STRIDES,
    HubertSizes,
    RobertaSizes,
    SpeakerSizes,
    hubert_layout,
    roberta_layout,
    speaker_layout,
)
from workflow_scripts.random_voice.characters import tokenizer
from workflow_scripts.random_voice.draw import drawn

SHARED_SIZES: dict[str, Any] = {
    "inter_channels": 192,
    "hidden_channels": 192,
    "filter_channels": 768,
    "n_heads": 2,
    "n_layers": 6,
    "kernel_size": 3,
    "p_dropout": 0.1,
    "resblock": "1",
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
    "upsample_rates": [10, 8, 2, 2, 2],
    "upsample_initial_channel": 512,
    "upsample_kernel_sizes": [16, 16, 8, 2, 2],
    "n_layers_q": 3,
    "use_spectral_norm": False,
    "gin_channels": 512,
    "semantic_frame_rate": "25hz",
    "freeze_quantizer": True,
}
WRITTEN_HEADERS = {"v2Pro": "05", "v2ProPlus": "06"}  # the trainer leaves v1 and v2 files alone
LORA_RANK = 32
REFERENCE_HZ = 32000
REFERENCE_SECONDS = 4


@dataclass(frozen=True)
class VoiceSizes:
    """How large the networks of a random voice are.

    Attributes:
        hidden: width of the T2S rows.
        heads: of the T2S attention.
        layers: of the T2S network.
        sovits: what differs from a full-size `config.model`, Pro families' own part apart.
        style: width of the style in Pro families.
        hubert: of the SSL network.
        roberta: of the text-feature network.
        speaker: of the speaker network.
    """

    hidden: int
    heads: int
    layers: int
    sovits: tuple[tuple[str, int], ...]
    style: int
    hubert: HubertSizes
    roberta: RobertaSizes
    speaker: SpeakerSizes


FULL = VoiceSizes(
    hidden=512,
    heads=16,
    layers=24,
    sovits=(),
    style=1024,
    hubert=HubertSizes(),
    roberta=RobertaSizes(),
    speaker=SpeakerSizes(),
)
TINY = VoiceSizes(
    hidden=64,
    heads=4,
    layers=2,
    sovits=(("filter_channels", 64), ("n_layers", 2), ("upsample_initial_channel", 64)),
    style=64,
    hubert=HubertSizes(channels=32, layers=2, inner=64, position_kernel=16),
    roberta=RobertaSizes(layers=4, inner=64),
    speaker=SpeakerSizes(blocks=(1, 1, 1, 1), base_width=8),
)


def t2s_config(symbols: str, sizes: VoiceSizes) -> dict[str, Any]:
    """The config of a T2S file.

    Args:
        symbols: key of SYMBOL_TABLES.
        sizes: of the voice.

    Returns:
        Nested dicts, as the trainer stores them.
    """
    return {
        "data": {"max_eval_sample": 8, "max_sec": 54, "num_workers": 4, "pad_val": 1024},
        "model": {
            "vocab_size": 1025,
            "phoneme_vocab_size": SYMBOL_TABLES[symbols].t2s_rows,
            "embedding_dim": sizes.hidden,
            "hidden_dim": sizes.hidden,
            "head": sizes.heads,
            "linear_units": 2048,
            "n_layer": sizes.layers,
            "dropout": 0,
            "EOS": 1024,
            "random_bert": 0,
        },
        "inference": {"top_k": 15},
    }


def sovits_config(family: str, sizes: VoiceSizes) -> dict[str, Any]:
    """The config of a SoVITS file.

    Args:
        family: a supported key of FAMILIES.
        sizes: of the voice.

    Returns:
        Nested dicts, as the trainer stores them.
    """
    row = FAMILIES[family]
    model = SHARED_SIZES | dict(row.sizes) | dict(sizes.sovits) | {"version": family}
    if row.needs_speaker:
        model["gin_channels"] = sizes.style
    audio = {"max_wav_value": 32768.0, "n_mel_channels": 128, "mel_fmin": 0.0, "mel_fmax": None}
    return {
        "train": {"segment_size": 20480},
        "data": {**AUDIO, **audio, "add_blank": True, "n_speakers": 300, "cleaned_text": True},
        "model": model,
        "version": family,
    }


def write_t2s(path: Path, symbols: str, sizes: VoiceSizes, generator: torch.Generator) -> None:
    """Write a T2S file whose EOS never wins."""
    config = t2s_config(symbols, sizes)
    model = config["model"]
    t2s = T2SSizes(
        hidden=sizes.hidden,
        heads=sizes.heads,
        layers=sizes.layers,
        vocabulary=model["vocab_size"],
        phone_rows=model["phoneme_vocab_size"],
        max_sec=config["data"]["max_sec"],
    )
    weight = drawn(t2s_layout(t2s), generator, torch.float16, shared=False)
    weight["model.ar_predict_layer.weight"][model["EOS"]] = 0
    write_checkpoint(path, weight, config, "GPT-e0")


def write_sovits(path: Path, family: str, sizes: VoiceSizes, generator: torch.Generator) -> None:
    """Write a SoVITS file."""
    config = sovits_config(family, sizes)
    layout = sovits_layout(sovits_sizes(config, str(path)), family)
    weight = drawn(layout, generator, torch.float16, shared=sizes != FULL)
    header = WRITTEN_HEADERS.get(family, PLAIN)
    write_checkpoint(path, weight, config, "0epoch_0iteration", header)


def write_hubert(folder: Path, sizes: VoiceSizes, generator: torch.Generator) -> None:
    """Write an SSL folder."""
    layout = hubert_layout(sizes.hubert)
    weight = drawn(layout, generator, torch.float16, shared=sizes != FULL)
    channels = [sizes.hubert.channels] * len(SSL_KERNELS)
    config = {
        "architectures": ["HubertModel"],
        "model_type": "hubert",
        "conv_bias": False,
        "conv_dim": channels,
        "conv_kernel": list(SSL_KERNELS),
        "conv_stride": list(SSL_STRIDES),
        "num_feat_extract_layers": len(SSL_KERNELS),
        "feat_extract_norm": "group",
        "feat_extract_activation": "gelu",
        "feat_proj_layer_norm": True,
        "do_stable_layer_norm": False,
        "hidden_size": 768,
        "hidden_act": "gelu",
        "intermediate_size": sizes.hubert.inner,
        "layer_norm_eps": 1e-5,
        "num_attention_heads": 12,
        "num_conv_pos_embedding_groups": SSL_GROUPS,
        "num_conv_pos_embeddings": sizes.hubert.position_kernel,
        "num_hidden_layers": sizes.hubert.layers,
        "vocab_size": 32,
        "torch_dtype": "float16",
    }
    _write_folder(folder, config, weight)


def write_roberta(folder: Path, sizes: VoiceSizes, generator: torch.Generator) -> None:
    """Write a text-feature folder."""
    layout = roberta_layout(sizes.roberta)
    tied = "cls.predictions.decoder.weight"
    shape = layout.pop(tied)
    weight = drawn(layout, generator, torch.float16, shared=sizes != FULL)
    weight[tied] = weight["bert.embeddings.word_embeddings.weight"].reshape(shape)
    config = {
        "architectures": ["BertForMaskedLM"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": 1024,
        "intermediate_size": sizes.roberta.inner,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": 512,
        "num_attention_heads": 16,
        "num_hidden_layers": sizes.roberta.layers,
        "pad_token_id": 0,
        "type_vocab_size": 2,
        "vocab_size": shape[0],
        "torch_dtype": "float16",
    }
    _write_folder(folder, config, weight)
    with atomic(folder / "tokenizer.json") as (part,):
        write_json(part, tokenizer())


def write_speaker(path: Path, sizes: VoiceSizes, generator: torch.Generator) -> None:
    """Write a speaker network's file."""
    layout = speaker_layout(sizes.speaker)
    write_weights(path, drawn(layout, generator, torch.float32, shared=sizes != FULL))


def write_reference(path: Path, seed: int) -> None:
    """Write 4 s of a gliding buzz in syllables: voiced enough for a reference."""
    time = np.arange(REFERENCE_HZ * REFERENCE_SECONDS) / REFERENCE_HZ
    pitch_hz = 130 + 25 * np.sin(2 * np.pi * 0.7 * time)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / REFERENCE_HZ
    harmonics = range(1, 40)
    buzz = sum(
        np.sin(number * phase) / number * (0.4 + np.cos(number * time * 1.9) ** 2)
        for number in harmonics
    )
    breath = np.random.default_rng(seed).standard_normal(time.size) * 0.05
    syllables = np.sin(np.pi * 3.5 * time) ** 2
    sound = (buzz + breath) * (0.05 + syllables)
    sound *= 0.5 / np.abs(sound).max()
    with atomic(path) as (part,):
        soundfile.write(part, sound, REFERENCE_HZ, subtype="PCM_16", format="WAV")


def write_acoustic(path: Path, family: str, sizes: VoiceSizes, generator: torch.Generator) -> None:
    """Write an acoustic checkpoint of any family; of a LoRA, the LoRA alone."""
    row, whole = FAMILIES[family], CFM_FULL if sizes == FULL else flow_matching.TINY
    if row.kind == "vits":
        write_sovits(path, family, sizes, generator)
    elif row.base:
        flow_matching.write_lora(path, row.base, whole, LORA_RANK, generator)
    else:
        flow_matching.write_flow_matching(path, family, whole, generator)


class Further(NamedTuple):
    """A base that only some families have: its graph, its file or folder, and what writes it."""

    graph: str
    name: str
    write: Callable[[Path, VoiceSizes, torch.Generator], None]


FURTHER = {  # by the configuration's word
    "sv": Further("speaker", "speaker.ckpt", write_speaker),
    "bigvgan": Further(
        "bigvgan",
        "bigvgan",
        lambda at, sizes, draw: flow_matching.write_bigvgan(at, sizes == FULL, draw),
    ),
    "vocoder_v4": Further(
        "vocoder_v4",
        "vocoder_v4.pth",
        lambda at, sizes, draw: flow_matching.write_vocoder_v4(at, sizes == FULL, draw),
    ),
}


def write_voice(folder: Path, family: str, sizes: VoiceSizes, seed: int) -> Path:
    """Write a whole voice and what a build needs to find it.

    Args:
        folder: to write into; made if missing.
        family: a supported key of FAMILIES.
        sizes: of its networks.
        seed: same seed, same weights.

    Returns:
        The configuration to add to a build's own.

    Raises:
        OSError: a file can't be written.
    """
    row = FAMILIES[family]
    places = {name: folder / name for name in ("voice.ckpt", "voice.pth", "hubert", "roberta")}
    reference = folder / "reference.wav"
    further = {
        word: folder / name for word, (graph, name, _) in FURTHER.items() if graph in row.bases
    }
    base = folder / "base.pth" if row.base else None
    steps: list[Callable[[torch.Generator], None]] = [
        lambda draw: write_t2s(places["voice.ckpt"], row.symbols, sizes, draw),
        lambda draw: write_acoustic(places["voice.pth"], family, sizes, draw),
        lambda draw: write_hubert(places["hubert"], sizes, draw),
        lambda draw: write_roberta(places["roberta"], sizes, draw),
        *(partial(FURTHER[word].write, place, sizes) for word, place in further.items()),
    ]
    if base is not None:
        steps.append(lambda draw: write_acoustic(base, row.base, sizes, draw))
    for number, step in enumerate(steps):
        step(torch.Generator().manual_seed(seed * len(steps) + number))
    write_reference(reference, seed)
    voice = {
        "name": f"random-{family.replace(' ', '-')}",
        "gpt": str(places["voice.ckpt"]),
        "sovits": str(places["voice.pth"]),
        **({} if base is None else {"base": str(base)}),
        "reference": {"audio": str(reference), "text": "Good morning.", "lang": "en"},
    }
    shared = {
        "ssl": str(places["hubert"]),
        "bert": str(places["roberta"]),
        **{word: str(further[word]) if word in further else None for word in FURTHER},
    }
    overlay = folder / "voice.yaml"
    with atomic(overlay) as (part,):
        content = {"voices": [voice], "shared": shared}
        part.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), "utf-8")
    return overlay


def _write_folder(folder: Path, config: dict[str, Any], weight: dict[str, torch.Tensor]) -> None:
    write_weights(folder / "pytorch_model.bin", weight)
    with atomic(folder / "config.json") as (part,):
        write_json(part, config)


def main(argv: list[str] | None = None) -> None:
    """Write the voice that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--family", choices=SUPPORTED, required=True, help="kind of SoVITS file")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    option(parser, "--tiny", action="store_true", help="small networks: a few MB, for tests")
    args = parser.parse_args(argv)
    overlay = write_voice(args.out, args.family, TINY if args.tiny else FULL, args.seed)
    print(overlay)  # noqa: T201 - what to pass with --configfile


if __name__ == "__main__":
    run(main)
