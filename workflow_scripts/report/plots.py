"""Figures of a report: SVG by matplotlib, text and axes in the page's own colour.

A figure is text that stands in the page; it follows light and dark with it. Colours of series are
those of Okabe and Ito, which colour-blind readers can distinguish; lines differ in their marks too.
"""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from runtime.arrays import Float32, Samples
from runtime.measure.reports import Timings
from runtime.measure.timing import Spread
from workflow_scripts.report.evidence import BundleEvidence

INK = "#7f7f80"  # stands for the page's text colour, which CSS gives
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKS = ("o", "s", "^", "D", "v", "P")
WIDTH_IN = 8.6
STYLE: Mapping[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sovits",  # the same figure has the same bytes
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "grid.color": INK,
    "grid.alpha": 0.25,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
}
TINIEST = 1e-9  # stands for no error at all, on a log scale
SMALLEST_STRAIN, LARGEST_STRAIN = 1e-4, 1e4  # ends of the scale


def drawn(draw: Callable[[Figure], None], height_in: float) -> str:
    """A figure as an SVG element, without a fixed size.

    Args:
        draw: puts axes and marks into it.
        height_in: at WIDTH_IN.
    """
    with matplotlib.rc_context(dict(STYLE)):
        figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
        draw(figure)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = out.getvalue()
    svg = text[text.index("<svg") :].replace(INK, "currentColor")
    return svg.replace("<svg ", '<svg role="img" ', 1)


def strains(bundles: Sequence[BundleEvidence]) -> str:
    """Every judged value over its bar, log scale: a line per graph, marks by precision."""
    names = list(dict.fromkeys(c.graph for b in bundles for c in b.verdict.checks))

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axvspan(1, 1e6, color=COLOURS[1], alpha=0.12)
        axes.axvline(1, color=COLOURS[1], linewidth=1.5)
        for i, bundle in enumerate(bundles):
            shift = 0.24 * (i - (len(bundles) - 1) / 2) / max(1, len(bundles) - 1)
            found = bundle.verdict.checks
            axes.scatter(
                [_on_log(check.strain) for check in found],
                [names.index(check.graph) + shift for check in found],
                s=30, color=COLOURS[i % len(COLOURS)], marker=MARKS[i % len(MARKS)],
                label=_label(bundle), zorder=3,
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlim(SMALLEST_STRAIN / 2, max(10, *_all_strains(bundles)) * 3)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlabel("measured value over its bar (1 = the bar; right of it is a miss)")
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))

    return drawn(draw, 1.2 + 0.32 * len(names))


def _all_strains(bundles: Sequence[BundleEvidence]) -> list[float]:
    return [_on_log(c.strain) for b in bundles for c in b.verdict.checks] or [1.0]


def _on_log(strain: float) -> float:
    return min(max(strain, SMALLEST_STRAIN), LARGEST_STRAIN)


def errors(bundles: Sequence[BundleEvidence]) -> str:
    """Relative rms of each graph's worst output by precision, log scale."""
    names = [report.graph for report in bundles[0].graphs]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        width = 0.8 / len(bundles)
        for i, bundle in enumerate(bundles):
            values = [_worst_rms(report.metrics) for report in bundle.graphs]
            places = np.arange(len(names)) + (i - (len(bundles) - 1) / 2) * width
            axes.bar(places, values, width, color=COLOURS[i % len(COLOURS)], label=_label(bundle))
        axes.set_yscale("log")
        axes.set_ylabel("relative rms")
        axes.set_xticks(range(len(names)), names, rotation=20, ha="right")
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))

    return drawn(draw, 2.9)


def _worst_rms(metrics: Mapping[str, float | None]) -> float:
    """The largest relative rms of a graph; NaN for integers, the axis's end if not finite."""
    values = [value for name, value in metrics.items() if name.endswith("relative_rms")]
    if not values:
        return math.nan
    return 1e3 if None in values else max(TINIEST, *(v for v in values if v is not None))


def steps(bundles: Sequence[BundleEvidence]) -> str:
    """KL of each decode step with given tokens, log scale; a ring where the best token differs."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for i, bundle in enumerate(bundles):
            found = bundle.chain.steps
            kl = np.array([math.nan if v is None else max(v, 1e-12) for v in found.kl])
            colour = COLOURS[i % len(COLOURS)]
            axes.plot(kl, color=colour, linewidth=1, label=_label(bundle))
            other = [n for n, same in enumerate(found.same_best) if not same]
            axes.scatter(other, kl[other], s=45, facecolors="none", edgecolors=colour, zorder=3)
        axes.set_yscale("log")
        axes.set_xlabel("decode step (rings: another most likely token than PyTorch's)")
        axes.set_ylabel("KL, nat")
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))

    return drawn(draw, 2.5)


def lengths(bundles: Sequence[BundleEvidence]) -> str:
    """Lengths of free runs by precision: one mark per seed, the median as a bar."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for i, bundle in enumerate(bundles):
            runs = np.array(bundle.chain.sampled_tokens) / 25
            colour = COLOURS[i % len(COLOURS)]
            axes.scatter(runs, np.full(runs.size, i), s=26, color=colour, alpha=0.7)
            if runs.size:
                axes.plot([np.median(runs)] * 2, [i - 0.3, i + 0.3], color=colour, linewidth=3)
        axes.set_yticks(range(len(bundles)), [_label(bundle) for bundle in bundles])
        axes.set_ylim(len(bundles) - 0.4, -0.6)
        axes.set_xlabel("length of sampled speech, s (one mark per seed; the bar is the median)")

    return drawn(draw, 0.8 + 0.4 * len(bundles))


