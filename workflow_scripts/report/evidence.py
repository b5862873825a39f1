"""Everything that a report shows of a voice, read and judged."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runtime import records
from runtime.arrays import Samples
from runtime.errors import ArtifactError
from runtime.measure import reports as bench_reports
from runtime.measure.reports import BenchReport
from workflow_scripts.engines.report import read as read_engines
from workflow_scripts.engines.states import EngineReport
from workflow_scripts.proof.chain_record import ChainRecord
from workflow_scripts.proof.measured import (
    AGAIN,
    ChainMeasured,
    Measured,
    StreamMeasured,
    read,
    read_stream,
)
from workflow_scripts.proof.verdict import Verdict, judge
from workflow_scripts.report.job import BundleFiles, VoiceFiles


@dataclass(frozen=True, eq=False)
class BundleEvidence:
    """One bundle.

    Attributes:
        max_len, precision: its place.
        verdict: every value that has a bar.
        graphs: measured distances by graph.
        chain, stream: of the whole voice.
        sizes: graph → bytes of its file.
        sound, streamed: samples of the recorded tokens, whole and streamed.
        bench: its times with machine and work; None where they were not measured.
    """

    max_len: str
    precision: str
    verdict: Verdict
    graphs: tuple[Measured, ...]
    chain: ChainMeasured
    stream: StreamMeasured
    sizes: Mapping[str, int]
    sound: Samples
    streamed: Samples
    bench: BenchReport | None

    @property
    def passed(self) -> bool:
        """Whether it reaches all its bars."""
        return not self.verdict.missed


@dataclass(frozen=True, eq=False)
class VoiceEvidence:
    """One voice with all its bundles.

    Attributes:
        files: where it came from.
        facts: what its checkpoints are, as they were described.
        record: PyTorch's chain.
        bundles: in the order of the configuration.
        engines: reports of engines.
    """

    files: VoiceFiles
    facts: Mapping[str, Any]
    record: ChainRecord
    bundles: tuple[BundleEvidence, ...]
    engines: tuple[EngineReport, ...]


def gathered(files: VoiceFiles) -> VoiceEvidence:
    """Read everything of a voice.

    Raises:
        ArtifactError: a file is not what the build writes.
        ConfigError: a bar names nothing that was measured.
    """
    return VoiceEvidence(
        files=files,
        facts=records.content(Path(files.facts), ArtifactError, AGAIN),
        record=ChainRecord.load(Path(files.record)),
        bundles=tuple(map(_bundle, files.bundles)),
        engines=tuple(read_engines(Path(path)) for path in files.engines),
    )


def _bundle(files: BundleFiles) -> BundleEvidence:
    graphs = tuple(read(Path(path)) for path in files.parity.values())
    chain, stream = read(Path(files.chain)), read_stream(Path(files.stream))
    if not isinstance(chain, ChainMeasured):
        raise ArtifactError(f"{files.chain}: no measurement of a chain; {AGAIN}")
    return BundleEvidence(
        max_len=files.max_len,
        precision=files.precision,
        verdict=judge([*graphs, chain, stream], files.bars),
        graphs=graphs,
        chain=chain,
        stream=stream,
        sizes={name: Path(path).stat().st_size for name, path in files.graphs.items()},
        sound=_samples(Path(files.chain_sound)),
        streamed=_samples(Path(files.stream_sound)),
        bench=None if files.bench is None else bench_reports.read(Path(files.bench)),
    )


def _samples(path: Path) -> Samples:
    try:
        found: Samples = np.load(path, allow_pickle=False)
    except ValueError as error:
        raise ArtifactError(f"{path}: no samples ({error}); {AGAIN}") from error
    return found
