"""Hold what was measured against bars: acceptance thresholds that the configuration gives."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from runtime.errors import ConfigError
from workflow_scripts.proof.measured import Case, Measured
from workflow_scripts.proof.metrics import METRICS

Direction = Literal["at most", "at least"]
DIRECTIONS: Mapping[str, Direction] = {"lower": "at most", "higher": "at least"}


@dataclass(frozen=True)
class Check:
    """One measured value beside its bar.

    Attributes:
        graph: name of the graph, or of the chain or stream.
        output: name of the output, without its layer.
        metric: key of METRICS.
        value: what was measured; None if NaN or infinity came out.
        bar: what it has to reach.
        direction: whether the value may be at most or must be at least the bar.
        passed: whether it is.
        case: the recorded case that is the farthest off.
    """

    graph: str
    output: str
    metric: str
    value: float | None
    bar: float
    direction: Direction
    passed: bool
    case: str

    def __str__(self) -> str:
        value = "not finite" if self.value is None else f"{self.value:.4g}"
        than = "over" if self.direction == "at most" else "under"
        where = f"{self.graph}: {self.output} {self.metric}"
        return f"{where} {value}, {than} the bar of {self.bar:g} (farthest at {self.case})"

    @property
    def strain(self) -> float:
        """How near the value is to its bar: 1 at it, more beyond it, infinite if not finite.

        The ratio of value and bar, or of what is missing to 1 where the metric is a share; decibels
        of a signal are a ratio already, so that 6 dB count as a factor of 2.
        """
        if self.value is None:
            return math.inf
        if self.direction == "at most":
            return self.value / self.bar if self.bar else (math.inf if self.value else 0.0)
        if METRICS[self.metric].unit == "dB":
            return float(10 ** min((self.bar - self.value) / 20, 300))
        left, allowed = 1 - self.value, 1 - self.bar
        return left / allowed if allowed else (math.inf if left else 0.0)


def checks(report: Measured, bars: Mapping[str, float]) -> tuple[Check, ...]:
    """Hold a measurement against bars.

    Args:
        report: of a graph, chain or stream.
        bars: `{metric}` for every output that has it, or `{output}_{metric}` for one, which goes
            first.

    Returns:
        One Check for each measured value that has a bar, in the report's order.

    Raises:
        ConfigError: a bar names no metric.
    """
    for key in bars:
        split(key)
    found = []
    for key, value in report.metrics.items():
        output, metric = split(key)
        bar = bars.get(key, bars.get(metric))
        if bar is not None:
            direction = DIRECTIONS[METRICS[metric].better]
            passed = _reaches(value, bar, direction)
            case = _farthest(report.cases, output, metric)
            check = Check(report.graph, output, metric, value, bar, direction, passed, case)
            found.append(check)
    return tuple(found)


def missed(report: Measured, bars: Mapping[str, float]) -> tuple[Check, ...]:
    """Those of `checks` that are on the wrong side of their bar, or not finite."""
    return tuple(check for check in checks(report, bars) if not check.passed)


def split(key: str) -> tuple[str, str]:
    """Output and metric of `{output}_{metric}`; the output is empty in a bare `{metric}`.

    Raises:
        ConfigError: no metric ends the key.
    """
    for metric in METRICS:
        if key == metric or key.endswith(f"_{metric}"):
            return key.removesuffix(metric).removesuffix("_"), metric
    raise ConfigError(f"bars: '{key}' names no metric; known: {', '.join(METRICS)}")


def _reaches(value: float | None, bar: float, direction: Direction) -> bool:
    if value is None:
        return False
    return value <= bar if direction == "at most" else value >= bar


def _farthest(cases: tuple[Case, ...], output: str, metric: str) -> str:
    """The case in which this metric of this output, in any layer, is worst; empty for no case."""
    sign = 1 if METRICS[metric].better == "lower" else -1
    worst: dict[str, float] = {}
    for case in cases:
        values = [
            math.inf if value is None else sign * value
            for key, value in case.metrics.items()
            if key.endswith(f"_{metric}") and _belongs(key.removesuffix(f"_{metric}"), output)
        ]
        if values:
            worst[case.case] = max(values)
    return max(worst, key=lambda case: worst[case], default="")


def _belongs(tensor: str, output: str) -> bool:
    return tensor == output or (
        tensor.startswith(f"{output}.") and tensor.removeprefix(f"{output}.").isdigit()
    )
