"""Judge what was measured of a bundle by its bars, and fail where one is missed.

Measures nothing itself: measurements in, one verdict out. Every missed bar is an error line.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime import records
from runtime.cli import run
from runtime.contract import GRAPHS
from runtime.errors import ArtifactError, ConfigError, ProofError
from workflow_scripts.files import atomic
from workflow_scripts.proof import bars as thresholds
from workflow_scripts.proof.bars import Check
from workflow_scripts.proof.measured import AGAIN, CHAIN, STREAM, Measured, Values, read

FULL = "fp32"


@dataclass(frozen=True)
class Verdict:
    """What a bundle is judged by.

    Attributes:
        bars: `{metric}` or `{output}_{metric}` → the worst value that is let through.
        measured: graph, `chain` or `stream` → metric → distance from PyTorch.
        checks: every value that has a bar, with it.
    """

    bars: Mapping[str, float]
    measured: Mapping[str, Values]
    checks: tuple[Check, ...] = ()

    @property
    def missed(self) -> tuple[Check, ...]:
        """Values on the wrong side of their bar."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def nearest(self) -> Check | None:
        """The value that is nearest to its bar, or the farthest beyond it; None without a bar."""
        return max(self.checks, key=lambda check: check.strain, default=None)


def judge(reports: Sequence[Measured], bars: Mapping[str, float]) -> Verdict:
    """Compare every measurement with the bars that concern it.

    Args:
        reports: everything that was measured of one bundle.
        bars: `{metric}` or `{output}_{metric}` → the worst value that is let through.

    Returns:
        The verdict; a value that is no number misses its bar.

    Raises:
        ConfigError: a bar names no metric, or one that no report has, though every graph with
            such an output was measured.
    """
    measured = {key for report in reports for key in report.metrics}
    answered = measured | {thresholds.split(key)[1] for key in measured}
    elsewhere = _outputs_of_others({report.graph for report in reports})
    for bar in bars:
        if bar not in answered and thresholds.split(bar)[0] not in elsewhere:
            known = ", ".join(sorted(measured)) or "nothing"
            raise ConfigError(f"bars: no report has '{bar}'; measured were {known}")
    return Verdict(
        bars=bars,
        measured={report.graph: report.metrics for report in reports},
        checks=tuple(check for report in reports for check in thresholds.checks(report, bars)),
    )


def _outputs_of_others(graphs: set[str]) -> set[str]:
    """Outputs of graphs that this bundle does without: not every voice has a speaker graph."""
    others = (row for name, row in GRAPHS.items() if name not in graphs)
    return {output.name for row in others for output in row.outputs}


def advice(check: Check, precision: str) -> str:
    """What can be done about a missed bar of a bundle of `precision`."""
    graph = "the graph that is furthest off" if check.graph in (CHAIN, STREAM) else check.graph
    if precision == FULL:
        return "see artifacts/parity/graphs for where it differs from PyTorch, or move the bar"
    return f"keep {graph} at fp32 under mixed_precision.{precision}, or move the bar"


def read_verdict(path: Path) -> Verdict:
    """A verdict as it was written.

    Raises:
        ArtifactError: the file is none.
    """
    return records.read(Verdict, path, ArtifactError, AGAIN)


def main(argv: list[str] | None = None) -> None:
    """Write the verdict, or print every missed bar and exit with the code of a missed proof."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("reports", nargs="+", type=Path, metavar="REPORT", help="what was measured, JSON")
    add("--precision", required=True, help="of the bundle, for the advice")
    add("--bars", type=json.loads, required=True, metavar="JSON", help="metric to worst value")
    add("--output", type=Path, required=True, metavar="JSON", help="file to write")
    args = parser.parse_args(argv)
    verdict = judge([read(path) for path in args.reports], args.bars)
    if verdict.missed:
        lines = (f"error: {miss}; {advice(miss, args.precision)}\n" for miss in verdict.missed)
        sys.stderr.write("".join(lines))
        sys.exit(ProofError.exit_code)
    with atomic(args.output) as (part,):
        part.write_text(records.text(verdict), "utf-8")


if __name__ == "__main__":
    run(main)
