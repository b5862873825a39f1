"""Tell the command that speaks from the first bundle of a build."""

import argparse
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from runtime.cli import run
from runtime.manifest import NAME, load


def line(bundle: Path) -> str:
    """What to type, with the voice's own example as its text.

    Args:
        bundle: a folder that `pack` has filled.

    Raises:
        BundleError: it is not.
    """
    reference = load(bundle).reference
    words = ["python", "-m", "runtime.tts", "-m", str(bundle), "--lang", reference.lang]
    return f"hear it: {shlex.join([*words, '-f', 'hello.wav', reference.text])}"


def tell(manifests: Iterable[Path]) -> None:
    """Print the line of the first bundle that is there; nothing where none is."""
    found = next((path for path in manifests if path.exists()), None)
    if found is not None:
        sys.stdout.write(f"{line(found.parent)}\n")


def main(argv: list[str] | None = None) -> None:
    """Print how to hear the first bundle below a folder."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path, help="where bundles are")
    args = parser.parse_args(argv)
    tell(sorted(args.folder.rglob(NAME)))


if __name__ == "__main__":
    run(main)
