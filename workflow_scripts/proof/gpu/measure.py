"""Rows of the plan, measured one by one: the report is written anew after each."""

import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import torch

from runtime import audio
from runtime.backends import Threads
from runtime.backends.sessions import GPU, STAND_IN, session_on
from runtime.contract import GRAPHS
from runtime.graphs import DECODER, VoiceGraphs
from runtime.machine import machine_record
from runtime.measure.calibration import Calibration, bar_of
from runtime.processor import is_busy, load_average
from runtime.t2s.step_tables import read_tables
from workflow_scripts.checkpoint.acoustic_sources import AcousticSources
from workflow_scripts.checkpoint.read import read
from workflow_scripts.engines.loop import EVERYWHERE
from workflow_scripts.models.t2s import T2S
from workflow_scripts.proof.gpu import loops
from workflow_scripts.proof.gpu.loops import Loop, Trial
from workflow_scripts.proof.gpu.plan import REPLAYED, SAMPLED, Entry, Wanted, entries
from workflow_scripts.proof.gpu.reports import (
    NEEDS_GPU,
    NOT_YET,
    GpuMachine,
    GpuReport,
    GpuWork,
    Outcome,
    Row,
    Rows,
    Speech,
    attempt,
    not_measured,
    per_step,
)
from workflow_scripts.proof.gpu.speech import bandwidth, speech
from workflow_scripts.proof.gpu.steps import DeviceStep, Way, step_graph
from workflow_scripts.proof.gpu.subject import Subject, subject
from workflow_scripts.proof.gpu.table import aims
from workflow_scripts.proof.gpu.torch_acoustic import acoustic
from workflow_scripts.proof.gpu.torch_loop import TorchLoop
from workflow_scripts.proof.gpu.torch_steps import FixedStep, GrowingStep, on_device
from workflow_scripts.proof.gpu.trials import (
    ATTENTIONS,
    GpuJob,
    Sentence,
    compared,
    timed,
    timed_call,
)
from workflow_scripts.proof.spoken import SpokenInTorch, load_acoustic

TORCH_TYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
OnRow = Callable[[GpuReport, Entry, Outcome], None]


