"""Time built voices: steps at several cache lengths, a sentence and its parts, a fresh process.

Every rival speaks the same prompt and the same tokens, turn by turn in one process; text and
reference are left out. A step's ceiling is what it must read, weights once and live cache rows
once, over the bandwidth that this process reaches.
"""

import argparse
import json
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from runtime import fresh, tuned
from runtime import manifest as manifests
from runtime.backends import Threads
from runtime.choices import Choice, choose
from runtime.cli import option, run
from runtime.decode import Decoder
from runtime.errors import SettingError
from runtime.files import write_whole
from runtime.graphs import VoiceGraphs
from runtime.manifest import Manifest
from runtime.processor import is_busy, load_average
from runtime.timing import BUFFER_BYTES, Spread, Timed, interleaved, memory_bandwidth
from runtime.workload import (
    FIRST_SOUND,
    FIRST_TOKENS,
    PARTS,
    PHONES,
    PROMPT_TOKENS,
    ROWS,
    STEPS_PER_TURN,
    TOTAL,
    Replay,
    Rival,
    Speaker,
)

COMPUTED_LARGER = {
    "fp16": 2,
    "fp16_stored": 2,
}  # precision → times the file's bytes that a step reads
WITHIN = 0.05  # the parts of a sentence and its total may differ by

Report = dict[str, Any]
Opener = Callable[[], "Entrant"]


@dataclass(frozen=True)
class Job:
    """How to measure.

    Attributes:
        tokens: new tokens of a sentence, 25 a second.
        rounds: turns of each rival.
        threads: of each session.
        buffer_bytes: what the memory's bandwidth is measured on.
        spinning, huge_pages: as `Threads` has them.
    """

    tokens: int = 100
    rounds: int = 15
    threads: int = 2
    buffer_bytes: int = BUFFER_BYTES
    spinning: bool = False
    huge_pages: bool = False

    def __post_init__(self) -> None:
        for name, least in (("tokens", FIRST_TOKENS), ("rounds", 1), ("threads", 1)):
            if getattr(self, name) < least:
                raise SettingError(f"--{name}: {getattr(self, name)} is below {least}; give more")


@dataclass(frozen=True)
class Entrant:
    """A rival with what is known of it before it runs.

    Attributes:
        rival: its ways of doing the work.
        facts: what the report tells of it: files, back ends.
        fresh: command line of a child that loads it and sounds once; () for none.
        ceiling_ms: rows → least milliseconds of a step; {} where it is not known.
    """

    rival: Rival
    facts: Mapping[str, Any]
    fresh: tuple[str, ...] = ()
    ceiling_ms: Mapping[int, float] = field(default_factory=dict)


def entrant(folder: Path, provider: str, job: Job, bandwidth: float) -> Entrant:
    """A bundle on back ends.

    Args:
        folder: the bundle.
        provider: as `choices.choose` takes it.
        job: how to measure.
        bandwidth: of the memory, bytes per second.

    Raises:
        BundleError, SettingError, MachineError: the bundle or the provider can't be used.
    """
    manifest = manifests.load(folder)
    manifests.verify(folder, manifest)
    choice = choose(provider, manifest)
    replay = Replay.of(job.tokens)
    if replay.rows > manifest.max_len:
        raise SettingError(
            f"--tokens: {job.tokens} and the prompt are {replay.rows} rows, {folder} holds"
            f" {manifest.max_len}; give fewer"
        )
    how = Threads(job.threads, job.spinning, job.huge_pages)
    speaker = Speaker(VoiceGraphs.of_bundle(folder, manifest, choice, how), replay)
    return Entrant(
        rival=speaker.rival(),
        facts=_facts(folder, manifest, choice),
        fresh=tuple(fresh.command(folder, provider, job.threads)),
        ceiling_ms=ceiling_ms(folder, manifest, speaker.decoder, bandwidth),
    )


def _facts(folder: Path, manifest: Manifest, choice: Choice) -> dict[str, Any]:
    """What was timed, so that a figure can be traced to its files."""
    return {
        "bundle": str(folder),
        "manifest_sha256": manifests.digest(folder / manifests.NAME),
        "family": manifest.family,
        "precision": manifest.precision,
        "backends": {name: choice.backends[name] for name in manifest.graphs},
        "disk_bytes": sum(file.size_bytes for file in manifest.files.values()),
    }


def ceiling_ms(
    folder: Path, manifest: Manifest, decoder: Decoder, bandwidth: float
) -> dict[int, float]:
    """Least milliseconds of a step by rows: weights and live cache rows, read once."""
    member, row_bytes = manifest.graphs["t2s_decoder"], decoder.cache_shape.row_bytes
    weights = manifest.files[member.file].size_bytes * COMPUTED_LARGER.get(member.precision, 1)
    return {rows: 1e3 * (weights + rows * row_bytes) / bandwidth for rows in ROWS}


