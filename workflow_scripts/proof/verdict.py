"""Judge what was measured of a bundle by its bars, and fail where one is missed.

Measures nothing itself: reports in, one verdict out. Every missed bar is told in a line of its own.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runtime.cli import run
from runtime.contract import GRAPHS
from runtime.errors import ArtifactError, ConfigError, ProofError
from workflow_scripts.files import atomic, write_json
from workflow_scripts.proof.bars import Miss, missed, split

CHAIN = "chain"  # what the report of a whole utterance calls itself
FULL = "fp32"

Report = Mapping[str, Any]


def judge(reports: Sequence[Report], bars: Mapping[str, float]) -> list[Miss]:
    """Compare every report with the bars that concern it.

    Args:
        reports: everything that was measured of one bundle.
        bars: `{metric}` or `{output}_{metric}` → the worst value that is let through.

    Returns:
        The misses, in the order of the reports. A value that is no number misses its bar.

    Raises:
        ConfigError: a bar names no metric, or one that no report has, though every graph with
            such an output was measured.
    """
    measured = {key for report in reports for key in report["metrics"]}
    answered = measured | {split(key)[1] for key in measured}
    elsewhere = _outputs_of_others({report["graph"] for report in reports})
    for bar in bars:
        if bar not in answered and split(bar)[0] not in elsewhere:
            known = ", ".join(sorted(measured)) or "nothing"
            raise ConfigError(f"bars: no report has '{bar}'; measured were {known}")
    return [miss for report in reports for miss in missed(report, bars)]


def _outputs_of_others(graphs: set[str]) -> set[str]:
    """Outputs of graphs that this bundle does without: not every voice has a speaker graph."""
    others = (row for name, row in GRAPHS.items() if name not in graphs)
    return {output.name for row in others for output in row.outputs}


def told(miss: Miss, precision: str) -> str:
    """The line that a user sees: what was missed in a bundle of `precision`, and a way out."""
    graph = "the graph that is furthest off" if miss.graph == CHAIN else miss.graph
    way_out = f"keep {graph} at fp32 under mixed_precision.{precision}"
    if precision == FULL:
        way_out = "see artifacts/parity/graphs for where it differs from PyTorch"
    return f"{miss}; {way_out}, or move the bar"


def read_report(path: Path) -> Report:
    """One measurement file; what is no number in it becomes None.

    Raises:
        ArtifactError: it is not what a measuring script writes.
    """
    try:
        report: Report = json.loads(path.read_text("utf-8"), parse_constant=lambda name: None)
        whole = isinstance(report["graph"], str) and all(
            value is None or isinstance(value, int | float)
            for metrics in (report["metrics"], *(case["metrics"] for case in report["cases"]))
            for value in metrics.values()
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        whole = False
    if not whole:
        raise ArtifactError(f"{path}: not a report of a measurement; remove it and build again")
    return report


def main(argv: list[str] | None = None) -> None:
    """Write the verdict, or tell every missed bar and exit with the code of a missed proof."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("reports", nargs="+", type=Path, metavar="REPORT", help="what was measured, JSON")
    add("--precision", required=True, help="of the bundle, for the way out that is told")
    add("--bars", type=json.loads, required=True, metavar="JSON", help="metric to worst value")
    add("--output", type=Path, required=True, metavar="JSON", help="file to write")
    args = parser.parse_args(argv)
    reports = [read_report(path) for path in args.reports]
    misses = judge(reports, args.bars)
    if misses:
        sys.stderr.write("".join(f"error: {told(miss, args.precision)}\n" for miss in misses))
        sys.exit(ProofError.exit_code)
    measured = {report["graph"]: report["metrics"] for report in reports}
    with atomic(args.output) as (part,):
        write_json(part, {"bars": args.bars, "measured": measured})


if __name__ == "__main__":
    run(main)
