"""Compare two clean builds of the same sources byte by byte; differences that none explains fail.

OLD and NEW are `artifacts` folders. What may differ is listed with its reason; all else is a fault.
"""

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from runtime.cli import run
from runtime.errors import ArtifactError, ProofError
from runtime.manifest import digest

MAY_DIFFER: Mapping[str, str] = {  # beginning of a path → why
    "logs/": "what scripts print, with times",
    "benchmarks/": "how long jobs took",
    "bench/": "times",
    "machines/": "the machine",
    "engines/": "compiled for a machine",
    "raw/": "removed when a build ends",
}
DATED = re.compile(rb"Written \d{4}-\d\d-\d\d \d\d:\d\d UTC")  # in pages of the report
MACHINE = re.compile(rb"Machine that this was written on: [^<]*")
PAGES = (".html", ".json")


def differences(old: Path, new: Path) -> list[str]:
    """Files that differ, or that one side lacks, without those that may."""
    here, there = (_files(folder) for folder in (old, new))
    lacking = [f"{name}: only in {old}" for name in here.keys() - there.keys()]
    lacking += [f"{name}: only in {new}" for name in there.keys() - here.keys()]
    changed = [
        f"{name}: differs"
        for name in here.keys() & there.keys()
        if not _same(name, here[name], there[name])
    ]
    return sorted(lacking + changed)


def _files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise ArtifactError(f"{folder}: no folder; give the artifacts of a build")
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    wanted = {n: p for n, p in found.items() if p.is_file() and not n.startswith(tuple(MAY_DIFFER))}
    if not wanted:
        raise ArtifactError(f"{folder}: nothing to compare; build first")
    return wanted


def _same(name: str, old: Path, new: Path) -> bool:
    """Whether two files are equal; in a report, but for its date and machine."""
    if name.startswith("report/") and name.endswith(PAGES):
        one, other = (MACHINE.sub(b"", DATED.sub(b"", path.read_bytes())) for path in (old, new))
        return one == other
    return digest(old) == digest(new)


def main(argv: list[str] | None = None) -> None:
    """Compare, print, and fail where something differs."""
    parser = argparse.ArgumentParser(
        prog="python -m workflow_scripts.report.reproducible",
        description=__doc__,
        allow_abbrev=False,
        epilog="may differ: " + "; ".join(f"{name} ({why})" for name, why in MAY_DIFFER.items()),
    )
    parser.add_argument("old", type=Path, metavar="OLD", help="artifacts of a clean build")
    parser.add_argument("new", type=Path, metavar="NEW", help="artifacts of another")
    args = parser.parse_args(argv)
    found = differences(args.old, args.new)
    sys.stdout.write("".join(f"{line}\n" for line in found))
    if found:
        raise ProofError(f"{len(found)} files differ between {args.old} and {args.new}")
    sys.stdout.write("all files are equal but for those that may differ\n")


if __name__ == "__main__":
    run(main)
