"""Time a built voice: decode steps at several cache lengths, prefill and sampler, with the ceiling.

The ceiling is what a step reads, weights once and live cache rows once, over the bandwidth that
this process reaches. Fixed work: nothing here depends on when an utterance ends.
"""

import argparse
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from runtime import noise
from runtime.backends import Threads
from runtime.cli import option, run
from runtime.decode import Decoder, DecodeState, Ending, Limits, Prompt, sampled
from runtime.graphs import VoiceGraphs
from runtime.manifest import STEP_TABLES, load
from runtime.sampler import Sampling
from runtime.timing import Timed, Work, interleaved, memory_bandwidth

ROWS = (200, 500, 900)
PREFILL_PHONES, PREFILL_PROMPT = 60, 150
STEPS_PER_TURN = 8
FEATURE_WIDTH = 1024
FLOAT_BYTES = 4


@dataclass(frozen=True)
class StepWays:
    """Ways of doing the same decode work, by name of the rival.

    Attributes:
        steps: rows -> rival -> work of STEPS_PER_TURN steps.
        prefill: rival -> work of one prefill.
    """

    steps: Mapping[int, Mapping[str, Work]]
    prefill: Mapping[str, Work]


def repeated_steps(state: DecodeState, rows: int) -> None:
    """STEPS_PER_TURN steps at `rows` live rows."""
    for _ in range(STEPS_PER_TURN):
        state.cache.live_rows = rows - 1
        state.step(0, rows - 1)


def prefill_prompt(vocabulary: int) -> Prompt:
    """A prompt of the usual size, always the same."""
    generator = np.random.default_rng(0)
    return Prompt(
        phones=generator.integers(1, 300, PREFILL_PHONES),
        features=np.zeros((FEATURE_WIDTH, PREFILL_PHONES), np.float32),
        tokens=generator.integers(0, vocabulary - 1, PREFILL_PROMPT),
    )


def step_ways(decoders: Mapping[str, Decoder]) -> StepWays:
    """The ways of our own decoders."""
    steps = {
        rows: {
            name: partial(repeated_steps, decoder.state_at(rows), rows)
            for name, decoder in decoders.items()
        }
        for rows in ROWS
    }
    prefill = {name: partial(_prefill, decoder) for name, decoder in decoders.items()}
    return StepWays(steps, prefill)


def _prefill(decoder: Decoder) -> None:
    prompt = prefill_prompt(decoder.vocabulary)
    next(decoder.tokens(prompt, lambda *_: 0, Limits(), Ending()))


def sampler_work(vocabulary: int) -> Work:
    """STEPS_PER_TURN draws with the usual settings, noise included."""
    scores = np.random.default_rng(0).standard_normal(vocabulary).astype(np.float32)
    used = np.zeros(vocabulary, np.bool_)
    used[:PREFILL_PROMPT] = True
    choose = sampled(Sampling(), partial(noise.exponentials, 0, 0))

    def work() -> None:
        for step in range(STEPS_PER_TURN):
            choose(scores, used, END_STEP + step)

    return work


END_STEP = 20  # past the steps where the end token is held back