@dataclass(frozen=True)
class Measurement:
    """A voice on a device, ready to be measured row by row.

    Attributes:
        job: what to measure.
        voice: its files.
        on_cpu: its graphs on the CPU, which answer first.
        model: its decoder in PyTorch.
        spoken: its acoustic model in PyTorch.
    """

    job: GpuJob
    voice: Subject
    on_cpu: VoiceGraphs
    model: T2S
    spoken: SpokenInTorch

    @classmethod
    def of(cls, job: GpuJob) -> "Measurement":
        """Read all that is measured.

        Raises:
            BundleError: the voice's folder can't be used.
            GraphError: its decoder is not at fp32.
            CheckpointError: a checkpoint can't be used.
        """
        t2s = read(job.gpt, "t2s")
        family, spoken = load_acoustic(AcousticSources(job.sovits))
        voice = subject(job, family)
        model = T2S(t2s.weights, t2s.config, f"{job.gpt}")
        return cls(job, voice, voice.on_cpu(job.threads), model, spoken)

    @cached_property
    def calibration(self) -> Calibration:
        """What every graph but the decoder gets, and what the CPU makes of it."""
        example = audio.read(self.voice.reference)
        return Calibration(self.on_cpu, example, self.voice.vocabulary)

    @cached_property
    def sentence(self) -> Sentence:
        """What is spoken, with the CPU's logits."""
        return Sentence.of(self.on_cpu, self.job.tokens)

    @cached_property
    def bandwidth(self) -> float:
        """Bytes per second that the device reads."""
        return bandwidth(self.job)

    def planned(self) -> list[Entry]:
        """Every row, the most telling first."""
        graphs = [name for name in self.voice.files if GRAPHS[name].stage != "t2s"]
        return entries(graphs, self.spoken.on("cpu"))

    def row(self, entry: Entry, before: GpuReport) -> Outcome:
        """A row of the plan.

        Args:
            entry: which.
            before: what was found so far; speech takes the fastest loop of it.
        """
        if entry.replayed and self.job.device != "cuda":
            return not_measured(Row, NEEDS_GPU)
        if entry.part == "speech":
            loop = fastest(before.loop, entry.arithmetic, self.voice.max_len)
            return attempt(partial(speech, self.job, self.voice, loop), Speech)
        work = {"loop": self._loop, "steps": self._way, "graphs": self._graph}
        return attempt(partial(work.get(entry.part, self._torch), entry), Row)

    def _graph(self, entry: Entry) -> Row:
        name, calibration = entry.name, self.calibration
        session = session_on(self.job.place, self.voice.files[name], Threads(self.job.threads))
        work = partial(session.run, None, dict(calibration.inputs[name]))
        distance = calibration.distance(name, work()[0])
        return timed_call(name, distance, bar_of(name), work, self.job.rounds)

    def _loop(self, entry: Entry) -> Row:
        loop = Loop(self.voice.max_len, entry.attention, entry.arithmetic)
        eager = STAND_IN if self.job.device == "cpu" else loops.EAGER_GPU
        with tempfile.TemporaryDirectory(prefix="loop-") as folder:
            path = loops.make(self.voice.files, self.voice.tables, loop, Path(folder))
            return loops.tried(self._trial, path, loop, GPU if entry.replayed else eager)

    @property
    def _trial(self) -> Trial:
        return Trial(self.on_cpu, self.sentence, self.job.rounds, self.job.threads)

    def _way(self, entry: Entry) -> Row:
        way: Way = entry.way  # type: ignore[assignment]  # every step has one
        with tempfile.TemporaryDirectory(prefix="steps-") as folder:
            path = Path(folder) / "t2s_decoder.onnx"
            decoder = onnx.load(self.voice.files[DECODER])
            onnx.save(step_graph(decoder, self.voice.max_len, way), path)
            return self._stepped(path, way)

    def _stepped(self, path: Path, way: Way) -> Row:
        stepper, sentence = DeviceStep(path, way, self.job.place, self.job.threads), self.sentence
        found = compared(stepper, sentence, way.precision)
        if found.missed:
            return found
        before = stepper.moved
        stepper.step(sentence.step_rows[0], sentence.rows.shape[0] + 1)
        found = replace(found, bytes_per_step=per_step(before, stepper.moved))
        found = timed(found, stepper, sentence, stepper.capacity, self.job.rounds)
        floor = 1e3 * path.stat().st_size / self.bandwidth
        shares = {rows: floor / step.median for rows, step in found.step_ms.items()}
        return replace(found, floor_ms=floor, share_of_floor=shares)

    def _torch(self, entry: Entry) -> Row:
        """The same in PyTorch: as the reference does it, and as well as it can."""
        if "cache" not in entry.name:
            return acoustic(self.job, self.spoken, self.calibration, entry.name.split()[0])
        there = on_device(self.model, self.job.device, TORCH_TYPES[entry.arithmetic])
        most = self.voice.max_len
        if SAMPLED in entry.name:
            loop = Loop(most, EVERYWHERE, entry.arithmetic)
            tables, embed = read_tables(self.voice.tables, most), self.on_cpu.open("t2s_embed")
            decoder = TorchLoop(embed, there, tables, most, replayed=entry.replayed)
            return loops.torch_tried(self._trial, decoder, loop)
        growing = entry.name.startswith("growing")
        stepper = GrowingStep(there) if growing else FixedStep(there, most, entry.replayed)
        found = compared(stepper, self.sentence, entry.arithmetic)
        if found.missed:
            return found
        return timed(found, stepper, self.sentence, most, self.job.rounds)

    def empty(self, rows: list[Entry]) -> GpuReport:
        """A report in which nothing is measured yet."""
        load, job = load_average(), self.job

        def of(part: str) -> dict[str, Row]:
            return {e.name: not_measured(Row, NOT_YET) for e in rows if e.part == part}

        spoken = {e.name: not_measured(Speech, NOT_YET) for e in rows if e.part == "speech"}
        files = (f"{job.voice}", f"{job.gpt}", f"{job.sovits}")
        return GpuReport(
            machine=_machine(job.device),
            load_average=load,
            busy=is_busy(load),
            work=GpuWork(*files, job.device, job.tokens, job.rounds, job.threads),
            bandwidth_gb_per_s=self.bandwidth / 1e9,
            graphs=of("graphs"),
            steps=of("steps"),
            loop=of("loop"),
            pytorch=of("pytorch"),
            speech=spoken,
        )


def measured(job: GpuJob, wanted: Wanted, on_row: OnRow) -> GpuReport:
    """Row after row of what is wanted, until its minutes are over.

    Args:
        job: what to measure.
        wanted: which rows, and how long.
        on_row: called after each row, with the report so far.

    Raises:
        BundleError, GraphError, CheckpointError: see `Measurement.of`.
        UsageError: no row is wanted.
    """
    began = time.monotonic()
    whole = Measurement.of(job)
    rows = wanted.chosen(whole.planned())
    report = whole.empty(rows)
    for entry in rows:
        start = time.monotonic()
        if start - began + entry.seconds > 60 * wanted.minutes:
            kind = Speech if entry.part == "speech" else Row
            found: Outcome = not_measured(kind, f"left out of {wanted.minutes:g} minutes")
        else:
            found = whole.row(entry, report)
            found = replace(found, seconds=round(time.monotonic() - start, 1))
        part: Any = {entry.part: {**getattr(report, entry.part), entry.name: found}}
        report = replace(report, **part)
        report = replace(report, aims=aims(report))
        on_row(report, entry, found)
    return report


def fastest(found: Rows, arithmetic: str, max_len: int) -> Loop:
    """The loop that made the most tokens; the one of the oldest operators where none was timed."""
    ways = [Loop(max_len, attention, arithmetic) for attention in (EVERYWHERE, *ATTENTIONS)]

    def tokens_per_s(way: Loop) -> float:
        rows = (found.get(f"{way}{end}") for end in ("", REPLAYED))
        return max((row.tokens_per_s or 0.0 for row in rows if row is not None), default=0.0)

    return max(ways, key=tokens_per_s)


def _machine(device: str) -> GpuMachine:
    return GpuMachine(
        record=machine_record().as_json(),
        system=platform.platform(),
        python=platform.python_version(),
        onnxruntime=onnxruntime.__version__,
        providers=tuple(onnxruntime.get_available_providers()),
        torch=torch.__version__,
        torch_cuda=torch.version.cuda,
        gpu=torch.cuda.get_device_name() if device == "cuda" else None,
    )
