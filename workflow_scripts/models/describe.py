"""Say what a voice's two checkpoints are: family, symbols, sizes, parameters, digests."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runtime.cli import run
from workflow_scripts.checkpoint.peek import facts
from workflow_scripts.checkpoint.read import Checkpoint, read
from workflow_scripts.checkpoint.whole import read_whole
from workflow_scripts.files import atomic, write_json

_WIDTH = 28


def describe(gpt: Path, sovits: Path, base: Path | None = None) -> dict[str, Any]:
    """Read both files whole and say what they are.

    Args:
        gpt: T2S file.
        sovits: SoVITS file.
        base: of a LoRA file, the base that it is merged over; None describes the LoRA alone.

    Returns:
        What `--output` writes: the facts of the voice, then each file on its own.

    Raises:
        CheckpointError: one of them can't be used, or they don't belong together.
    """
    voice = facts(gpt, sovits)
    under = {} if base is None else {"base": _file(read(base, "sovits"))}
    if base is not None:
        read_whole(sovits, base)
    return {
        "family": voice.family,
        "symbols": voice.symbols,
        "needs_speaker": voice.needs_speaker,
        "spectrogram_bins": voice.spectrogram_bins,
        "gpt": _file(read(gpt, "t2s")),
        "sovits": _file(read(sovits, "sovits")),
        **under,
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
    return str(value)


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
    args = parser.parse_args(argv)
    described = describe(args.gpt, args.sovits, args.base)
    if args.output is not None:
        with atomic(args.output) as (part,):
            write_json(part, described)
    print(table(described), end="")  # noqa: T201 - what the command is for


if __name__ == "__main__":
    run(main)
