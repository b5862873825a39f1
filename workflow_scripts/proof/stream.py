"""Measure a stream: that its chunks join to one sound, and how far it is from the whole decode.

Tokens of the recorded chain, repeated, are streamed with several lookaheads. What is measured of
the seams is judged elsewhere; the distance from the whole decode is reported and not judged, since
an encoder that has not seen the end of a sentence can't answer as one that has.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from runtime import noise, records
from runtime.acoustic.kind import (
    AcousticModel,
    AcousticSettings,
    Conditioning,
    SpokenChunk,
    Streaming,
)
from runtime.arrays import Float32, Int64, Samples, Tokens
from runtime.backends import Threads
from runtime.cli import run
from runtime.graphs import VoiceGraphs
from runtime.model_settings import Defaults
from workflow_scripts.files import atomic
from workflow_scripts.proof.chain import ACOUSTIC_HELP, acoustic_of, named_files
from workflow_scripts.proof.chain_record import ChainRecord, save_sound
from workflow_scripts.proof.measured import STREAM, Case, FromWhole, StreamMeasured, Values
from workflow_scripts.proof.metrics import METRICS

TOKENS = 160
LOOKAHEADS = (6, 8, 10, 12, 14, 16, 20, 24)
DISTANCES = (0, 2, 4, 8, 16, 32)  # frames from the nearest seam, lower ends
AT_SEAM = range(4)  # frames from a seam where too little lookahead shows
AROUND = range(8, 32)  # where it does not
HARDLY_FARTHER = 1.4  # times as far from the whole decode as the frames around


@dataclass(frozen=True)
class Whole:
    """Some tokens, decoded whole: what streams of them are compared with."""

    tokens: Tokens
    conditioning: Conditioning
    frames: Float32
    samples: Float32


def decoded(acoustic: AcousticModel, tokens: Tokens, conditioning: Conditioning) -> Whole:
    """Decode some tokens whole."""
    spoken = acoustic.whole(tokens, conditioning)
    return Whole(tokens, conditioning, spoken.frames, spoken.samples)


def measure_stream(acoustic: AcousticModel, whole: Whole, streaming: Streaming) -> FromWhole:
    """Stream the same tokens and compare."""
    chunks = list(acoustic.stream(whole.tokens.tolist(), whole.conditioning, streaming))
    frames = np.concatenate([chunk.frames for chunk in chunks], -1)
    joined = np.concatenate([chunk.samples for chunk in chunks])
    at_once = acoustic.sound(frames, whole.conditioning)
    lost = METRICS["lost_samples"].measure(joined, whole.samples)
    length = min(joined.size, at_once.size, whole.samples.size)
    joined, at_once, sound = joined[:length], at_once[:length], whole.samples[:length]
    ends = np.cumsum([chunk.frames.shape[-1] for chunk in chunks])[:-1]
    away = frames_from_seams(frames.shape[-1], acoustic.seams(ends))
    bounds = [*DISTANCES, frames.shape[-1] + 1]
    return FromWhole(
        seam_error=METRICS["seam_error"].measure(joined, at_once),
        lost_samples=lost,
        latent_relative_rms=_relative_rms(frames, whole.frames, away >= 0),
        seam_relative_rms=_relative_rms(frames, whole.frames, np.isin(away, AT_SEAM)),
        around_relative_rms=_relative_rms(frames, whole.frames, np.isin(away, AROUND)),
        by_distance={
            low: _relative_rms(frames, whole.frames, inside) if inside.any() else None
            for low, high in pairwise(bounds)
            for inside in [(low <= away) & (away < high)]
        },
        log_mel_db=METRICS["log_mel_distance"].measure(joined, sound),
        seam_errors=tuple(_at_seams(joined, at_once, chunks)),
    )


def _at_seams(joined: Samples, at_once: Samples, chunks: Sequence[SpokenChunk]) -> Iterator[float]:
    """The largest difference near the end of each chunk but the last, within a frame."""
    frame = chunks[0].samples.size // chunks[0].frames.shape[-1]
    for end in accumulate(chunk.samples.size for chunk in chunks[:-1]):
        near = slice(max(0, end - frame), end + frame)
        yield METRICS["seam_error"].measure(joined[near], at_once[near])


def frames_from_seams(frames: int, seams: Int64) -> Int64:
    """How far each frame is from a seam between two calls, int64 [N]."""
    if not seams.size:
        return np.full(frames, frames)
    nearest: Int64 = np.abs(np.arange(frames)[:, None] - seams).min(1)
    return nearest


def _relative_rms(found: Float32, wanted: Float32, frames: Any) -> float:
    return METRICS["relative_rms"].measure(found[..., frames], wanted[..., frames])


def recommended(least: int) -> int:
    """The usual lookahead in tokens, or more where a voice's seams would stand out with it.

    Not less: a token costs a few milliseconds, and each brings the stream nearer to the whole.
    """
    return max(least, Defaults.lookahead_tokens)


def least_lookahead(measured: Mapping[int, FromWhole]) -> int:
    """The least lookahead in tokens, of those measured, at which seams hardly stand out."""
    return min(
        (lookahead for lookahead, found in measured.items() if not stands_out(found)),
        default=max(measured),
    )


def stands_out(found: FromWhole) -> bool:
    """Whether frames at seams are clearly farther from the whole decode than those around."""
    at, around = found.seam_relative_rms, found.around_relative_rms
    return at is None or around is None or not at <= HARDLY_FARTHER * around


def report_of(acoustic: AcousticModel, record: ChainRecord) -> StreamMeasured:
    """Everything that is measured of a voice's stream, as the verdict reads it."""
    tokens = np.resize(record.tokens, TOKENS)
    usual = _conditioning(record, 1.0)
    whole = decoded(acoustic, tokens, usual)
    tried = LOOKAHEADS if acoustic.streams_tokens else LOOKAHEADS[:1]
    by_lookahead = {
        c: measure_stream(acoustic, whole, Streaming(lookahead_tokens=c)) for c in tried
    }
    other = decoded(acoustic, tokens, _conditioning(record, record.speed))
    few = decoded(acoustic, tokens[: TOKENS // 4], usual)
    single = Streaming(1, 1.0, 1, min(LOOKAHEADS), 0)
    measured = {f"lookahead {c}": found for c, found in by_lookahead.items()} | {
        f"speed {record.speed:g}": measure_stream(acoustic, other, Streaming()),
    }
    if acoustic.streams_tokens:
        measured["single tokens"] = measure_stream(acoustic, few, single)
    least = least_lookahead(by_lookahead)
    cases = tuple(Case(name, _judged(found)) for name, found in measured.items())
    return StreamMeasured(
        graph=STREAM,
        metrics=_worst([case.metrics for case in cases]),
        cases=cases,
        from_whole=measured,
        least_lookahead_tokens=least,
        recommended_lookahead_tokens=recommended(least),
    )


def joined_sound(acoustic: AcousticModel, record: ChainRecord) -> Samples:
    """The recorded tokens as they sound when they are streamed, float32 [S]."""
    conditioning = _conditioning(record, record.speed)
    chunks = acoustic.stream(record.tokens.tolist(), conditioning, Streaming())
    return np.concatenate([chunk.samples for chunk in chunks])


def _conditioning(record: ChainRecord, speed: float) -> Conditioning:
    drawn = partial(noise.normals, record.seed, 0)
    settings = AcousticSettings(speed, record.noise_scale, record.sample_steps, steady=True)
    return Conditioning(record.phones, record.reference, drawn, settings)


def _judged(found: FromWhole) -> dict[str, float | None]:
    values = {"seam_error": found.seam_error, "lost_samples": found.lost_samples}
    return {f"{STREAM}_{name}": finite(value) for name, value in values.items()}


def finite(value: float | None) -> float | None:
    """The same; None for what is no number."""
    return None if value is None or not np.isfinite(value) else value


def _worst(cases: list[Values]) -> dict[str, float | None]:
    """Per metric the largest value; None if one is not finite."""
    columns = {name: [case[name] for case in cases] for name in cases[0]}
    return {
        name: None if None in values else max(value for value in values if value is not None)
        for name, values in columns.items()
    }


def main(argv: list[str] | None = None) -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("files", nargs="+", metavar="NAME=PATH", help="graphs that make sound")
    parser.add_argument("--answers", type=Path, required=True, help="record of PyTorch's chain")
    parser.add_argument("--acoustic", type=acoustic_of, required=True, help=ACOUSTIC_HELP)
    parser.add_argument("--threads", type=int, default=1, help="of each session")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--sound", type=Path, required=True, help="NPY file: the streamed samples")
    args = parser.parse_args(argv)
    graphs = VoiceGraphs(
        named_files(args.files), Path(), args.acoustic, threads=Threads(args.threads)
    )
    acoustic, record = graphs.acoustic_model(), ChainRecord.load(args.answers)
    report = report_of(acoustic, record)
    with atomic(args.output, args.sound) as (part, sound):
        part.write_text(records.text(report), "utf-8")
        save_sound(sound, joined_sound(acoustic, record))


if __name__ == "__main__":
    run(main)