def seams(bundles: Sequence[BundleEvidence]) -> str:
    """Left, the error at each seam of the usual stream; right, the distance by lookahead."""

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for i, bundle in enumerate(bundles):
            how = {"color": COLOURS[i % len(COLOURS)], "marker": MARKS[i % len(MARKS)]}
            usual = f"lookahead {bundle.stream.recommended_lookahead_tokens}"
            if usual in bundle.stream.from_whole:
                errors = bundle.stream.from_whole[usual].seam_errors
                shown = [TINIEST if e == 0 else math.nan if e is None else e for e in errors]
                left.plot(range(1, len(shown) + 1), shown, label=_label(bundle), **how)
            by_lookahead = {
                int(name.removeprefix("lookahead ")): found.log_mel_db
                for name, found in bundle.stream.from_whole.items()
                if name.startswith("lookahead ") and found.log_mel_db is not None
            }
            right.plot(list(by_lookahead), list(by_lookahead.values()), **how)
        left.set_yscale("log")
        left.set_xlabel("seam")
        left.set_ylabel("largest difference from one vocoder call")
        left.legend()
        right.set_xlabel("lookahead, tokens of 40 ms")
        right.set_ylabel("distance from the whole decode, dB")

    return drawn(draw, 2.7)


def step_times(timings: Mapping[str, Timings]) -> str:
    """Left, a step's time by cached positions with its floor; right, a sentence by part."""

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for i, (name, found) in enumerate(timings.items()):
            colour = COLOURS[i % len(COLOURS)]
            rows = sorted(found.step_ms)
            times = [found.step_ms[n] for n in rows]
            spread = [[t.median - t.lower for t in times], [t.upper - t.median for t in times]]
            left.errorbar(rows, [t.median for t in times], spread, color=colour,
                          marker=MARKS[i % len(MARKS)], capsize=3, label=name)  # fmt: skip
            floors = [t.ceiling_ms for t in times]
            if None not in floors:
                left.plot(rows, [f for f in floors if f is not None], color=colour, linestyle=":")
            before = 0.0
            for j, (part, ms) in enumerate(found.parts_ms.items()):
                right.barh(i, ms.median, left=before, color=COLOURS[j % len(COLOURS)],
                           label=part if i == 0 else None)  # fmt: skip
                before += ms.median
        left.set_xlabel("cached positions (dotted: the memory-bandwidth floor)")
        left.set_ylabel("ms a step")
        left.set_ylim(bottom=0)
        left.legend()
        right.set_yticks(range(len(timings)), list(timings))
        right.invert_yaxis()
        right.set_xlabel("ms of a sentence, by part")
        right.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))

    return drawn(draw, 3.0)


def scaling(timings: Mapping[str, Timings]) -> str:
    """Time of a sentence over its length, and over threads."""

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for i, (name, found) in enumerate(timings.items()):
            if found.scaling is None:
                continue
            how = {"color": COLOURS[i % len(COLOURS)], "marker": MARKS[i % len(MARKS)]}
            for axes, by in (
                (left, found.scaling.total_ms_by_tokens),
                (right, found.scaling.total_ms_by_threads),
            ):
                _line(axes, by, name, how)
        left.set_xlabel("new tokens of a sentence (25 a second)")
        left.set_ylabel("ms in all")
        left.legend()
        right.set_xlabel("threads")
        for axes in (left, right):
            axes.set_ylim(bottom=0)

    return drawn(draw, 2.6)


def _line(axes: Any, by: Mapping[int, Spread], name: str, how: Mapping[str, str]) -> None:
    axes.plot(list(by), [spread.median for spread in by.values()], label=name, **how)


def spectrogram(db: Float32, seconds: float, limits: tuple[float, float], colours: str) -> bytes:
    """An image of a log-mel spectrogram, PNG.

    Args:
        db: float32 [80, frames].
        seconds: its length.
        limits: of the colours, in dB.
        colours: name of matplotlib's colour map.
    """
    with matplotlib.rc_context(dict(STYLE) | {"axes.grid": False}):
        figure = Figure(figsize=(WIDTH_IN, 1.35), dpi=110, layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(
            db, origin="lower", aspect="auto", cmap=colours, extent=(0, seconds, 0, len(db)),
            vmin=limits[0], vmax=limits[1],
        )  # fmt: skip
        axes.set_yticks([])
        axes.set_xlabel("s", labelpad=0)
        figure.colorbar(image, ax=axes, pad=0.01, label="dB")
        out = io.BytesIO()
        figure.savefig(out, format="png", transparent=True, metadata={"Software": None})
    return out.getvalue()


def log_mel(samples: Samples) -> Float32:
    """Log-mel spectrum in dB, float32 [80, frames]."""
    from runtime.reference import features

    return np.asarray(features.log_mel_db(np.asarray(samples, np.float32).reshape(-1)), np.float32)


def _label(bundle: BundleEvidence) -> str:
    return bundle.precision
