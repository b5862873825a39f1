"""Judge measured distances from PyTorch by the bars, and fail where one is missed.

Measures nothing itself: reports in, one verdict out. Every missed bar is told in a line of its own.
"""

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.cli import run
from runtime.errors import ArtifactError, ConfigError, ProofError
from workflow_scripts.files import atomic, write_json
from workflow_scripts.proof.metrics import METRICS

CHAIN = "chain"  # what the report of a whole utterance calls itself
FULL = "fp32"


@dataclass(frozen=True)
class Report:
    """One measurement file.

    Attributes:
        graph: what was measured: a graph's name, or the whole chain.
        metrics: name → value; `None` where it could not be measured.
    """

    graph: str
    metrics: Mapping[str, float | None]


@dataclass(frozen=True)
class Miss:
    """One bar that one report does not meet."""

    graph: str
    metric: str
    value: float | None
    bar: float
    better: str

    def told(self, precision: str) -> str:
        """The line that a user sees: what was missed in a bundle of `precision`, and a way out."""
        value = "not a number" if self.value is None else f"{self.value:g}"
        want = f"at {'most' if self.better == 'lower' else 'least'} {self.bar:g}"
        graph = "the graph that is furthest off" if self.graph == CHAIN else self.graph
        way_out = f"keep {graph} at fp32 under mixed_precision.{precision}"
        if precision == FULL:
            way_out = "the graphs differ from PyTorch, see artifacts/parity/graphs"
        return f"{self.graph}: {self.metric} is {value}, want {want}; {way_out}, or move the bar"


def judge(
    reports: Sequence[Report], bars: Mapping[str, float], better: Mapping[str, str]
) -> list[Miss]:
    """Compare every report with the bars that concern it.

    Args:
        reports: everything that was measured of one bundle.
        bars: metric → bar. It holds for each report that has this metric.
        better: metric → `lower` or `higher`.

    Returns:
        The misses, in the order of the reports. A value that is no number misses its bar.

    Raises:
        ConfigError: a bar names a metric that does not exist, or that no report has.
    """
    for metric in bars:
        if metric not in better:
            raise ConfigError(f"bars: {metric!r} is no metric; known: {', '.join(better)}")
        if not any(metric in report.metrics for report in reports):
            measured = sorted({name for report in reports for name in report.metrics})
            raise ConfigError(
                f"bars: no report has {metric!r}; measured were: {', '.join(measured) or 'none'}"
            )
    return [
        Miss(report.graph, metric, report.metrics[metric], bar, better[metric])
        for report in reports
        for metric, bar in bars.items()
        if metric in report.metrics and not _meets(report.metrics[metric], bar, better[metric])
    ]


def _meets(value: float | None, bar: float, better: str) -> bool:
    """Whether a value is on the right side; never so where it is NaN."""
    if value is None:
        return False
    return value <= bar if better == "lower" else value >= bar


def read_report(path: Path) -> Report:
    """One measurement file.

    Raises:
        ArtifactError: it is not what a measuring script writes.
    """
    try:
        content: Any = json.loads(path.read_text("utf-8"))
        metrics = content["metrics"].items()
        return Report(str(content["graph"]), {name: _finite(value) for name, value in metrics})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtifactError(
            f"{path}: not a report of a measurement ({error}); remove it and build again"
        ) from error


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def main(argv: list[str] | None = None) -> None:
    """Write the verdict, or tell every missed bar and exit with the code of a missed proof."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("reports", nargs="+", type=Path, metavar="REPORT", help="measured, JSON")
    parser.add_argument("--precision", required=True, help="of the bundle, for the way out")
    parser.add_argument("--bars", type=json.loads, required=True, help="JSON: metric to bar")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    reports = [read_report(path) for path in args.reports]
    misses = judge(reports, args.bars, {name: row.better for name, row in METRICS.items()})
    if misses:
        sys.stderr.write("".join(f"error: {miss.told(args.precision)}\n" for miss in misses))
        sys.exit(ProofError.exit_code)
    measured = {report.graph: dict(report.metrics) for report in reports}
    with atomic(args.output) as (part,):
        write_json(part, {"bars": args.bars, "measured": measured})


if __name__ == "__main__":
    run(main)
