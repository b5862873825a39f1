"""Print the bars that a precision has where the configuration gives none, as YAML for it."""

import argparse
import sys

from runtime.cli import run
from workflow_scripts.variants.precisions import PRECISIONS


def suggested(names: list[str]) -> str:
    """Lines for `config.yaml`, each precision with the reason for its bars."""
    lines = ["bars:"]
    for name in names:
        row = PRECISIONS[name]
        bars = ", ".join(f"{metric}: {_number(bar)}" for metric, bar in row.bars.items())
        lines += [f"  # {row.because}", f"  {name}: {{{bars}}}"]
    return "\n".join([*lines, ""])


def _number(bar: float) -> str:
    """As YAML reads it: 1.0e-4, never 1e-4."""
    text = f"{bar:g}"
    return text.replace("e", ".0e") if "e" in text and "." not in text else text


def main(argv: list[str] | None = None) -> None:
    """Print."""
    parser = argparse.ArgumentParser(
        prog="python -m workflow_scripts.variants.bars", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("precisions", nargs="*", metavar="PRECISION", help="(default: all)")
    args = parser.parse_args(argv)
    unknown = [name for name in args.precisions if name not in PRECISIONS]
    if unknown:
        parser.error(f"{unknown[0]!r} is no precision; known: {', '.join(PRECISIONS)}")
    sys.stdout.write(suggested(args.precisions or list(PRECISIONS)))


if __name__ == "__main__":
    run(main)
