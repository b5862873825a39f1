"""Print what `snakemake engine_report` found: a table for each target."""

import argparse
import sys
from pathlib import Path

from runtime import records
from runtime.cli import run
from runtime.errors import ArtifactError, ProofError
from workflow_scripts.engines.states import FORMAT, WRONG, EngineReport

USUAL = Path("artifacts/engines")
AGAIN = "run snakemake engine_report"


def table(report: EngineReport) -> str:
    """One target for people."""
    counts = ", ".join(f"{number} {kind}" for kind, number in report.counts.items() if number)
    width = max((len(row.engine) for row in report.engines), default=0)
    lines = [f"{report.target}: {report.described} ({report.machine})", counts or "none"]
    lines += [f"  {row.engine:{width}}  {row.state}" for row in report.engines]
    return "\n".join([*lines, ""])


def read(path: Path) -> EngineReport:
    """A report as it was written.

    Raises:
        ArtifactError: it is none, or of another format.
    """
    found = records.read(EngineReport, path, ArtifactError, AGAIN)
    if found.format != FORMAT:
        raise ArtifactError(f"{path}: format {found.format}, want {FORMAT}; {AGAIN}")
    return found


def main(argv: list[str] | None = None) -> None:
    """Print the reports, and fail where an engine's answers are wrong."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "reports", type=Path, nargs="*", metavar="JSON", help=f"(default: {USUAL}/*/report.json)"
    )
    args = parser.parse_args(argv)
    reports = args.reports or sorted(USUAL.glob("*/report.json"))
    if not reports:
        raise ArtifactError(f"{USUAL}: holds no report; {AGAIN}")
    found = [read(path) for path in reports]
    sys.stdout.write("\n".join(map(table, found)))
    if wrong := [report.target for report in found if report.counts[WRONG]]:
        raise ProofError(f"{', '.join(wrong)}: engines that answer otherwise than the CPU")


if __name__ == "__main__":
    run(main)
