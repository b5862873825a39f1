"""Measure a voice on a GPU: right answers first, then times, memory and what crosses the bus.

One command on a bare machine with a GPU, torch's CUDA libraries and onnxruntime-gpu. Each row has a
state: measured, missed (a bar), or not measured (why); the last is never a pass. PyTorch does the
same steps on the same card. `--device cpu` does it all on a CPU stand-in where there is no GPU.
"""

import argparse
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import onnx
import onnxruntime
import torch

from runtime import audio, records
from runtime import manifest as manifests
from runtime.backends import Threads
from runtime.backends.sessions import GPU, STAND_IN, Place, preload, session_on
from runtime.cli import option, run
from runtime.contract import STEP_TABLES
from runtime.errors import GraphError, ProofError
from runtime.files import write_whole
from runtime.graphs import DECODER, VoiceGraphs
from runtime.machine import machine_record
from runtime.measure.calibration import Calibration, bar_of
from runtime.processor import is_busy, load_average
from workflow_scripts.checkpoint.acoustic_sources import AcousticSources
from workflow_scripts.checkpoint.read import read
from workflow_scripts.engines.arithmetic import ARITHMETICS
from workflow_scripts.engines.loop import EVERYWHERE
from workflow_scripts.models.t2s import T2S
from workflow_scripts.proof.gpu import loops
from workflow_scripts.proof.gpu.loops import Loop, Trial
from workflow_scripts.proof.gpu.reports import (
    NEEDS_GPU,
    GpuMachine,
    GpuReport,
    GpuWork,
    Row,
    Rows,
    Speech,
    attempt,
    not_measured,
    per_step,
)
from workflow_scripts.proof.gpu.speech import bandwidth, speech
from workflow_scripts.proof.gpu.steps import DeviceStep, Way, step_graph
from workflow_scripts.proof.gpu.table import aims, missed, table
from workflow_scripts.proof.gpu.torch_acoustic import acoustic
from workflow_scripts.proof.gpu.torch_steps import FixedStep, GrowingStep, on_device
from workflow_scripts.proof.gpu.trials import (
    ATTENTIONS,
    Job,
    Sentence,
    compared,
    timed,
    timed_call,
)
from workflow_scripts.proof.spoken import load_acoustic

REPLAYED = " CUDA graph"  # behind the name of a way
TORCH_TYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def ways() -> Iterator[Way]:
    """Every way to step."""
    for attention in ATTENTIONS:
        for precision in ARITHMETICS:
            for aliased in (False, True):
                for replayed in (False, True):
                    yield Way(attention, precision, aliased, replayed)


def measured(job: Job) -> GpuReport:
    """Everything, in the order of the command's promise.

    Raises:
        BundleError: the bundle can't be used.
        GraphError: its decoder is not at fp32.
        CheckpointError: a checkpoint can't be used.
    """
    load = load_average()
    manifest = manifests.load(job.voice)
    manifests.verify(job.voice, manifest)
    if manifest.graphs[DECODER].precision != "fp32":
        raise GraphError(f"{job.voice}: its decoder is not fp32; measure the fp32 bundle")
    files = {name: job.voice / member.file for name, member in manifest.graphs.items()}
    on_cpu = VoiceGraphs(
        files, job.voice / STEP_TABLES, manifest.acoustic, threads=Threads(job.threads)
    )
    t2s = read(job.gpt, "t2s")
    model = T2S(t2s.weights, t2s.config, f"{job.gpt}")
    _, spoken = load_acoustic(AcousticSources(job.sovits))
    calibration = calibrated(job, manifest, on_cpu)
    sentence = Sentence.of(on_cpu, job.tokens)
    reads = bandwidth(job)
    tried = all_loops(job, on_cpu, sentence, manifest.max_len)
    report = GpuReport(
        machine=_machine(job.device),
        load_average=load,
        busy=is_busy(load),
        work=_work(job),
        bandwidth_gb_per_s=reads / 1e9,
        graphs=graphs(job, calibration, on_cpu),
        steps=steps(job, onnx.load(files[DECODER]), sentence, manifest.max_len, reads),
        loop=tried,
        pytorch={
            **pytorch_steps(job, model, sentence, manifest.max_len),
            **acoustic(job, spoken, calibration),
        },
        speech={
            name: attempt(
                partial(speech, job, manifest, fastest(tried, name, manifest.max_len)), Speech
            )
            for name in ARITHMETICS
        },
    )
    return replace(report, aims=aims(report))


def _work(job: Job) -> GpuWork:
    files = {name: f"{getattr(job, name)}" for name in ("voice", "gpt", "sovits")}
    return GpuWork(
        **files, device=job.device, tokens=job.tokens, rounds=job.rounds, threads=job.threads
    )


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


def calibrated(job: Job, manifest: manifests.Manifest, on_cpu: VoiceGraphs) -> Calibration:
    """What every graph but the decoder gets, and what the CPU makes of it."""
    vocabulary = job.voice / manifests.VOCABULARY if "roberta" in on_cpu else None
    example = audio.read(job.voice / manifest.reference.audio)
    return Calibration(on_cpu, example, vocabulary)


def graphs(job: Job, calibration: Calibration, on_cpu: VoiceGraphs) -> Rows:
    """Every graph but the decoder: its audible distance from the CPU, then its time."""
    return {
        name: attempt(partial(_graph, job, calibration, name, on_cpu.files[name]), Row)
        for name in calibration.inputs
    }


def _graph(job: Job, calibration: Calibration, name: str, path: Path) -> Row:
    session = session_on(job.place, path, Threads(job.threads))
    work = partial(session.run, None, dict(calibration.inputs[name]))
    distance = calibration.distance(name, work()[0])
    return timed_call(name, distance, bar_of(name), work, job.rounds)


