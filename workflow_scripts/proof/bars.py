"""Which measurements miss their bars."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runtime.errors import ConfigError
from workflow_scripts.proof.metrics import METRICS


@dataclass(frozen=True)
class Miss:
    """One value on the wrong side of its bar.

    Attributes:
        graph: name of the graph.
        output: name of the output, without its layer.
        metric: key of METRICS.
        value: what was measured; None if NaN or infinity came out.
        bar: what it had to reach.
        case: the recorded case that is the farthest off.
    """

    graph: str
    output: str
    metric: str
    value: float | None
    bar: float
    case: str

    def __str__(self) -> str:
        value = "not finite" if self.value is None else f"{self.value:.4g}"
        than = "over" if METRICS[self.metric].better == "lower" else "under"
        where = f"{self.graph}: {self.output} {self.metric}"
        return f"{where} {value}, {than} the bar of {self.bar:g} (farthest at {self.case})"


def missed(report: Mapping[str, Any], bars: Mapping[str, float]) -> tuple[Miss, ...]:
    """Hold a report of `parity` against bars.

    Args:
        report: what `parity` returned or wrote.
        bars: `{metric}` for every output that has it, or `{output}_{metric}` for one, which goes
            first.

    Returns:
        One Miss for each measured value that is not finite or on the wrong side of its bar.

    Raises:
        ConfigError: a bar names no metric.
    """
    for key in bars:
        split(key)
    found = []
    for key, value in report["metrics"].items():
        output, metric = split(key)
        bar = bars.get(key, bars.get(metric))
        if bar is not None and not _reaches(value, bar, metric):
            farthest = _farthest(report, output, metric)
            found.append(Miss(report["graph"], output, metric, value, bar, farthest))
    return tuple(found)


def split(key: str) -> tuple[str, str]:
    """Output and metric of `{output}_{metric}`; the output is empty in a bare `{metric}`.

    Raises:
        ConfigError: no metric ends the key.
    """
    for metric in METRICS:
        if key == metric or key.endswith(f"_{metric}"):
            return key.removesuffix(metric).removesuffix("_"), metric
    raise ConfigError(f"bars: '{key}' names no metric; known: {', '.join(METRICS)}")


def _reaches(value: float | None, bar: float, metric: str) -> bool:
    if value is None:
        return False
    return value <= bar if METRICS[metric].better == "lower" else value >= bar


def _farthest(report: Mapping[str, Any], output: str, metric: str) -> str:
    """The case in which this metric of this output, in any layer, is worst."""
    sign = 1 if METRICS[metric].better == "lower" else -1
    worst: dict[str, float] = {}
    for case in report["cases"]:
        values = [
            float("inf") if value is None else sign * value
            for key, value in case["metrics"].items()
            if key.endswith(f"_{metric}") and _belongs(key.removesuffix(f"_{metric}"), output)
        ]
        if values:
            worst[case["case"]] = max(values)
    return max(worst, key=lambda case: worst[case])


def _belongs(tensor: str, output: str) -> bool:
    return tensor == output or (
        tensor.startswith(f"{output}.") and tensor.removeprefix(f"{output}.").isdigit()
    )
