"""Measure how far the runtime is from PyTorch along the whole chain, stage by stage.

Each stage gets PyTorch's own input, so that one stage's distance is not charged to the next: prompt
tokens and style from audio, scores under teacher forcing, a free run with the recorded seed, latent
frames and samples from the recorded tokens. What is measured is judged elsewhere.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime import noise
from runtime.acoustic.kind import Delivery, Manner
from runtime.arrays import Float32
from runtime.audio import Audio
from runtime.backends import Threads
from runtime.cli import run
from runtime.contract import GRAPHS, STEP_TABLES
from runtime.errors import UsageError
from runtime.graphs import VoiceGraphs
from runtime.t2s.request import Ending, Limits, Prompt, forced_logits, sampled
from runtime.t2s.sampler import Sampling
from workflow_scripts.files import atomic, write_json
from workflow_scripts.proof.chain_record import ChainRecord
from workflow_scripts.proof.metrics import METRICS

ROWS = 2048  # of cache, above any record
ABSENT = -1  # no token has this number


def measure_chain(graphs: VoiceGraphs, record: ChainRecord) -> dict[str, float]:
    """All metrics of the chain by name."""
    return _listening(graphs, record) | _decoding(graphs, record) | _rendering(graphs, record)


def _listening(graphs: VoiceGraphs, record: ChainRecord) -> dict[str, float]:
    audio = Audio(record.audio_samples, record.audio_rate)
    references = graphs.references()
    tokens, style = references.prompt_tokens(audio), references.style([audio])
    return {
        "prompt_tokens_token_equality": _distance("token_equality", tokens, record.prompt_tokens),
        "style_relative_rms": _distance("relative_rms", style, record.style),
    }


def _decoding(graphs: VoiceGraphs, record: ChainRecord) -> dict[str, float]:
    decoder = graphs.decoder()
    phones = np.concatenate([record.reference_phones, record.phones])
    prompt = Prompt(phones, record.text_features, record.prompt_tokens)
    limits = Limits(early_stop_tokens=record.tokens.size - 1, max_len=ROWS)
    scores: Float32 = forced_logits(decoder, prompt, record.tokens, ROWS)
    chooser = sampled(Sampling(), partial(noise.exponentials, record.seed, 0))
    free = list(decoder.tokens(prompt, chooser, limits, Ending()))
    return {
        "scores_max_abs": _distance("max_abs", scores, record.scores),
        "scores_kl": _distance("kl", scores, record.scores),
        "scores_top1_agreement": _distance("top1_agreement", scores, record.scores),
        "tokens_token_equality": _distance("token_equality", np.array(free), record.tokens),
    }


def _rendering(graphs: VoiceGraphs, record: ChainRecord) -> dict[str, float]:
    acoustic = graphs.acoustic()

    def frames(first: int, count: int) -> Float32:
        return noise.normals(record.seed, 0, first, count, acoustic.latent_width)

    delivery = Delivery(record.speed, record.noise_scale)
    manner = Manner(record.phones, record.style, frames, delivery)
    latent = acoustic.latent(record.tokens, manner)
    samples = acoustic.samples(latent, record.style)
    return {
        "latent_max_abs": _distance("max_abs", latent, record.latent),
        "audio_max_abs": _distance("max_abs", samples, record.samples),
        "audio_snr_db": _distance("snr_db", samples, record.samples),
        "audio_log_mel_distance": _distance("log_mel_distance", samples, record.samples),
    }


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
    parser.add_argument("--threads", type=int, default=1, help="of each session")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    files = named_files(args.files)
    graphs = VoiceGraphs(
        {name: path for name, path in files.items() if name in GRAPHS},
        files[Path(STEP_TABLES).stem],
        threads=Threads(args.threads),
    )
    measured = measure_chain(graphs, ChainRecord.load(args.answers))
    with atomic(args.output) as (part,):
        known = {name: value if np.isfinite(value) else None for name, value in measured.items()}
        cases = [{"case": "chain", "metrics": known}]
        write_json(part, {"graph": "chain", "cases": cases, "metrics": known})


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
