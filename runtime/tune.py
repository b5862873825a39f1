"""Measure on which back end each graph of a voice is fastest here, for --provider auto.

A back end is taken where it is faster than cpu and what it gives stays within a bar: the same
prompt tokens, the same sound to within half a decibel. The result is one file per machine.
"""

import math
import sys
from pathlib import Path

from runtime.backends import BACKENDS, tuned
from runtime.backends.tuned import Chosen, Entry, Tried
from runtime.cli import Parser, option, run
from runtime.errors import SettingError
from runtime.measure.tuning import TRIED, TuningOptions, candidates, label_of, tune


def table(entry: Entry) -> str:
    """An entry for people; the chosen back end has a star."""
    lines = [f"{entry.voice} {entry.precision}"]
    for graph, chosen in entry.graphs.items():
        for name, found in chosen.measured.items():
            star = "*" if name in _taken(chosen) else " "
            lines.append(f"{star} {graph:10} {name:24} {found.refused or _numbers(found, chosen)}")
    return "\n".join([*lines, ""])


def _taken(chosen: Chosen) -> set[str]:
    """The back end, and its windows where they are not the usual ones."""
    name = chosen.backend
    others = BACKENDS[name].windows[1:]
    return {name, *(label_of(name, row) for row in others if row.sizes == chosen.windows)}


def _numbers(found: Tried, chosen: Chosen) -> str:
    none = math.nan
    distance = none if found.distance is None else found.distance
    over = "" if distance <= chosen.bar else f", over {chosen.bar:g}"
    speed = f"{found.milliseconds or none:9.2f} ms {found.times_faster or none:6.2f} x"
    return f"{speed}  {chosen.metric} {distance:.2g}{over}"


def parser() -> Parser:
    """The command line."""
    made = Parser(command="tune", description=__doc__)
    option(
        made, "-m", "--voice", type=Path, nargs="+", required=True, metavar="DIR", help="bundles"
    )
    option(
        made, "--threads", type=int, default=0, metavar="N", help="of each graph; 0 takes all cores"
    )
    option(made, "--rounds", type=int, default=9, metavar="N", help="calls per graph (default: 9)")
    option(
        made,
        "--backends",
        nargs="+",
        choices=TRIED,
        metavar="NAME",
        help=f"which to try besides cpu: {', '.join(TRIED)} (default: all that are installed)",
    )
    option(
        made,
        "--output",
        type=Path,
        metavar="FILE",
        help="file to write (default: this machine's, which auto reads)",
    )
    return made


def main(argv: list[str] | None = None) -> None:
    """Parse, measure, write."""
    args = parser().parse_args(argv)
    if args.rounds < 1 or args.threads < 0:
        raise SettingError("--rounds, --threads: below 1 and 0; give a larger number")
    machine = tuned.this_machine()
    path = args.output or tuned.default_file(machine)
    tuned.load(path, machine)  # a file that can't be kept is refused before the work
    options = TuningOptions(args.threads, args.rounds, candidates(args.backends))
    for folder in args.voice:
        voice, entry = tune(folder, options)
        tuned.save(path, machine, voice, entry)
        sys.stdout.write(table(entry))
        if entry.busy:
            sys.stderr.write(f"load average {entry.load_average}: measure again when quiet\n")
    sys.stderr.write(f"{path}: written\n")


if __name__ == "__main__":
    run(main)
