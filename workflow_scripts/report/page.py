"""The page itself: evidence in, HTML out. One file without a reference to any other."""

import base64
import hashlib
import io
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
import soundfile

from runtime.arrays import Samples
from runtime.measure.reports import BenchReport, Timings
from runtime.processor import cores, processor
from workflow_scripts.proof.bars import Check
from workflow_scripts.proof.verdict import advice
from workflow_scripts.report import plots
from workflow_scripts.report.evidence import BundleEvidence, VoiceEvidence
from workflow_scripts.report.summary import GATES, BundleSummary

HERE = Path(__file__).parent
DYNAMIC_DB = 70.0  # range of a spectrogram's colours
DIFFERENCE_DB = 12.0  # end of a difference's colours
DIGITS = 12  # of a digest, for people


@dataclass(frozen=True)
class Sound:
    """One sound with its pictures.

    Attributes:
        title: what it is.
        audio, image: data URIs.
        difference: of its spectrogram from PyTorch's, data URI; empty for PyTorch's own.
    """

    title: str
    audio: str
    image: str
    difference: str = ""


@dataclass(frozen=True)
class Figure:
    """A plot with what it shows."""

    title: str
    svg: str
    note: str = ""


def page(title: str, bundles: Sequence[BundleSummary], parts: Sequence[str], made: str) -> str:
    """The whole page.

    Args:
        title: of the page.
        bundles: rows of the table on top.
        parts: of each voice, as `voice_part` gives them.
        made: line at the end: version and date.
    """
    template = _templates().get_template("page.html")
    return template.render(title=title, bundles=bundles, gates=GATES, parts=parts, made=made)


def voice_part(voice: VoiceEvidence) -> str:
    """Everything of one voice."""
    template = _templates().get_template("voice.html")
    return template.render(
        voice=voice,
        misses=list(_misses(voice)),
        sounds=list(_sounds(voice)),
        figures=list(_figures(voice)),
        speed=list(_speed(voice)),
        bench=next((b.bench for b in voice.bundles if b.bench), None),
        timings=_timings(voice),
        machine=f"{processor()}, {cores()} cores, {platform.platform()}",
        unverified=list(unverified(voice)),
        provenance=list(_provenance(voice)),
    )


def _templates() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(HERE / "templates")
    made = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    made.filters |= {"value": value_text, "bar": bar_text, "mb": megabytes, "digest": _short}
    return made


def value_text(check: Check) -> str:
    """What was measured, with its name."""
    value = "not finite" if check.value is None else f"{check.value:.4g}"
    where = check.graph if check.output == check.graph else f"{check.graph} {check.output}"
    return f"{where} {check.metric} {value}"


def bar_text(check: Check) -> str:
    """The bar, with its direction."""
    return f"{check.direction} {check.bar:g}"


def megabytes(size: int) -> str:
    """For people."""
    return f"{size / 1e6:.1f} MB"


def _short(digest: str) -> str:
    return digest[:DIGITS]


def _misses(voice: VoiceEvidence) -> Iterator[tuple[str, str]]:
    """Bundle, and the line of each missed bar."""
    for bundle in voice.bundles:
        for check in bundle.verdict.missed:
            yield bundle.precision, f"{check}; {advice(check, bundle.precision)}"