def time_steps(ways: StepWays, rounds: int) -> dict[str, Any]:
    """Milliseconds of a step per rival and rows, and of a prefill."""
    found: dict[str, Any] = {"step_ms": {}, "prefill_ms": {}}
    for rows, rivals in ways.steps.items():
        timed = interleaved(rivals, rounds)
        found["step_ms"][rows] = _in_ms(timed, STEPS_PER_TURN)
    found["prefill_ms"] = _in_ms(interleaved(ways.prefill, max(3, rounds // 4), 1), 1)
    return found


def _in_ms(timed: Timed, works: int) -> dict[str, Any]:
    """Per rival its spread, and how many times faster than the last rival it is."""
    *_, baseline = timed.seconds
    return {
        name: {
            **{k: 1e3 * v / works for k, v in timed.spread(name).as_json().items()},
            "times_faster": timed.ratio(name, to=baseline).as_json(),
        }
        for name in timed.seconds
    }


def machine() -> dict[str, Any]:
    """What ran it."""
    model = next(
        (line.split(":")[1].strip() for line in _cpu_lines() if line.startswith("model name")),
        platform.processor(),
    )
    return {"cpu": model, "cores": _cores(), "system": platform.platform()}


def _cpu_lines() -> Sequence[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text("utf-8").splitlines() if path.exists() else []


def _cores() -> int:
    return sum(line.startswith("processor") for line in _cpu_lines())


def voice_graphs(folder: Path, threads: int) -> VoiceGraphs:
    """The graphs of a bundle."""
    members = load(folder).graphs
    files = {name: folder / member.file for name, member in members.items()}
    return VoiceGraphs(files, folder / STEP_TABLES, threads=Threads(threads))


def ceiling_ms(decoder_file: Path, decoder: Decoder, bandwidth: float) -> dict[int, float]:
    """Least milliseconds of a step by rows: weights and live cache rows, read once."""
    shape = decoder.cache_shape
    row_bytes = 2 * shape.layers * shape.heads * shape.head_width * FLOAT_BYTES
    weights = decoder_file.stat().st_size
    return {rows: 1e3 * (weights + rows * row_bytes) / bandwidth for rows in ROWS}


def bench(folders: Sequence[Path], threads: int, rounds: int, rivals: StepWays) -> dict[str, Any]:
    """Time bundles beside rivals; the last rival, or the last bundle, is the baseline."""
    graphs = {str(folder): voice_graphs(folder, threads) for folder in folders}
    decoders = {name: found.decoder() for name, found in graphs.items()}
    ways = step_ways(decoders)
    joined = StepWays(
        {rows: {**ways.steps[rows], **rivals.steps.get(rows, {})} for rows in ROWS},
        {**ways.prefill, **rivals.prefill},
    )
    bandwidth = memory_bandwidth(threads)
    first = next(iter(decoders.values()))
    sampler = interleaved({"sampler": sampler_work(first.vocabulary)}, rounds)
    return {
        "machine": machine(),
        "work": {"threads": threads, "rounds": rounds, "steps_per_turn": STEPS_PER_TURN},
        "bandwidth_gb_per_s": bandwidth / 1e9,
        "ceiling_ms": {
            name: ceiling_ms(found.files["t2s_decoder"], decoders[name], bandwidth)
            for name, found in graphs.items()
        },
        **time_steps(joined, rounds),
        "sampler_ms": 1e3 * sampler.spread("sampler").median / STEPS_PER_TURN,
    }


def table(report: Mapping[str, Any]) -> str:
    """The report for people."""
    lines = [
        f"{report['machine']['cpu']}, {report['work']['threads']} threads,"
        f" reads {report['bandwidth_gb_per_s']:.1f} GB/s",
        f"{'':44} {'rows':>7} {'ms':>8} {'quartiles':>16} {'times':>7} {'of ceiling':>10}",
    ]
    for rows, rivals in report["step_ms"].items():
        for name, row in rivals.items():
            ceiling = report["ceiling_ms"].get(name)
            share = f"{100 * ceiling[rows] / row['median']:9.0f} %" if ceiling else ""
            lines.append(f"{name[-44:]:44} {rows:7} {_row(row)} {share}")
    for name, row in report["prefill_ms"].items():
        lines.append(f"{name[-44:]:44} prefill {_row(row)}")
    return "\n".join([*lines, f"sampler: {report['sampler_ms']:.3f} ms a step", ""])


def _row(row: Mapping[str, Any]) -> str:
    quartiles = f"{row['lower']:.2f}..{row['upper']:.2f}"
    return f"{row['median']:8.2f} {quartiles:>16} {row['times_faster']['median']:7.2f}"


def parser() -> argparse.ArgumentParser:
    """The command line, which the comparison with PyTorch extends."""
    made = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    option(made, "-m", "--voice", type=Path, nargs="+", required=True, help="bundle folders")
    option(made, "--threads", type=int, default=2, help="of each session (default: 2)")
    option(made, "--rounds", type=int, default=15, help="turns of each rival (default: 15)")
    option(made, "--json", type=Path, metavar="FILE", help="write the report there, - to stdout")
    return made


def publish(report: Mapping[str, Any], to: Path | None) -> None:
    """Print the table, and write the JSON where it is wanted."""
    content = json.dumps(report, ensure_ascii=False, indent=2) + "\n"
    if to is not None and str(to) == "-":
        sys.stdout.write(content)
        return
    if to is not None:
        to.write_text(content, "utf-8")
    sys.stdout.write(table(report))


def main(argv: list[str] | None = None) -> None:
    """Parse, time, print."""
    args = parser().parse_args(argv)
    report = bench(args.voice, args.threads, args.rounds, StepWays({}, {}))
    publish(report, args.json)


if __name__ == "__main__":
    run(main)
