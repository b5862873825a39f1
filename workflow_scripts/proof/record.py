"""Record what PyTorch answers along the whole chain, from reference audio and phones to samples.

The chain's phones are drawn from the voice's own table, so that the record needs no text front end
and no language. Everything that a later stage compares is kept: prompt tokens, what the
acoustic model keeps of the reference, the tokens of a sampled run, the logits before each of them,
frames and samples.
"""

import argparse
import io
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from runtime import audio as sound
from runtime import noise
from runtime.acoustic.kind import AcousticSettings, Conditioning
from runtime.audio import Audio
from runtime.cli import option, run
from runtime.reference import features
from runtime.t2s.request import sampled
from runtime.t2s.sampler import Sampling
from workflow_scripts.checkpoint.acoustic_sources import AcousticSources
from workflow_scripts.checkpoint.read import read
from workflow_scripts.checkpoint.source import Source
from workflow_scripts.files import atomic
from workflow_scripts.models.bases import read_tensor_file
from workflow_scripts.models.eres2net import load_eres2net
from workflow_scripts.models.hubert import load_hubert
from workflow_scripts.models.t2s import FEATURE_WIDTH, T2S, KVCache
from workflow_scripts.proof.chain_record import ChainRecord
from workflow_scripts.proof.spoken import SpokenInTorch, load_acoustic

SEED = 20261124
REFERENCE_PHONES, PHONES, FEATURE_PHONES = 24, 40, 10
TOKENS = 64
NOISE_SCALE, SPEED = 0.5, 1.1
STEPS = 4  # of a flow-matching sampler: each does the same work, more would only take longer


@dataclass(frozen=True)
class Networks:
    """The PyTorch models of one voice; `speaker` only in families that take a speaker embedding."""

    t2s: T2S
    acoustic: SpokenInTorch
    hubert: torch.nn.Module
    speaker: torch.nn.Module | None


def load_networks(
    gpt: Path | Source, acoustic: AcousticSources, ssl: Path | Source, speaker: Path | Source | None
) -> Networks:
    """Read the checkpoints and build the models."""
    t2s = read(gpt, "t2s")
    row, model = load_acoustic(acoustic)
    return Networks(
        t2s=T2S(t2s.weights, t2s.config, str(t2s.path)),
        acoustic=model,
        hubert=load_hubert(ssl),
        speaker=_speaker(speaker) if row.needs_speaker and speaker else None,
    )


def _speaker(given: Path | Source) -> torch.nn.Module:
    source = Source.of(given)
    weights = read_tensor_file(source)
    source.confirm()
    network: torch.nn.Module = load_eres2net(weights, f"{source.path}")
    return network


@torch.inference_mode()
def record_chain(networks: Networks, audio: Audio) -> ChainRecord:
    """Run the whole chain once in PyTorch."""
    generator = np.random.default_rng(SEED)
    symbols = min(networks.acoustic.symbols, networks.t2s.sizes.phone_rows)
    reference_phones = generator.integers(symbols, size=REFERENCE_PHONES)
    phones = generator.integers(symbols, size=PHONES)
    text_features = np.zeros((FEATURE_WIDTH, REFERENCE_PHONES + PHONES), np.float32)
    text_features[:, -FEATURE_PHONES:] = generator.standard_normal((FEATURE_WIDTH, FEATURE_PHONES))
    prompt_tokens = encode_reference(networks, audio)
    reference = networks.acoustic.primed(audio, networks.speaker, prompt_tokens, reference_phones)
    tokens, logits = speak_tokens(
        networks.t2s, (np.concatenate([reference_phones, phones]), text_features, prompt_tokens)
    )
    settings, drawn = AcousticSettings(SPEED, NOISE_SCALE, STEPS), partial(noise.normals, SEED, 0)
    conditioning = Conditioning(phones, reference, drawn, settings)
    frames = networks.acoustic.frames(tokens, conditioning)
    return ChainRecord(
        audio_samples=audio.samples,
        audio_rate=audio.rate,
        reference_phones=reference_phones,
        phones=phones,
        text_features=text_features,
        prompt_tokens=prompt_tokens,
        reference=reference,
        seed=SEED,
        tokens=tokens,
        logits=logits,
        noise_scale=NOISE_SCALE,
        speed=SPEED,
        sample_steps=STEPS,
        frames=frames,
        samples=networks.acoustic.sound(frames, conditioning),
    )


def encode_reference(networks: Networks, audio: Audio) -> NDArray[np.int64]:
    """Prompt tokens int64 [P] of a reference."""
    ssl = networks.hubert(torch.from_numpy(features.ssl_audio(audio)))
    tokens: NDArray[np.int64] = networks.acoustic.quantize(ssl)[0].numpy()
    return tokens


def speak_tokens(
    model: T2S, prompt: tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Sampled tokens int64 [T] with the logits float32 [T, V] before each.

    Args:
        model: the T2S model.
        prompt: phones [X], text features [1024, X], prompt tokens [P].
    """
    phones, text_features, prompts = (torch.from_numpy(part)[None] for part in prompt)
    cache = KVCache()
    choose = sampled(Sampling(), partial(noise.exponentials, SEED, 0))
    used = np.zeros(model.sizes.vocabulary, np.bool_)
    used[prompt[2]] = True
    logits, _ = model.decode(*model.embed(phones, text_features, prompts), cache)
    tokens: list[int] = []
    rows: list[NDArray[np.float32]] = []
    while len(tokens) < TOKENS:
        row = logits[0].numpy()
        token = choose(row, used, len(tokens))
        if token is None:
            break
        rows.append(row)
        tokens.append(token)
        used[token] = True
        logits = model.step(token, prompts.shape[1] + len(tokens) - 1, cache)
    return np.array(tokens, np.int64), np.stack(rows)


def main(argv: list[str] | None = None) -> None:
    """Parse, run PyTorch, write."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--gpt", type=Path, required=True, help="T2S checkpoint")
    parser.add_argument("--sovits", type=Path, required=True, help="SoVITS checkpoint")
    parser.add_argument("--ssl", type=Path, required=True, help="HuBERT folder")
    parser.add_argument("--sv", type=Path, help="ERes2NetV2 checkpoint, for the Pro families")
    parser.add_argument("--base", type=Path, help="SoVITS base of a LoRA")
    parser.add_argument("--bigvgan", type=Path, help="folder of the vocoder, for v3")
    parser.add_argument("--vocoder-v4", type=Path, help="vocoder, for v4")
    parser.add_argument("--reference-audio", type=Path, required=True, help="3 to 10 s")
    parser.add_argument("--output", type=Path, required=True, help="npz file to write")
    option(
        parser, "--sha256", type=json.loads, default={}, help="JSON: option to digest; or refuse"
    )
    args = parser.parse_args(argv)
    given = {
        word: path and Source(path, args.sha256.get(word))
        for word, path in {
            "gpt": args.gpt,
            "sovits": args.sovits,
            "base": args.base,
            "bigvgan": args.bigvgan,
            "vocoder_v4": args.vocoder_v4,
            "ssl": args.ssl,
            "sv": args.sv,
            "reference-audio": args.reference_audio,
        }.items()
    }
    vocoder, audio = given["bigvgan"] or given["vocoder_v4"], given["reference-audio"]
    acoustic = AcousticSources(given["sovits"], given["base"], vocoder)
    networks = load_networks(given["gpt"], acoustic, given["ssl"], given["sv"])
    stored = io.BytesIO(audio.content())
    audio.confirm()
    with atomic(args.output) as (part,):
        record_chain(networks, sound.decode(stored, str(audio.path))).save(part)


if __name__ == "__main__":
    run(main)
