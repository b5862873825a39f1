"""What a report says of each bundle in numbers, as it lies beside the page: `summary.json`.

Comparisons and tables of results are made of it; the page shows the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runtime import records
from runtime.errors import ArtifactError
from runtime.measure.reports import BenchReport, Timings
from workflow_scripts.proof.bars import Check
from workflow_scripts.proof.measured import CHAIN, STREAM, Values
from workflow_scripts.report.evidence import BundleEvidence

GATES = ("graphs", CHAIN, STREAM)
AGAIN = "run snakemake report again"


@dataclass(frozen=True)
class BundleSummary:
    """One bundle.

    Attributes:
        voice, max_len, precision: its place.
        passed: whether it reaches all its bars.
        gates: name in GATES → the value that is nearest to its bar, or the farthest beyond it.
        missed: every value that misses its bar.
        measured: graph, chain or stream → metric → distance from PyTorch.
        bytes: graph → size of its file.
        bench: its times, where they were measured.
    """

    voice: str
    max_len: str
    precision: str
    passed: bool
    gates: Mapping[str, Check] = field(default_factory=dict)
    missed: tuple[Check, ...] = ()
    measured: Mapping[str, Values] = field(default_factory=dict)
    bytes: Mapping[str, int] = field(default_factory=dict)
    bench: BenchReport | None = None

    @property
    def name(self) -> str:
        """As it stands below artifacts/bundles."""
        return f"{self.voice}/{self.max_len}/{self.precision}"

    @property
    def times(self) -> Timings | None:
        """The times of the bundle itself, of all candidates of its benchmark."""
        return own_times(self.bench)


@dataclass(frozen=True)
class VoiceReport:
    """What is kept of one voice until the whole report is put together.

    Attributes:
        voice: its name.
        bundles: in the order of the configuration.
        html: the voice's part of the page.
    """

    voice: str
    bundles: tuple[BundleSummary, ...]
    html: str


@dataclass(frozen=True)
class Summary:
    """All bundles of a build."""

    bundles: tuple[BundleSummary, ...]


def own_times(bench: BenchReport | None) -> Timings | None:
    """The times of the first bundle in a benchmark."""
    found = bench.candidates.values() if bench else ()
    return next((timings for timings in found if timings.bundle is not None), None)


def summarised(voice: str, bundle: BundleEvidence) -> BundleSummary:
    """The numbers of one bundle."""
    by_gate: dict[str, list[Check]] = {gate: [] for gate in GATES}
    for check in bundle.verdict.checks:
        by_gate[check.graph if check.graph in (CHAIN, STREAM) else "graphs"].append(check)
    return BundleSummary(
        voice=voice,
        max_len=bundle.max_len,
        precision=bundle.precision,
        passed=bundle.passed,
        gates={
            gate: max(found, key=lambda check: check.strain)
            for gate, found in by_gate.items()
            if found
        },
        missed=bundle.verdict.missed,
        measured=bundle.verdict.measured,
        bytes=bundle.sizes,
        bench=bundle.bench,
    )


def read_summary(path: Path) -> Summary:
    """A summary as it was written.

    Raises:
        ArtifactError: the file is none.
    """
    return records.read(Summary, path, ArtifactError, AGAIN)


def read_voice(path: Path) -> VoiceReport:
    """A voice's part as it was written.

    Raises:
        ArtifactError: the file is none.
    """
    return records.read(VoiceReport, path, ArtifactError, AGAIN)