def measure(entrants: Mapping[str, Entrant], job: Job) -> Report:
    """Time all entrants turn by turn; the last is the baseline.

    Args:
        entrants: by name.
        job: how.

    Returns:
        Per entrant its part of the report.
    """
    found: dict[str, Report] = {name: dict(one.facts) for name, one in entrants.items()}
    for name, one in entrants.items():  # before memory fills with what the others leave
        if one.fresh:
            found[name]["fresh"] = fresh.measured(one.fresh)
    _add_steps(found, entrants, job)
    add_parts(found, _parts(entrants, job), job)
    return found


def _add_steps(found: dict[str, Report], entrants: Mapping[str, Entrant], job: Job) -> None:
    for name in entrants:
        found[name]["step_ms"] = {}
    for rows in ROWS:
        timed = interleaved({n: one.rival.steps[rows] for n, one in entrants.items()}, job.rounds)
        for name, one in entrants.items():
            row = _in_ms(timed, name, list(entrants)[-1], STEPS_PER_TURN)
            ceiling = one.ceiling_ms.get(rows)
            if ceiling is not None:
                row |= {"ceiling_ms": ceiling, "share_of_ceiling": ceiling / row["median"]}
            found[name]["step_ms"][f"{rows}"] = row


def _parts(entrants: Mapping[str, Entrant], job: Job) -> dict[str, Timed]:
    """Parts, total and first sound of all entrants in the same rounds."""
    parts = (*PARTS, TOTAL, FIRST_SOUND)
    ways = {
        f"{part} {name}": one.rival.parts[part] for part in parts for name, one in entrants.items()
    }
    timed = interleaved(ways, job.rounds, warmup=1)
    return {
        part: Timed({name: timed.seconds[f"{part} {name}"] for name in entrants}) for part in parts
    }


def add_parts(found: Mapping[str, Report], timed: Mapping[str, Timed], job: Job) -> None:
    """Tell the times of the parts and of the whole, and what follows from them.

    Args:
        found: rival → its part of the report, which is added to; the last rival is the baseline.
        timed: name in PARTS, TOTAL and FIRST_SOUND → times of all rivals.
        job: how it was measured.
    """
    *_, baseline = found
    for name in found:
        summed = np.sum([timed[part].seconds[name] for part in PARTS], axis=0)
        share = Spread.of(summed / timed[TOTAL].seconds[name])
        medians = {part: timed[part].spread(name).median for part in (*PARTS, TOTAL)}
        found[name].update(
            {
                "parts_ms": {part: _in_ms(timed[part], name, baseline) for part in PARTS},
                "total_ms": _in_ms(timed[TOTAL], name, baseline),
                "parts_of_total": share.as_json(),
                "parts_add_up": abs(share.median - 1) <= WITHIN,
                "ttfa_warm_ms": _in_ms(timed[FIRST_SOUND], name, baseline),
                "rtf": medians[TOTAL] / Replay.of(job.tokens).seconds,
                "tokens_per_s": (job.tokens - 1) / medians["steps"],
                "sampler_ms_per_token": 1e3 * medians["sampler"] / job.tokens,
            }
        )


def _in_ms(timed: Timed, name: str, baseline: str, works: int = 1) -> Report:
    """The spread of one rival, and how many times faster than the baseline it is."""
    spread = {k: 1e3 * v / works for k, v in timed.spread(name).as_json().items()}
    return {**spread, "times_faster": timed.ratio(name, to=baseline).as_json()}


def bench(
    folders: Sequence[Path], providers: Sequence[str], job: Job, others: Mapping[str, Opener]
) -> Report:
    """Time bundles on back ends beside other rivals.

    Args:
        folders: bundles.
        providers: each bundle is timed on each of these.
        job: how.
        others: name → opens a rival that is no bundle; the last of all is the baseline.

    Returns:
        Everything that is told, machine and work included.
    """
    load = load_average()  # before we are a load ourselves
    bandwidth = memory_bandwidth(job.threads, buffer_bytes=job.buffer_bytes)
    entrants = {
        _name(folder, provider): entrant(folder, provider, job, bandwidth)
        for folder in folders
        for provider in providers
    } | {name: opened() for name, opened in others.items()}
    return {
        "machine": asdict(tuned.this_machine()) | {"system": platform.platform()},
        "python": platform.python_version(),
        "load_average": load,
        "busy": is_busy(load),
        "work": asdict(job) | {"phones": PHONES, "prompt_tokens": PROMPT_TOKENS},
        "bandwidth_gb_per_s": bandwidth / 1e9,
        "baseline": list(entrants)[-1],
        "rivals": measure(entrants, job),
    }


def _name(folder: Path, provider: str) -> str:
    return f"{folder} on {provider}"


