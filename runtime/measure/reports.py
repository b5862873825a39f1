"""What a benchmark finds, as it is written and read: machine, work, and the times of candidates.

Milliseconds and bytes; None, or an empty mapping, where a thing was not measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runtime import records
from runtime.backends.tuned import Machine
from runtime.errors import ArtifactError
from runtime.measure.timing import Spread

AGAIN = "python -m runtime.bench measures again"


@dataclass(frozen=True)
class TimedMachine(Machine):
    """The machine that a benchmark ran on, with its operating system."""

    system: str = ""


@dataclass(frozen=True)
class Work:
    """The work that every candidate does.

    Attributes:
        tokens: new tokens of the sentence, 25 a second.
        rounds: runs of each candidate.
        threads: of each session.
        buffer_bytes: what the memory's bandwidth is measured on.
        spinning, huge_pages: as `Threads` has them.
        chunks: of the stream whose chunks are timed.
        phones, prompt_tokens: of the prompt.
    """

    tokens: int
    rounds: int
    threads: int
    phones: int
    prompt_tokens: int
    buffer_bytes: int = 0
    spinning: bool = False
    huge_pages: bool = False
    chunks: int = 0


@dataclass(frozen=True)
class Milliseconds:
    """Median and quartiles, and how many times faster than the baseline."""

    median: float
    lower: float
    upper: float
    times_faster: Spread


@dataclass(frozen=True)
class StepMilliseconds(Milliseconds):
    """A decode step.

    Attributes:
        run_ms: of its graph alone, without sampler and Python.
        ceiling_ms: the least that the memory's bandwidth allows.
        share_of_ceiling: the same over the median.
    """

    run_ms: float | None = None
    ceiling_ms: float | None = None
    share_of_ceiling: float | None = None


@dataclass(frozen=True)
class FreshProcess:
    """What a candidate costs a process of its own.

    Attributes:
        load_s: imports, files and sessions.
        ttfa_cold_s: from before the start of Python to the first sound.
        rss_loaded_bytes, rss_bytes, rss_peak_bytes: resident memory after the load, after the first
            sound, and at most.
        over_weights_bytes: after the load, beyond the weights.
    """

    load_s: float
    ttfa_cold_s: float
    rss_loaded_bytes: int | None = None
    rss_bytes: int | None = None
    rss_peak_bytes: int | None = None
    over_weights_bytes: int | None = None


@dataclass(frozen=True)
class Chunks:
    """Chunks of one size in a long stream, and the same fixed work beside each.

    Attributes:
        tokens: of each.
        ms: of each, median over runs.
        median_ms: from the second chunk on.
        farthest, farthest_fixed, farthest_beside_fixed: how far from the median the most uneven
            one is, as a share of it: chunks, fixed work, and their ratio.
        constant: whether that ratio is steady enough.
        growth: the last ten ratios over the first ten.
    """

    tokens: int
    ms: tuple[float, ...]
    median_ms: float
    farthest: float
    farthest_fixed: float
    farthest_beside_fixed: float
    constant: bool
    growth: float


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a candidate before it runs.

    Attributes:
        bundle: its folder; None for what is no bundle.
        manifest_sha256, family, precision: of the bundle.
        backends: graph → back end.
        torch: its version, where PyTorch is the candidate.
        disk_bytes: of all files.
        weights_bytes: of what is loaded before a reference comes.
    """

    bundle: str | None = None
    manifest_sha256: str | None = None
    family: str | None = None
    precision: str | None = None
    backends: Mapping[str, str] = field(default_factory=dict)
    torch: str | None = None
    disk_bytes: int | None = None
    weights_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Sums:
    """The parts of a sentence, the whole of it, and what follows from them.

    Attributes:
        parts_ms: part → time.
        total_ms: from the prompt to all samples.
        parts_of_total: their sum over the total.
        parts_add_up: whether that is near 1.
        ttfa_warm_ms: to the first sound of a stream.
        rtf: total over the length of the sound.
        tokens_per_s: of the decoder, sampler left out.
        sampler_ms_per_token: of one draw.
    """

    parts_ms: Mapping[str, Milliseconds]
    total_ms: Milliseconds
    parts_of_total: Spread
    parts_add_up: bool
    ttfa_warm_ms: Milliseconds
    rtf: float
    tokens_per_s: float
    sampler_ms_per_token: float


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Single steps.

    Attributes:
        step_ms: cached positions → time of a step.
        step_growth: with the most cached positions over that with the fewest.
    """

    step_ms: Mapping[int, StepMilliseconds]
    step_growth: float


@dataclass(frozen=True)
class Scaling:
    """How a sentence's time grows.

    Attributes:
        total_ms_by_tokens: new tokens of the sentence → its time.
        total_ms_by_threads: threads of each session → time of the benchmark's sentence.
    """

    total_ms_by_tokens: Mapping[int, Spread]
    total_ms_by_threads: Mapping[int, Spread]


@dataclass(frozen=True)
class Crowd:
    """Users who ask for the benchmark's sentence at the same moment.

    Attributes:
        tokens_per_s: of all together, decoded alone.
        speech_per_s: seconds of sound that all get in a second, streamed.
        times_tokens, times_speech: over what the fewest users get together.
        first_sound_p50_ms, first_sound_p95_ms: over users and runs.
        slowest_over_fastest: end of the last user's sentence over that of the first's.
    """

    tokens_per_s: Spread
    times_tokens: Spread
    speech_per_s: Spread
    times_speech: Spread
    first_sound_p50_ms: float
    first_sound_p95_ms: float
    slowest_over_fastest: float


@dataclass(frozen=True)
class Audiobook:
    """A long text as one request.

    Attributes:
        seconds: of sound.
        rtf: time over these.
        times_faster: than for one user, which decodes sentence after sentence.
    """

    seconds: float
    rtf: Spread
    times_faster: Spread


@dataclass(frozen=True, kw_only=True)
class Timings(Facts, Steps, Sums):
    """Everything that was timed of one candidate, with its facts, steps and sums.

    Attributes:
        fresh: of a process of its own.
        host_share_of_step: cached positions → share of a step that is sampler and Python.
        vocoder_vs_onnxruntime: times faster than ONNX Runtime's, where it runs elsewhere.
        chunks: of a long stream.
        scaling: over text length and threads.
        users: number of users at once → what they got.
        audiobook: users that the voice was loaded for → a long text of one of them.
        repeated_ms: part that makes sound → its time where one length comes again and again.
    """

    fresh: FreshProcess | None = None
    host_share_of_step: Mapping[int, float] = field(default_factory=dict)
    vocoder_vs_onnxruntime: Spread | None = None
    chunks: Chunks | None = None
    scaling: Scaling | None = None
    repeated_ms: Mapping[str, Spread] = field(default_factory=dict)
    users: Mapping[int, Crowd] = field(default_factory=dict)
    audiobook: Mapping[int, Audiobook] = field(default_factory=dict)


@dataclass(frozen=True)
class BenchReport:
    """A whole benchmark.

    Attributes:
        machine: that it ran on.
        python: its version.
        load_average: before it began; None where the system does not report it.
        busy: whether that puts the figures in doubt.
        work: that was timed.
        bandwidth_gb_per_s: that this process reads from memory.
        baseline: name of the candidate that the others are compared with.
        candidates: name → times.
        date, commit: when, and of which state of the code; empty where it is not known.
    """

    machine: TimedMachine
    python: str
    load_average: float | None
    busy: bool | None
    work: Work
    bandwidth_gb_per_s: float
    baseline: str
    candidates: Mapping[str, Timings] = field(metadata={"formerly": "rivals"})
    date: str = ""
    commit: str = ""


def read(path: Path) -> BenchReport:
    """A report as it was written, by this version or an earlier one.

    Raises:
        ArtifactError: the file is none.
    """
    return records.read(BenchReport, path, ArtifactError, AGAIN)
