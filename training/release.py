"""Stage 7: put the finished files where the default configuration finds them.

Copies the T2S, SoVITS and SSL files, one reference of each speaker with its text, and the notice
about flite; lists them with sha256 and the commit of the recipe.
"""

import argparse
import re
import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Any

from runtime.cli import option, run
from runtime.errors import ArtifactError
from runtime.manifest import digest
from training.corpus import SPEAKERS, Utterance, utterances
from workflow_scripts.files import atomic, write_json

ROOT = Path(__file__).parents[1]
NOTICE = Path(__file__).with_name("data") / "NOTICE.txt"
SOURCES = {"gpt.ckpt": "voice.ckpt", "sovits.pth": "voice.pth"}  # name here → in the work folder
SSL = "hubert"
PLAIN = re.compile(r"[A-Za-z ]+\.")
LIST, REFERENCES = "files.json", "references.json"
MOST_BYTES = 40_000_000
SHORTEST_S, LONGEST_S = 4.0, 7.0  # of a reference


def release(work: Path, folder: Path, commit: str) -> dict[str, Any]:
    """Fill the folder.

    Args:
        work: the work folder, with every stage done.
        folder: of the voice; files that are there are replaced.
        commit: of the recipe.

    Returns:
        What the list says: the commit, and size and sha256 of each file.

    Raises:
        ArtifactError: a stage has not been run, or the files are too large together.
    """
    copies = {folder / name: work / source for name, source in SOURCES.items()}
    copies |= {folder / SSL / "config.json": work / SSL / "config.json"}
    copies |= {folder / SSL / file.name: file for file in (work / SSL).glob("*") if file.is_file()}
    examples = references(work)
    copies |= {folder / f"{who}.wav": one.path for who, one in examples.items()}
    copies |= {folder / "NOTICE.txt": NOTICE}
    _check(copies.values())
    for to, source in copies.items():
        with atomic(to) as (part,):
            shutil.copyfile(source, part)
    with atomic(folder / REFERENCES) as (part,):
        write_json(
            part,
            [
                {"name": who, "audio": f"{who}.wav", "text": one.text, "lang": "en"}
                for who, one in examples.items()
            ],
        )
    listed = {
        path.relative_to(folder).as_posix(): {
            "size_bytes": path.stat().st_size,
            "sha256": digest(path),
        }
        for path in sorted([*copies, folder / REFERENCES])
    }
    content = {"commit": commit, "files": listed}
    with atomic(folder / LIST) as (part,):
        write_json(part, content)
    return content


def references(work: Path) -> dict[str, Utterance]:
    """The first plain sentence of training that every speaker takes 4 to 7 s for, by speaker.

    Raises:
        ArtifactError: there is none.
    """
    said = {who: {one.id: one for one in utterances(work, who, "train")} for who in SPEAKERS}
    for number, first in said[SPEAKERS[0]].items():
        found = {who: row[number] for who, row in said.items() if number in row}
        fit = all(SHORTEST_S <= one.phones[-1][1] <= LONGEST_S for one in found.values())
        if fit and len(found) == len(SPEAKERS) and PLAIN.fullmatch(first.text):
            return found
    raise ArtifactError(f"{work}: no plain sentence is 4 to 7 s long; make the corpus anew")


def _check(sources: Collection[Path]) -> None:
    missing = [path for path in sources if not path.is_file()]
    if missing:
        raise ArtifactError(f"{missing[0]}: not there; run the stage that makes it first")
    size = sum(path.stat().st_size for path in sources)
    if size > MOST_BYTES:
        raise ArtifactError(
            f"voice: {size} bytes together, more than {MOST_BYTES}; train smaller networks"
        )


def commit_of(root: Path) -> str:
    """The commit that the recipe stands at.

    Raises:
        ArtifactError: the recipe has changes that no commit holds.
    """
    git = shutil.which("git") or "git"

    def said(*words: str) -> str:
        done = subprocess.run([git, *words], cwd=root, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    if said("status", "--porcelain", "--", "training"):
        raise ArtifactError("training/: it has changes that no commit holds; commit them first")
    return said("rev-parse", "HEAD")


def main(argv: list[str] | None = None) -> None:
    """Copy and list."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    option(parser, "--work", type=Path, required=True, metavar="DIR", help="the work folder")
    out = ROOT / "voices" / "flite"
    option(parser, "--out", type=Path, default=out, metavar="DIR", help="default: voices/flite")
    args = parser.parse_args(argv)
    content = release(args.work, args.out, commit_of(ROOT))
    size = sum(row["size_bytes"] for row in content["files"].values())
    print(f"{args.out}: {len(content['files'])} files, {size / 1e6:.1f} MB")  # noqa: T201 - result


if __name__ == "__main__":
    run(main)