def table(report: Mapping[str, Any]) -> str:
    """The report for people: the ceiling first, then what was reached."""
    work, machine = report["work"], report["machine"]
    busy = f" BUSY (load {report['load_average']}): don't go by these figures" * bool(
        report["busy"]
    )
    lines = [
        f"{machine['processor']}, {work['threads']} threads,"
        f" reads {report['bandwidth_gb_per_s']:.1f} GB/s;{busy}",
        f"{work['phones']} phones, {work['prompt_tokens']} prompt tokens, {work['tokens']} new"
        f" tokens, {work['rounds']} rounds; times faster than {report['baseline']}",
    ]
    for name, found in report["rivals"].items():
        lines += ["", name, *_step_lines(found), *_part_lines(found), *_sum_lines(found)]
    return "\n".join([*lines, ""])


def _step_lines(found: Mapping[str, Any]) -> list[str]:
    lines = []
    for rows, row in found["step_ms"].items():
        reached = ""
        if "ceiling_ms" in row:
            share = 100 * row["share_of_ceiling"]
            reached = f"  {share:.0f} % of the ceiling, {row['ceiling_ms']:.2f} ms"
        lines.append(f"  {f'step at {rows} rows':20} {_row(row)}{reached}")
    return lines


def _part_lines(found: Mapping[str, Any]) -> list[str]:
    parts = {**found["parts_ms"], "total": found["total_ms"], "ttfa_warm": found["ttfa_warm_ms"]}
    return [f"  {part:20} {_row(row)}" for part, row in parts.items()]


def _sum_lines(found: Mapping[str, Any]) -> list[str]:
    add_up = "yes" if found["parts_add_up"] else "NO"
    share = 100 * found["parts_of_total"]["median"]
    lines = [
        f"  parts add up to {share:.1f} % of the total (within 5 %: {add_up})",
        f"  rtf {found['rtf']:.3f}, {found['tokens_per_s']:.0f} tokens/s,"
        f" sampler {found['sampler_ms_per_token']:.3f} ms a token",
    ]
    if "fresh" in found:
        new = found["fresh"]
        lines.append(
            f"  fresh process: load {new['load_s']:.2f} s, first sound {new['ttfa_cold_s']:.2f} s,"
            f" memory {_mb(new['rss_bytes'])}, at most {_mb(new['rss_peak_bytes'])}"
        )
    if "disk_bytes" in found:
        lines.append(f"  disk {_mb(found['disk_bytes'])}")
    return lines


def _mb(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 1e6:.0f} MB"


def _row(row: Mapping[str, Any]) -> str:
    quartiles = f"{row['lower']:.2f}..{row['upper']:.2f}"
    times = row["times_faster"]
    faster = f"{times['median']:.2f} x ({times['lower']:.2f}..{times['upper']:.2f})"
    return f"{row['median']:9.2f} ms {quartiles:>18} {faster:>24}"


def parser() -> argparse.ArgumentParser:
    """The command line, which the comparison with PyTorch extends."""
    usual = Job()
    made = argparse.ArgumentParser(
        prog="python -m runtime.bench", description=__doc__, allow_abbrev=False
    )
    option(
        made, "-m", "--voice", type=Path, nargs="+", required=True, metavar="DIR", help="bundles"
    )
    option(
        made,
        "--provider",
        nargs="+",
        default=["auto"],
        metavar="NAME",
        help="back ends, as for runtime.tts; each bundle is timed on each (default: auto)",
    )
    for name, text in (
        ("tokens", "new tokens of a sentence, 25 a second"),
        ("rounds", "turns of each rival"),
        ("threads", "of each session"),
    ):
        number = getattr(usual, name)
        option(
            made, f"--{name}", type=int, default=number, metavar="N",
            help=f"{text} (default: {number})",
        )  # fmt: skip
    option(made, "--spinning", action="store_true", help="let idle threads of ours spin")
    option(made, "--huge-pages", action="store_true", help="KV caches on pages of 2 MiB (Linux)")
    option(made, "--json", type=Path, metavar="FILE", help="write the report there, - to stdout")
    return made


def job_of(args: argparse.Namespace) -> Job:
    """What the command line says of the work."""
    return Job(
        args.tokens,
        args.rounds,
        args.threads,
        spinning=args.spinning,
        huge_pages=args.huge_pages,
    )


def publish(report: Mapping[str, Any], to: Path | None) -> None:
    """Print the table, and write the JSON where it is wanted."""
    content = json.dumps(report, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    if to is not None and str(to) == "-":
        sys.stdout.write(content)
        return
    if to is not None:
        write_whole(to, content)
    sys.stdout.write(table(report))


def main(argv: list[str] | None = None) -> None:
    """Parse, time, print."""
    args = parser().parse_args(argv)
    job = job_of(args)
    publish(bench(args.voice, args.provider, job, {}), args.json)


if __name__ == "__main__":
    run(main)
