"""Print the command that speaks from the first bundle of a build, and let it speak."""

import argparse
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from runtime.cli import option, run
from runtime.manifest import NAME, load
from runtime.voice import Voice

SEED = 0


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


def print_command(manifests: Iterable[Path]) -> None:
    """Print the line of the first bundle that is there; nothing where none is."""
    found = next((path for path in manifests if path.exists()), None)
    if found is not None:
        sys.stdout.write(f"{line(found.parent)}\n")


def latest(folder: Path) -> list[Path]:
    """Manifests of the voice that was built last below a folder, the plainest precision first."""
    found = sorted(folder.rglob(NAME))
    if not found:
        return []
    last = max(found, key=lambda manifest: manifest.stat().st_mtime)
    return [manifest for manifest in found if manifest.parent.parent == last.parent.parent]


def speak(bundle: Path, to: Path) -> None:
    """Let the bundle say its own example into a WAV file, the same samples each time.

    Raises:
        FoundryError: the bundle, its language or the file can't be used.
    """
    reference = load(bundle).reference
    speech = Voice.load(bundle).synthesize(reference.text, lang=reference.lang, seed=SEED)
    speech.save(to)
    sys.stdout.write(f"{to}: {reference.text}\n")


def main(argv: list[str] | None = None) -> None:
    """Print how to hear the voice that was built last, and speak from it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path, help="where bundles are")
    option(parser, "--speak", type=Path, metavar="WAV", help="let it say its example into this")
    args = parser.parse_args(argv)
    manifests = latest(args.folder)
    if args.speak is not None and manifests:
        speak(manifests[0].parent, args.speak)
    print_command(manifests)


if __name__ == "__main__":
    run(main)
