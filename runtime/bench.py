"""Time built voices: steps at several cache lengths, a sentence and its parts, a fresh process.

Every candidate speaks the same prompt and the same tokens, interleaved in one process, sentences
of lengths that never come again, as users' are; text and reference are left out. A step's ceiling
is what it must read, weights once and cached positions once, over the bandwidth that this process
reaches.
"""

import argparse
import sys
from pathlib import Path

from runtime import records
from runtime.cli import Parser, log_to_stderr, option, run
from runtime.errors import SettingError
from runtime.files import write_whole
from runtime.measure.benchmark import bench
from runtime.measure.candidates import BenchmarkOptions
from runtime.measure.reports import BenchReport
from runtime.measure.table import table


def parser() -> Parser:
    """The command line, which the comparison with PyTorch extends."""
    usual = BenchmarkOptions()
    made = Parser(command="bench", description=__doc__)
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
        ("rounds", "runs of each candidate"),
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
    option(made, "--scaling", action="store_true", help="time other lengths and threads too")
    option(
        made, "--users", type=int, nargs="+", default=[], metavar="N",
        help="time so many at once too; throughput is over that of the fewest",
    )  # fmt: skip
    option(made, "--text", type=Path, metavar="FILE", help="time this text as one request too")
    option(made, "--json", type=Path, metavar="FILE", help="write the report there, - to stdout")
    return made


def options_of(args: argparse.Namespace) -> BenchmarkOptions:
    """The work as the command line has it."""
    return BenchmarkOptions(
        args.tokens,
        args.rounds,
        args.threads,
        spinning=args.spinning,
        huge_pages=args.huge_pages,
        chunks=args.chunks,
        scaling=args.scaling,
        users=tuple(sorted(set(args.users))),
        text=_text_in(args.text) if args.text else "",
    )


def _text_in(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"--text {path}: it can't be read; give a file of UTF-8 text") from error


def publish(report: BenchReport, to: Path | None) -> None:
    """Print the table, and write the JSON where it is wanted."""
    content = records.text(report)
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
    options = options_of(args)
    publish(bench(args.voice, args.provider, options, {}), args.json)


if __name__ == "__main__":
    run(main)