def steps(
    job: Job, decoder: onnx.ModelProto, sentence: Sentence, max_len: int, bandwidth: float
) -> Rows:
    """Every way to step in ONNX Runtime."""
    found: dict[str, Row] = {}
    for way in ways():
        if way.replayed and job.device != "cuda":
            found[f"{way}"] = not_measured(Row, NEEDS_GPU)
            continue
        with tempfile.TemporaryDirectory(prefix="steps-") as folder:
            path = Path(folder) / "t2s_decoder.onnx"
            onnx.save(step_graph(decoder, max_len, way), path)
            found[f"{way}"] = attempt(partial(_way, job, path, way, sentence, bandwidth), Row)
    return found


def _way(job: Job, path: Path, way: Way, sentence: Sentence, bandwidth: float) -> Row:
    stepper = DeviceStep(path, way, job.place, job.threads)
    found = compared(stepper, sentence, way.precision)
    if found.missed:
        return found
    before = stepper.moved
    stepper.step(sentence.step_rows[0], sentence.rows.shape[0] + 1)
    found = replace(found, bytes_per_step=per_step(before, stepper.moved))
    found = timed(found, stepper, sentence, stepper.capacity, job.rounds)
    floor = 1e3 * path.stat().st_size / bandwidth
    shares = {rows: floor / step.median for rows, step in found.step_ms.items()}
    return replace(found, floor_ms=floor, share_of_floor=shares)


def all_loops(job: Job, on_cpu: VoiceGraphs, sentence: Sentence, max_len: int) -> Rows:
    """The runtime's loop with its sampler inside, in each attention and arithmetic."""
    found: dict[str, Row] = {}
    for attention in ATTENTIONS:
        for arithmetic in ARITHMETICS:
            loop = Loop(max_len, attention, arithmetic)
            at = partial(_loop, Trial(on_cpu, sentence, job.rounds, job.threads), loop)
            replayed = f"{loop}{REPLAYED}"
            if job.device != "cuda":
                found |= {f"{loop}": at(STAND_IN), replayed: not_measured(Row, NEEDS_GPU)}
                continue
            found |= {f"{loop}": at(loops.EAGER_GPU), replayed: at(GPU)}
    return found


def fastest(loops: Rows, arithmetic: str, max_len: int) -> Loop:
    """The loop that made the most tokens; the one of the oldest operators where none was timed."""
    ways = [Loop(max_len, attention, arithmetic) for attention in (EVERYWHERE, *ATTENTIONS)]

    def tokens_per_s(way: Loop) -> float:
        return max(loops[f"{way}{end}"].tokens_per_s or 0.0 for end in ("", REPLAYED))

    return max(ways, key=tokens_per_s)


def _loop(trial: Trial, loop: Loop, place: Place) -> Row:
    def made_and_tried() -> Row:
        with tempfile.TemporaryDirectory(prefix="loop-") as folder:
            path = loops.make(trial.on_cpu.files, trial.on_cpu.tables, loop, Path(folder))
            return loops.tried(trial, path, loop, place)

    return attempt(made_and_tried, Row)


def pytorch_steps(job: Job, model: T2S, sentence: Sentence, max_len: int) -> Rows:
    """The same steps in PyTorch: as the reference does them, and as well as it can."""

    def growing(precision: str) -> Row:
        stepper = GrowingStep(on_device(model, job.device, TORCH_TYPES[precision]))
        return _torch(stepper, precision)

    def fixed(precision: str, replayed: bool) -> Row:
        there = on_device(model, job.device, TORCH_TYPES[precision])
        return _torch(FixedStep(there, max_len, replayed), precision)

    def _torch(stepper: GrowingStep | FixedStep, precision: str) -> Row:
        found = compared(stepper, sentence, precision)
        return found if found.missed else timed(found, stepper, sentence, max_len, job.rounds)

    found: dict[str, Row] = {}
    for precision in ARITHMETICS:
        found[f"growing cache {precision}"] = attempt(partial(growing, precision), Row)
        found[f"fixed cache {precision}"] = attempt(partial(fixed, precision, False), Row)
        replayed = partial(fixed, precision, True)
        found[f"fixed cache {precision}{REPLAYED}"] = (
            attempt(replayed, Row) if job.device == "cuda" else not_measured(Row, NEEDS_GPU)
        )
    return found


def main(argv: list[str] | None = None) -> None:
    """Measure, print, write, and fail where a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m workflow_scripts.proof.gpu", description=__doc__, allow_abbrev=False
    )
    option(parser, "-m", "--voice", type=Path, required=True, metavar="DIR", help="fp32 bundle")
    option(parser, "--gpt", type=Path, required=True, metavar="FILE", help="T2S checkpoint")
    option(parser, "--sovits", type=Path, required=True, metavar="FILE", help="SoVITS checkpoint")
    option(parser, "--device", choices=("cuda", "cpu"), default="cuda", help="(default: cuda)")
    option(parser, "--tokens", type=int, default=100, metavar="N", help="(default: 100)")
    option(parser, "--rounds", type=int, default=15, metavar="N", help="(default: 15)")
    option(parser, "--threads", type=int, default=2, metavar="N", help="(default: 2)")
    option(parser, "--json", type=Path, metavar="FILE", help="write the report there")
    args = parser.parse_args(argv)
    job = Job(
        args.voice, args.gpt, args.sovits, args.device, args.tokens, args.rounds, args.threads
    )
    if job.device == "cuda":
        preload()
    torch.set_num_threads(job.threads)
    report = measured(job)
    if args.json is not None:
        write_whole(args.json, records.text(report))
    sys.stdout.write(table(report))
    if over := missed(report):
        raise ProofError(f"{job.voice} on {job.device}: over a bar: {', '.join(over)}")


if __name__ == "__main__":
    run(main)
