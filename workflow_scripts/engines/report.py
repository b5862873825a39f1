"""Print what `snakemake engine_report` found: a table for each target."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.cli import run
from runtime.errors import ArtifactError, ProofError
from workflow_scripts.engines.states import FORMAT, WRONG

USUAL = Path("artifacts/engines")


def table(report: Mapping[str, Any]) -> str:
    """One target for people."""
    counts = ", ".join(f"{number} {kind}" for kind, number in report["counts"].items() if number)
    width = max((len(row["engine"]) for row in report["engines"]), default=0)
    lines = [f"{report['target']}: {report['described']} ({report['machine']})", counts or "none"]
    lines += [f"  {row['engine']:{width}}  {row['state']}" for row in report["engines"]]
    return "\n".join([*lines, ""])


def read(path: Path) -> dict[str, Any]:
    """A report as it was written.

    Raises:
        ArtifactError: it is none.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if found["format"] == FORMAT:
            return found
    except (ValueError, TypeError, KeyError):
        pass
    raise ArtifactError(f"{path}: no report of engines; run snakemake engine_report")


def main(argv: list[str] | None = None) -> None:
    """Print the reports, and fail where an engine's answers are wrong."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "reports", type=Path, nargs="*", metavar="JSON", help=f"(default: {USUAL}/*/report.json)"
    )
    args = parser.parse_args(argv)
    reports = args.reports or sorted(USUAL.glob("*/report.json"))
    if not reports:
        raise ArtifactError(f"{USUAL}: holds no report; run snakemake engine_report")
    found = [read(path) for path in reports]
    sys.stdout.write("\n".join(map(table, found)))
    if wrong := [report["target"] for report in found if report["counts"][WRONG]]:
        raise ProofError(f"{', '.join(wrong)}: engines that answer otherwise than the CPU")


if __name__ == "__main__":
    run(main)
