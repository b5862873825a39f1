"""Compare two builds: what became slower, larger, or less exact, beyond the noise.

OLD and NEW are each a bundle's folder, or a report (its folder, or summary.json). Two bundles are
compared whatever they are called, bundles of reports by their names. A time counts as slower only
where medians differ by more than the quartiles of either side. Exit status 6: something is worse.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import yaml

from runtime import manifest as manifests
from runtime import records
from runtime.cli import option, run
from runtime.errors import ArtifactError, ConfigError, ProofError, SettingError
from runtime.files import write_whole
from runtime.measure.reports import Milliseconds, Timings
from workflow_scripts.proof import bars
from workflow_scripts.proof.metrics import METRICS
from workflow_scripts.report.summary import BundleSummary, own_times, read_summary

SUMMARY = "summary.json"
NEAR_ENOUGH = 1.0e-6  # below it, a distance is rounding, not a difference
SNR_ENOUGH_DB = 110.0  # above it, likewise
SHARE_ENOUGH = 2.0e-3  # that a share may lack of 1


@dataclass(frozen=True)
class Thresholds:
    """How many times worse counts.

    Attributes:
        slower: of a time's median.
        larger: of a file's size.
        less_exact: of a distance; 6 dB of signal to noise are a factor of 2.
    """

    slower: float = 1.05
    larger: float = 1.02
    less_exact: float = 1.5

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value >= 1):
                raise SettingError(f"compare.{field.name}: {value} is not 1 or more")


@dataclass(frozen=True)
class Change:
    """One figure that is worse, or better.

    Attributes:
        bundle: where.
        kind: `slower`, `larger` or `less exact`.
        what: the figure.
        old, new: its values, with unit.
        times: how many times worse; below 1 it is better by the inverse.
        worse: whether it is over the threshold.
    """

    bundle: str
    kind: str
    what: str
    old: str
    new: str
    times: float | None
    worse: bool

    def __str__(self) -> str:
        factor = "" if self.times is None else f" ({self.times:.3g} times)"
        return f"{self.bundle}: {self.what}: {self.old} -> {self.new}{factor}"


@dataclass(frozen=True)
class Comparison:
    """Two builds beside each other.

    Attributes:
        changes: everything that is worse or better beyond noise and thresholds.
        compared: how many figures were held against each other.
        only_old, only_new: bundles that the other side lacks.
        notes: what was not compared, and why.
    """

    changes: tuple[Change, ...]
    compared: int
    only_old: tuple[str, ...] = ()
    only_new: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def worse(self) -> tuple[Change, ...]:
        """What is over a threshold."""
        return tuple(change for change in self.changes if change.worse)


def load(path: Path) -> dict[str, BundleSummary]:
    """The bundles of a report, or the one of a bundle's folder, by name.

    Raises:
        ArtifactError: it is neither.
        BundleError: the bundle's manifest can't be used.
    """
    if (path / manifests.NAME).exists():
        found = manifests.load(path)
        sizes = {name: found.files[g.file].size_bytes for name, g in found.graphs.items()}
        one = BundleSummary(
            found.voice, f"{found.max_len}", found.precision, True, measured=found.parity,
            bytes=sizes,
        )  # fmt: skip
        return {one.name: one}
    file = path / SUMMARY if path.is_dir() else path
    if not file.exists():
        raise ArtifactError(f"{path}: no bundle and no report; give a folder of one of them")
    return {bundle.name: bundle for bundle in read_summary(file).bundles}


def compare(
    old: Mapping[str, BundleSummary], new: Mapping[str, BundleSummary], limits: Thresholds
) -> Comparison:
    """Hold two builds against each other."""
    if len(old) == len(new) == 1:
        (one,), (name,) = old.values(), new
        old = {name: one}
    changes: list[Change] = []
    notes: list[str] = []
    compared = 0
    for name in old.keys() & new.keys():
        figures = list(_figures(old[name], new[name], limits, notes))
        compared += len(figures)
        changes += [change for change in figures if change.worse or _better(change, limits)]
    return Comparison(
        changes=tuple(sorted(changes, key=lambda c: (not c.worse, c.bundle, -(c.times or 1e99)))),
        compared=compared,
        only_old=tuple(sorted(old.keys() - new.keys())),
        only_new=tuple(sorted(new.keys() - old.keys())),
        notes=tuple(notes),
    )


def _better(change: Change, limits: Thresholds) -> bool:
    limit = {"slower": limits.slower, "larger": limits.larger}.get(change.kind, limits.less_exact)
    return change.times is not None and change.times <= 1 / limit


def _figures(
    old: BundleSummary, new: BundleSummary, limits: Thresholds, notes: list[str]
) -> Iterator[Change]:
    """Every figure that both sides have."""
    yield from _distances(old, new, limits)
    for graph in old.bytes.keys() & new.bytes.keys():
        before, after = old.bytes[graph], new.bytes[graph]
        times = after / before
        yield Change(
            new.name, "larger", f"size of {graph}", f"{before} bytes", f"{after} bytes", times,
            times >= limits.larger,
        )  # fmt: skip
    before_times, after_times = own_times(old.bench), own_times(new.bench)
    if before_times is None or after_times is None:
        notes.append(f"{new.name}: speed was not compared: not measured on both sides")
    elif old.bench and new.bench and old.bench.machine != new.bench.machine:
        notes.append(f"{new.name}: speed was not compared: two machines, or other libraries")
    elif old.bench and new.bench and old.bench.work != new.bench.work:
        notes.append(f"{new.name}: speed was not compared: other work was timed")
    else:
        yield from _times(new.name, before_times, after_times, limits)


def _distances(old: BundleSummary, new: BundleSummary, limits: Thresholds) -> Iterator[Change]:
    for graph, metrics in new.measured.items():
        for key, value in metrics.items():
            before = old.measured.get(graph, {}).get(key, math.nan)
            if before is not None and math.isnan(before):
                continue
            metric = bars.split(key)[1]
            times = _times_worse(before, value, metric)
            yield Change(
                new.name, "less exact", f"{graph} {key}", _shown(before), _shown(value),
                times if math.isfinite(times) else None, times >= limits.less_exact,
            )  # fmt: skip


def _times_worse(old: float | None, new: float | None, metric: str) -> float:
    """How many times larger the error is; infinite where a number is no more one."""
    if new is None or old is None:
        return 1.0 if new == old else (math.inf if new is None else 0.0)
    row = METRICS[metric]
    if row.unit == "dB" and row.better == "higher":
        here, there = (min(value, SNR_ENOUGH_DB) for value in (new, old))
        return float(10 ** ((there - here) / 20))
    if row.better == "higher":
        here, there = (max(1 - value, SHARE_ENOUGH) for value in (new, old))
    else:
        here, there = (max(value, NEAR_ENOUGH) for value in (new, old))
    return here / there


def _shown(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.4g}"


def _times(name: str, old: Timings, new: Timings, limits: Thresholds) -> Iterator[Change]:
    pairs: dict[str, tuple[Milliseconds, Milliseconds]] = {
        f"step at {rows} cached positions": (old.step_ms[rows], new.step_ms[rows])
        for rows in old.step_ms.keys() & new.step_ms.keys()
    }
    pairs |= {
        part: (old.parts_ms[part], new.parts_ms[part])
        for part in old.parts_ms.keys() & new.parts_ms.keys()
    }
    pairs |= {
        "whole sentence": (old.total_ms, new.total_ms),
        "first sound": (old.ttfa_warm_ms, new.ttfa_warm_ms),
    }
    for what, (before, after) in pairs.items():
        times = after.median / before.median
        noise = 1 + max(_noise(before), _noise(after))
        steady = 1.0 if 1 / noise < times < noise else times
        yield Change(
            name, "slower", what, f"{before.median:.3g} ms", f"{after.median:.3g} ms", steady,
            steady >= limits.slower,
        )  # fmt: skip


def _noise(ms: Milliseconds) -> float:
    """How far a quartile is from the median, as a share of it."""
    return max(ms.upper - ms.median, ms.median - ms.lower) / ms.median


def table(found: Comparison) -> str:
    """For people: what is worse first."""
    lines = [f"worse: {change.kind}: {change}" for change in found.worse]
    lines += [f"better: {change}" for change in found.changes if not change.worse]
    lines += [f"only in OLD: {name}" for name in found.only_old]
    lines += [f"only in NEW: {name}" for name in found.only_new]
    lines += found.notes
    return "\n".join([*lines, f"{found.compared} figures compared, {len(found.worse)} worse", ""])


def thresholds(config: Path | None, given: Mapping[str, float | None]) -> Thresholds:
    """Those of the configuration, then those of the command line.

    Raises:
        ConfigError: the configuration has none that can be read.
    """
    found = Thresholds()
    if config is not None:
        content = yaml.safe_load(config.read_text("utf-8")) or {}
        where = f"{config}: compare"
        found = records.parse(Thresholds, content.get("compare", {}), where, ConfigError)
    return replace(found, **{name: value for name, value in given.items() if value is not None})


def main(argv: list[str] | None = None) -> None:
    """Compare, print, and fail where something is worse."""
    parser = argparse.ArgumentParser(
        prog="python -m workflow_scripts.report.compare", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("old", type=Path, metavar="OLD", help="bundle or report")
    parser.add_argument("new", type=Path, metavar="NEW", help="bundle or report")
    option(parser, "--config", type=Path, metavar="YAML", help="take `compare` from it")
    for field in fields(Thresholds):
        text = f"how many times counts (default: {field.default})"
        option(parser, f"--{field.name.replace('_', '-')}", type=float, metavar="N", help=text)
    option(parser, "--json", type=Path, metavar="FILE", help="write the comparison there")
    args = parser.parse_args(argv)
    given = {field.name: getattr(args, field.name) for field in fields(Thresholds)}
    limits = thresholds(args.config, given)
    found = compare(load(args.old), load(args.new), limits)
    if not found.compared:
        raise ArtifactError(f"{args.old}, {args.new}: no bundle in common; nothing was compared")
    if args.json is not None:
        write_whole(args.json, records.text(found))
    sys.stdout.write(table(found))
    if found.worse:
        raise ProofError(f"{args.new}: {len(found.worse)} figures are worse than in {args.old}")


if __name__ == "__main__":
    run(main)
