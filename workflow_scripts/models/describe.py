"""Say what a voice's two checkpoints are: family, symbols, sizes, parameters, digests."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runtime.cli import option, run
from runtime.errors import printable
from workflow_scripts.checkpoint.families import FAMILIES
from workflow_scripts.checkpoint.peek import joined
from workflow_scripts.checkpoint.read import Checkpoint, read
from workflow_scripts.checkpoint.source import Source
from workflow_scripts.checkpoint.whole import completed
from workflow_scripts.files import atomic, write_json

_WIDTH = 28


def describe(
    gpt: Path | Source, sovits: Path | Source, base: Path | Source | None = None
) -> dict[str, Any]:
    """Read the files whole and describe them.

    Args:
        gpt: T2S file, and which one it must be.
        sovits: SoVITS file, and which one it must be.
        base: of a LoRA file, the base that it is merged over; None describes the LoRA alone.

    Returns:
        What `--output` writes: the facts of the voice, then each file on its own.

    Raises:
        CheckpointError: one of them can't be used, or they don't belong together.
    """
    t2s, acoustic = read(gpt, "t2s"), read(sovits, "sovits")
    sizes = (t2s.path, t2s.sizes), (acoustic.path, acoustic.sizes)
    voice = joined(*sizes, f"{acoustic.family}")
    row = FAMILIES[voice.family]
    under = None if base is None else read(base, "sovits")
    if under is not None:
        completed(acoustic, under)
    return {
        "family": voice.family,
        "symbols": voice.symbols,
        "needs_speaker": row.needs_speaker,
        "spectrogram_bins": row.spectrogram_bins,
        "acoustic": voice.acoustic,
        "gpt": _file(t2s),
        "sovits": _file(acoustic),
        **({} if under is None else {"base": _file(under)}),
    }


def table(described: dict[str, Any], indent: str = "") -> str:
    """The same as lines of text, names left and values right.

    Args:
        described: what `describe` gave.
        indent: before each name.

    Returns:
        Lines, each with its newline.
    """
    lines = []
    for name, value in described.items():
        if isinstance(value, dict):
            lines.append(f"{indent}{name}\n{table(value, indent + '  ')}")
        else:
            lines.append(f"{indent + name:<{_WIDTH}} {_shown(value)}\n")
    return "".join(lines)


def _file(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "path": str(checkpoint.path),
        "sha256": checkpoint.sha256,
        "bytes": checkpoint.path.stat().st_size,
        "header": checkpoint.header,
        "info": checkpoint.info,
        "parameters": checkpoint.parameters,
        "tensors": len(checkpoint.weights),
        "tensors_not_needed": len(checkpoint.dropped),
        "sizes": asdict(checkpoint.sizes),
    }


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, tuple | list):
        return " ".join(str(list(row)) if isinstance(row, tuple) else str(row) for row in value)
    return printable(str(value))


def main(argv: list[str] | None = None) -> None:
    """Describe the files of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--gpt", type=Path, required=True, metavar="FILE", help="T2S checkpoint")
    parser.add_argument(
        "--sovits", type=Path, required=True, metavar="FILE", help="SoVITS checkpoint"
    )
    parser.add_argument(
        "--base", type=Path, metavar="FILE", help="SoVITS base that a LoRA file was trained from"
    )
    parser.add_argument("--output", type=Path, metavar="JSON", help="file to write the facts to")
    option(
        parser, "--sha256", type=json.loads, default={}, help="JSON: option to digest; or refuse"
    )
    args = parser.parse_args(argv)
    planned = args.sha256
    described = describe(
        Source(args.gpt, planned.get("gpt")),
        Source(args.sovits, planned.get("sovits")),
        args.base and Source(args.base, planned.get("base")),
    )
    if args.output is not None:
        with atomic(args.output) as (part,):
            write_json(part, described)
    print(table(described), end="")  # noqa: T201 - what the command is for


if __name__ == "__main__":
    run(main)
