"""Time built voices: steps at several cache lengths, a sentence and its parts, a fresh process.

Every rival speaks the same prompt and the same tokens, turn by turn in one process; text and
reference are left out. A step's ceiling is what it must read, weights once and live cache rows
once, over the bandwidth that this process reaches.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.cli import log_to_stderr, option, run
from runtime.files import write_whole
from runtime.measure.benchmark import Job, bench
from runtime.measure.table import table


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
        ("chunks", "chunks of a stream; 0 times none"),
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
        chunks=args.chunks,
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
    log_to_stderr()
    job = job_of(args)
    publish(bench(args.voice, args.provider, job, {}), args.json)


if __name__ == "__main__":
    run(main)
