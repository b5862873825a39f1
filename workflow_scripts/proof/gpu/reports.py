"""What is measured on a device, as it is written and read; each row with its state.

A state is MEASURED, or MISSED (a bar, and which), or NOT_MEASURED (why): the last is never a pass.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from runtime import records
from runtime.errors import ArtifactError
from runtime.measure.timing import Spread

MEASURED, MISSED, NOT_MEASURED = "measured", "missed", "not measured"
NEEDS_GPU = "needs a GPU"
NOT_YET = "not reached yet"
AGAIN = "python -m workflow_scripts.proof.gpu measures again"


@dataclass(frozen=True)
class Outcome:
    """How a measurement ended; see the module.

    Attributes:
        state: see the module.
        seconds: that it took, all together.
    """

    state: str
    seconds: float | None = field(default=None, kw_only=True)

    @property
    def missed(self) -> bool:
        """Whether an answer is over its bar."""
        return self.state.startswith(MISSED)


@dataclass(frozen=True)
class Moved:
    """Bytes that one step moves."""

    to_device: int = 0
    to_host: int = 0
    on_device: int = 0


@dataclass(frozen=True)
class Row(Outcome):
    """One graph, or one way to step; what was not measured of it is None.

    Attributes:
        metric, distance, bar: of a graph where its answer is audible.
        ms: of one call.
        relative_rms: of its logits, from the CPU's.
        same_tokens: share of tokens that are drawn as from the CPU's logits.
        step_ms: cached positions → time of a step.
        floor_ms: the least that the memory's bandwidth allows, cache left out.
        share_of_floor: cached positions → the same over the median.
        ms_per_token: of a loop with its sampler inside.
        tokens: of the loop's free run.
        tokens_per_s: of the decoder.
        bytes_per_step: over the bus and on the device.
        eager_because: why steps of a loop are not replayed as a CUDA graph; empty if they are.
    """

    metric: str | None = None
    distance: float | None = None
    bar: float | None = None
    ms: Spread | None = None
    relative_rms: float | None = None
    same_tokens: float | None = None
    step_ms: Mapping[int, Spread] = field(default_factory=dict)
    floor_ms: float | None = None
    share_of_floor: Mapping[int, float] = field(default_factory=dict)
    ms_per_token: Spread | None = None
    tokens: int | None = None
    tokens_per_s: float | None = None
    bytes_per_step: Moved | None = None
    eager_because: str = field(default="", metadata={"formerly": "not_recorded_because"})


Rows = Mapping[str, Row]


@dataclass(frozen=True)
class Memory(Outcome):
    """Device memory of a voice with every graph loaded and a sentence spoken."""

    bytes: int | None = None
    free_at_start: int | None = None


@dataclass(frozen=True)
class Speech(Outcome):
    """A whole voice on a device.

    Attributes:
        loop: how its decoder is written.
        prefill_ms, first_sound_ms, total_ms: of a sentence.
        back_ends: graph → where it ran.
        graphs: how many.
        tokens: of the sentence.
        rtf: total over the length of the sound.
        memory: that it takes.
    """

    loop: str = ""
    prefill_ms: Spread | None = None
    first_sound_ms: Spread | None = None
    total_ms: Spread | None = None
    back_ends: Mapping[str, str] = field(default_factory=dict)
    graphs: int | None = None
    tokens: int | None = None
    rtf: float | None = None
    memory: Memory | None = None


@dataclass(frozen=True)
class Reached(Outcome):
    """What was found of an aim."""

    aim: float = 0.0
    found: float | None = None


@dataclass(frozen=True)
class GpuMachine:
    """The machine, its libraries and its device; `gpu` is None on the CPU stand-in."""

    record: Mapping[str, Any]
    system: str
    python: str
    onnxruntime: str
    providers: tuple[str, ...]
    torch: str
    torch_cuda: str | None
    gpu: str | None


@dataclass(frozen=True)
class GpuWork:
    """What was measured: files, device, tokens of the sentence, runs of each, CPU threads."""

    voice: str
    gpt: str
    sovits: str
    device: str
    tokens: int
    rounds: int
    threads: int


@dataclass(frozen=True)
class GpuReport:
    """Everything of one device.

    Attributes:
        machine, work: where and what.
        load_average, busy: of the CPU before it began.
        bandwidth_gb_per_s: that the device reads.
        graphs, steps, loop, pytorch: rows that are compared with the CPU, then timed.
        speech: arithmetic of the decoder → a whole voice.
        aims: name → what was reached.
    """

    machine: GpuMachine
    load_average: float | None
    busy: bool | None
    work: GpuWork
    bandwidth_gb_per_s: float
    graphs: Rows
    steps: Rows
    loop: Rows
    pytorch: Rows
    speech: Mapping[str, Speech]
    aims: Mapping[str, Reached] = field(default_factory=dict)

    @property
    def compared(self) -> dict[str, Rows]:
        """The rows that are held against the CPU, by part."""
        parts = ("graphs", "steps", "loop", "pytorch")
        return {part: getattr(self, part) for part in parts}


def read(path: Path) -> GpuReport:
    """A report as it was written.

    Raises:
        ArtifactError: the file is none.
    """
    return records.read(GpuReport, path, ArtifactError, AGAIN)


Kind = TypeVar("Kind", bound=Outcome)


def attempt(work: Callable[[], Kind], kind: type[Kind]) -> Kind:
    """What a measurement gave, or why it can't be made here; it is never taken as made."""
    try:
        return work()
    except Exception as error:  # libraries raise types of their own for what a device can't do
        return not_measured(kind, " ".join(f"{error}".split()) or type(error).__name__)


def not_measured(kind: type[Kind], reason: str) -> Kind:
    """A row without a figure."""
    return kind(f"{NOT_MEASURED} ({reason})")


def per_step(before: Moved, after: Moved) -> Moved:
    """What was moved in between."""
    then = asdict(before)
    return replace(after, **{name: n - then[name] for name, n in asdict(after).items()})
