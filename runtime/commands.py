"""All commands in one table: `sovits-foundry NAME ...` is `python -m runtime.NAME ...`."""

import importlib
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from runtime.cli import CONSOLE, Parser, run

COMMANDS: dict[str, tuple[str, str]] = {
    "tts": ("runtime.tts", "speak text with a built voice"),
    "serve": ("runtime.serve", "speak over HTTP"),
    "pack": ("runtime.pack", "save references, to imitate without their sound"),
    "bench": ("runtime.bench", "time built voices"),
    "tune": ("runtime.tune", "measure which back end is the fastest here"),
    "soak": ("runtime.soak", "speak for long, and watch the memory"),
    "contract": ("runtime.contract", "print what goes into every graph and out"),
    "machine": ("runtime.machine", "print what this machine is"),
}


def here() -> dict[str, tuple[str, str]]:
    """The commands that this installation has."""
    return {name: row for name, row in COMMANDS.items() if find_spec(row[0]) is not None}


def parser() -> Parser:
    """The command line up to the command's name."""
    lines = "\n".join(f"  {name:<9} {note}" for name, (_, note) in here().items())
    made = Parser(prog=CONSOLE, description=f"commands:\n{lines}", epilog="NAME --help prints more")
    made.add_argument("name", choices=here(), metavar="NAME", help="its options follow")
    return made


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command that is named first."""
    words = list(sys.argv[1:] if argv is None else argv)
    name = parser().parse_args(words[:1]).name
    module = importlib.import_module(here()[name][0])
    run(lambda: module.main(words[1:]))


if __name__ == "__main__":
    main()