def _sounds(voice: VoiceEvidence) -> Iterator[Sound]:
    reference, rate = voice.record.samples.reshape(-1), voice.files.rate_hz
    wanted = plots.log_mel(reference)
    top = float(wanted.max())
    limits = (top - DYNAMIC_DB, top)

    def sound(title: str, samples: Samples) -> Sound:
        samples = np.nan_to_num(samples.reshape(-1))
        found = plots.log_mel(samples) if samples.size else wanted[:, :0]
        frames = min(found.shape[1], wanted.shape[1])
        difference = found[:, :frames] - wanted[:, :frames]
        seconds = samples.size / rate
        ends = (-DIFFERENCE_DB, DIFFERENCE_DB)
        return Sound(
            title=title,
            audio=_uri("audio/flac", _flac(samples, rate)),
            image=_uri("image/png", plots.spectrogram(found, seconds, limits, "magma")),
            difference=_uri("image/png", plots.spectrogram(difference, seconds, ends, "RdBu_r")),
        )

    image = plots.spectrogram(wanted, reference.size / rate, limits, "magma")
    yield Sound("PyTorch", _uri("audio/flac", _flac(reference, rate)), _uri("image/png", image))
    done = set()
    for bundle in voice.bundles:
        if bundle.precision not in done:
            done.add(bundle.precision)
            yield sound(bundle.precision, bundle.sound)
            yield sound(f"{bundle.precision}, streamed", bundle.streamed)


def _flac(samples: Samples, rate_hz: int) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, np.clip(samples, -1, 1), rate_hz, format="FLAC", subtype="PCM_16")
    return out.getvalue()


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _figures(voice: VoiceEvidence) -> Iterator[Figure]:
    by_precision = _once_each(voice.bundles)
    yield Figure(
        "Every value beside its bar",
        plots.strains(by_precision),
        "Decibels count as ratios, shares by what is missing to 1.",
    )
    yield Figure("Distance of each graph from PyTorch", plots.errors(by_precision))
    yield Figure("Token distribution, step by step", plots.steps(by_precision))
    yield Figure("Lengths of sampled speech", plots.lengths(by_precision))
    yield Figure("Stream: seams, and the distance by lookahead", plots.seams(by_precision))


def _once_each(bundles: Sequence[BundleEvidence]) -> list[BundleEvidence]:
    """The first bundle of each precision: distances do not depend on the cache's length."""
    return list({b.precision: b for b in reversed(bundles)}.values())[::-1]


def _speed(voice: VoiceEvidence) -> Iterator[Figure]:
    timed = _timings(voice)
    if timed:
        yield Figure("Speed", plots.step_times(timed))
    if any(t.scaling for t in timed.values()):
        yield Figure("How a sentence's time grows", plots.scaling(timed))


def _timings(voice: VoiceEvidence) -> dict[str, Timings]:
    """Candidates of the first benchmark, and the bundles of the others, by short names."""
    found: dict[str, Timings] = {}
    for bundle in voice.bundles:
        bench: BenchReport | None = bundle.bench
        for name, timings in bench.candidates.items() if bench else ():
            found.setdefault(bundle.precision if timings.bundle else name.split(",")[0], timings)
    return found


def unverified(voice: VoiceEvidence) -> Iterator[str]:
    """What nobody has measured of this voice, a sentence each."""
    yield (
        "The chain begins from phones: how text is read, and whether a listener understands it, is"
        " not part of these figures."
    )
    yield "Graphs, chain and stream ran in ONNX Runtime on the CPU; other back ends are not judged."
    for bundle in voice.bundles:
        if bundle.bench is None:
            name = f"{bundle.precision}, {bundle.max_len} rows"
            yield f"Speed of {name}: not measured; snakemake benchmark measures it."
    if not voice.engines:
        yield "TensorRT engines: none were built; snakemake engines builds them where a GPU is."
    for report in voice.engines:
        for kind, count in report.counts.items():
            if count and not kind.startswith("verified"):
                yield f"Engines of {report.target}: {count} {kind}. {report.missing}".strip()


def _provenance(voice: VoiceEvidence) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Sources, then graphs by precision: name and sha256."""
    yield "sources", sorted(voice.files.sources.items())
    for bundle, files in zip(voice.bundles, voice.files.bundles, strict=True):
        paths = ((name, Path(path)) for name, path in files.graphs.items())
        graphs = [(f"{name}, {megabytes(bundle.sizes[name])}", _sha256(p)) for name, p in paths]
        yield f"{bundle.precision}, {bundle.max_len} rows", graphs


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
