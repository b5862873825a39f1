"""Which files an acoustic model is read from, and the options that name them. Torch-free."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from runtime.cli import option
from workflow_scripts.checkpoint.source import Source


@dataclass(frozen=True)
class AcousticSources:
    """What an acoustic model is read from.

    Attributes:
        sovits: the checkpoint.
        base: what a LoRA is merged over.
        vocoder: of families whose vocoder is a file or folder of its own.
    """

    sovits: Path | Source
    base: Path | Source | None = None
    vocoder: Path | Source | None = None


def add_sources(parser: argparse.ArgumentParser) -> None:
    """Add options for the checkpoints of a voice."""
    option(parser, "--gpt", type=Path, required=True, metavar="FILE", help="T2S checkpoint")
    option(parser, "--sovits", type=Path, required=True, metavar="FILE", help="SoVITS checkpoint")
    option(parser, "--base", type=Path, metavar="FILE", help="SoVITS base of a LoRA")
    option(
        parser,
        "--vocoder",
        type=Path,
        metavar="PATH",
        help="of v3 and v4: the vocoder's own source",
    )


def sources_of(args: argparse.Namespace) -> AcousticSources:
    """The acoustic ones of these."""
    return AcousticSources(args.sovits, args.base, args.vocoder)
