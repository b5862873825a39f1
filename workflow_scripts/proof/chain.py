"""Measure how far the runtime is from PyTorch along the whole chain, stage by stage.

Each stage gets PyTorch's own input, so that one stage's distance is not charged to the next: prompt
tokens and style from audio, logits under teacher forcing, a free run with the recorded seed, latent
frames and samples from the recorded tokens. What is measured is judged elsewhere.
"""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime import noise, records
from runtime.acoustic.kind import AcousticModel, AcousticSettings, Conditioning, SpokenChunk
from runtime.arrays import Float32, Samples, Tokens
from runtime.audio import Audio
from runtime.backends import Threads
from runtime.cli import run
from runtime.contract import GRAPHS, STEP_TABLES
from runtime.errors import UsageError
from runtime.graphs import VoiceGraphs
from runtime.manifest import Acoustic
from runtime.t2s.request import Finish, Limits, Prompt, TokenSource, forced_logits, sampled
from runtime.t2s.sampler import Sampling
from workflow_scripts.files import atomic
from workflow_scripts.proof.chain_record import ChainRecord, save_sound
from workflow_scripts.proof.measured import CHAIN, Case, ChainMeasured, Steps
from workflow_scripts.proof.metrics import METRICS

ROWS = 2048  # of cache, above any record
ACOUSTIC_HELP = "the manifest's `acoustic` of the voice, JSON"
ABSENT = -1  # no token has this number
FREE_RUNS, LONGEST_TOKENS = 12, 250  # free runs, each of 10 s at most


def measure_chain(graphs: VoiceGraphs, record: ChainRecord) -> tuple[ChainMeasured, Samples]:
    """The distances of a chain from its record, and its sound of the recorded tokens."""
    decoder = graphs.decoder()
    logits: Float32 = forced_logits(decoder, _prompt(record), record.tokens, ROWS)
    free = _sampled(decoder, record, record.seed, record.tokens.size)
    model = graphs.acoustic_model()
    spoken = _rendered(model, record)
    samples = spoken.samples
    values = {
        **_encoded(graphs, model, record),
        "logits_max_abs": _distance("max_abs", logits, record.logits),
        "logits_kl": _distance("kl", logits, record.logits),
        "logits_top1_agreement": _distance("top1_agreement", logits, record.logits),
        "tokens_token_equality": _distance("token_equality", free, record.tokens),
        f"{model.frames_name}_max_abs": _distance("max_abs", spoken.frames, record.frames),
        "audio_max_abs": _distance("max_abs", samples, record.samples),
        "audio_snr_db": _distance("snr_db", samples, record.samples),
        "audio_log_mel_distance": _distance("log_mel_distance", samples, record.samples),
    }
    metrics = {name: value if np.isfinite(value) else None for name, value in values.items()}
    measured = ChainMeasured(
        graph=CHAIN,
        metrics=metrics,
        cases=(Case(CHAIN, metrics),),
        finite=None not in metrics.values(),
        steps=_steps(logits, record.logits),
        sampled_tokens=tuple(
            _sampled(decoder, record, seed, LONGEST_TOKENS).size for seed in range(FREE_RUNS)
        ),
    )
    return measured, samples


def _prompt(record: ChainRecord) -> Prompt:
    phones = np.concatenate([record.reference_phones, record.phones])
    return Prompt(phones, record.text_features, record.prompt_tokens)


def _encoded(graphs: VoiceGraphs, model: AcousticModel, record: ChainRecord) -> dict[str, float]:
    """Prompt tokens of the reference, and what the acoustic model keeps of it."""
    audio = Audio(record.audio_samples, record.audio_rate)
    references = graphs.references()
    tokens = references.prompt_tokens(audio)
    encoded = references.encoded([audio], model.wants)
    kept = model.primed(encoded, record.prompt_tokens, record.reference_phones)
    return {
        "prompt_tokens_token_equality": _distance("token_equality", tokens, record.prompt_tokens),
        **{
            f"{name}_relative_rms": _distance("relative_rms", kept[name], wanted)
            for name, wanted in record.reference.items()
        },
    }


def _steps(found: Float32, wanted: Float32) -> Steps:
    """Each step with its given token alone."""
    by_step = [METRICS["kl"].measure(a[None], b[None]) for a, b in zip(found, wanted, strict=True)]
    return Steps(
        kl=tuple(value if np.isfinite(value) else None for value in by_step),
        same_best=tuple((found.argmax(-1) == wanted.argmax(-1)).tolist()),
    )


def _sampled(decoder: TokenSource, record: ChainRecord, seed: int, most: int) -> Tokens:
    """The tokens of a free run, int64 [T]; it ends by itself, or after `most`."""
    limits = Limits(early_stop_tokens=most - 1, max_len=ROWS)
    chooser = sampled(Sampling(), partial(noise.exponentials, seed, 0))
    return np.fromiter(decoder.tokens(_prompt(record), chooser, limits, Finish()), np.int64)


def _rendered(model: AcousticModel, record: ChainRecord) -> SpokenChunk:
    """The recorded tokens, spoken."""
    drawn = partial(noise.normals, record.seed, 0)
    settings = AcousticSettings(record.speed, record.noise_scale, record.sample_steps)
    conditioning = Conditioning(record.phones, record.reference, drawn, settings)
    return model.whole(record.tokens, conditioning)


def _distance(metric: str, found: NDArray[Any], wanted: NDArray[Any]) -> float:
    """One metric; where lengths differ, what one side lacks counts as different."""
    if found.shape != wanted.shape and wanted.ndim == 1:
        length = max(found.size, wanted.size)
        found, wanted = (
            np.pad(a, (0, length - a.size), constant_values=fill)
            for a, fill in ((found, ABSENT), (wanted, ABSENT - 1))
        )
    return METRICS[metric].measure(found, wanted)


def main(argv: list[str] | None = None) -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("files", nargs="+", metavar="NAME=PATH", help="graphs and tables")
    parser.add_argument("--answers", type=Path, required=True, help="record of PyTorch's chain")
    parser.add_argument("--acoustic", type=acoustic_of, required=True, help=ACOUSTIC_HELP)
    parser.add_argument("--threads", type=int, default=1, help="of each session")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--sound", type=Path, required=True, help="NPY file: its samples")
    args = parser.parse_args(argv)
    files = named_files(args.files)
    graphs = VoiceGraphs(
        {name: path for name, path in files.items() if name in GRAPHS},
        files[Path(STEP_TABLES).stem],
        args.acoustic,
        threads=Threads(args.threads),
    )
    found, samples = measure_chain(graphs, ChainRecord.load(args.answers))
    with atomic(args.output, args.sound) as (part, sound):
        part.write_text(records.text(found), "utf-8")
        save_sound(sound, samples)


def acoustic_of(text: str) -> Acoustic:
    """What a manifest states of an acoustic model, as JSON.

    Raises:
        UsageError: it is none.
    """
    try:
        content = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--acoustic: no JSON ({error}); give the manifest's acoustic") from None
    return records.parse(Acoustic, content, "--acoustic", UsageError)


def named_files(pairs: list[str]) -> dict[str, Path]:
    """Files by name, of `NAME=PATH` words.

    Raises:
        UsageError: a word has no name.
    """
    for pair in pairs:
        if "=" not in pair:
            raise UsageError(f"{pair}: not NAME=PATH; name the graph before its file")
    return {name: Path(path) for name, path in (pair.split("=", 1) for pair in pairs)}


if __name__ == "__main__":
    run(main)
