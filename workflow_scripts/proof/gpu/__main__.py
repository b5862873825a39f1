"""Measure a voice on a GPU: right answers first, then times, memory and what crosses the bus.

One command on a bare machine with a GPU, torch's CUDA libraries and onnxruntime-gpu. Each row has a
state: measured, missed (a bar), or not measured (why); the last is never a pass. PyTorch does the
same steps on the same card. `--device cpu` rehearses it all where there is no GPU.
"""

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

import onnx
import onnxruntime
import torch

from runtime import audio
from runtime import manifest as manifests
from runtime.backends import Threads
from runtime.backends.sessions import GPU, REHEARSAL, Place, preload, session_on
from runtime.cli import option, run
from runtime.contract import STEP_TABLES
from runtime.errors import GraphError, ProofError
from runtime.files import write_whole
from runtime.graphs import DECODER, VoiceGraphs
from runtime.machine import machine_record
from runtime.measure.rehearsal import BARS, Rehearsal
from runtime.measure.timing import Spread, interleaved
from runtime.processor import is_busy, load_average
from workflow_scripts.checkpoint.read import read
from workflow_scripts.engines.arithmetic import ARITHMETICS
from workflow_scripts.engines.loop import EVERYWHERE
from workflow_scripts.models.sovits import load_sovits
from workflow_scripts.models.t2s import T2S
from workflow_scripts.proof.gpu import loops
from workflow_scripts.proof.gpu.loops import Loop, Trial
from workflow_scripts.proof.gpu.speech import bandwidth, speech
from workflow_scripts.proof.gpu.steps import DeviceStep, Way, step_graph
from workflow_scripts.proof.gpu.table import aims, missed, table
from workflow_scripts.proof.gpu.torch_acoustic import acoustic
from workflow_scripts.proof.gpu.torch_steps import FixedStep, GrowingStep, on_device
from workflow_scripts.proof.gpu.trials import (
    FORMS,
    MISSED,
    NEEDS_GPU,
    Job,
    Report,
    Sentence,
    attempt,
    compared,
    not_measured,
    timed,
)

RECORDED = " CUDA graph"  # behind the name of a way
TORCH_TYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def ways() -> Iterator[Way]:
    """Every way to step."""
    for form in FORMS:
        for precision in ARITHMETICS:
            for aliased in (False, True):
                for recorded in (False, True):
                    yield Way(form, precision, aliased, recorded)


def measured(job: Job) -> Report:
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
    on_cpu = VoiceGraphs(files, job.voice / STEP_TABLES, threads=Threads(job.threads))
    t2s, stored = read(job.gpt, "t2s"), read(job.sovits, "sovits")
    model = T2S(t2s.weights, t2s.config, f"{job.gpt}")
    sovits = load_sovits(stored.weights, stored.config, f"{job.sovits}")
    heard = rehearsal(job, manifest, on_cpu)
    sentence = Sentence.of(on_cpu, job.tokens)
    reads = bandwidth(job)
    tried = all_loops(job, on_cpu, sentence, manifest.max_len)
    report = {
        "machine": _machine(job.device),
        "load_average": load,
        "busy": is_busy(load),
        "work": {k: f"{v}" if isinstance(v, Path) else v for k, v in asdict(job).items()},
        "bandwidth_gb_per_s": reads / 1e9,
        "graphs": graphs(job, heard, on_cpu),
        "steps": steps(job, onnx.load(files[DECODER]), sentence, manifest.max_len, reads),
        "loop": tried,
        "pytorch": pytorch_steps(job, model, sentence, manifest.max_len)
        | acoustic(job, sovits, heard),
        "speech": {
            name: attempt(partial(speech, job, manifest, fastest(tried, name, manifest.max_len)))
            for name in ARITHMETICS
        },
    }
    return report | {"aims": aims(report)}


def _machine(device: str) -> Report:
    return {
        "record": machine_record().as_json(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        "providers": onnxruntime.get_available_providers(),
        "torch": torch.__version__,
        "torch_cuda": torch.version.cuda,
        "gpu": torch.cuda.get_device_name() if device == "cuda" else None,
    }


def rehearsal(job: Job, manifest: manifests.Manifest, on_cpu: VoiceGraphs) -> Rehearsal:
    """What every graph but the decoder gets, and what the CPU makes of it."""
    vocabulary = job.voice / manifests.VOCABULARY if "roberta" in on_cpu else None
    example = audio.read(job.voice / manifest.reference.audio)
    runners = {name: on_cpu.open(name) for name in BARS if name in on_cpu}
    return Rehearsal(runners, example, vocabulary)


def graphs(job: Job, heard: Rehearsal, on_cpu: VoiceGraphs) -> dict[str, Report]:
    """Every graph but the decoder: how far from the CPU it can be heard, then its time."""
    names = [name for name in BARS if name in on_cpu]
    return {name: attempt(partial(_graph, job, heard, name, on_cpu.files[name])) for name in names}


def _graph(job: Job, heard: Rehearsal, name: str, path: Path) -> Report:
    session = session_on(job.place, path, Threads(job.threads))
    work = partial(session.run, None, dict(heard.inputs[name]))
    distance, bar = heard.distance(name, work()[0]), BARS[name]
    found = {"metric": bar.metric, "distance": distance, "bar": bar.worst}
    if not distance <= bar.worst:
        return found | {"state": f"{MISSED} ({bar.metric} {distance:.2g}, bar {bar.worst:g})"}
    seconds = interleaved({name: work}, job.rounds).seconds[name]
    return found | {"ms": Spread.of(1e3 * seconds).as_json()}


def steps(
    job: Job, decoder: onnx.ModelProto, sentence: Sentence, max_len: int, bandwidth: float
) -> dict[str, Report]:
    """Every way to step in ONNX Runtime."""
    found: dict[str, Report] = {}
    for way in ways():
        if way.recorded and job.device != "cuda":
            found[f"{way}"] = not_measured(NEEDS_GPU)
            continue
        with tempfile.TemporaryDirectory(prefix="steps-") as folder:
            path = Path(folder) / "t2s_decoder.onnx"
            onnx.save(step_graph(decoder, max_len, way), path)
            found[f"{way}"] = attempt(partial(_way, job, path, way, sentence, bandwidth))
    return found


def _way(job: Job, path: Path, way: Way, sentence: Sentence, bandwidth: float) -> Report:
    stepper = DeviceStep(path, way, job.place, job.threads)
    found = compared(stepper, sentence, way.precision)
    if found["state"].startswith(MISSED):
        return found
    before = asdict(stepper.copied)
    stepper.step(sentence.step_rows[0], sentence.rows.shape[0] + 1)
    moved = {name: number - before[name] for name, number in asdict(stepper.copied).items()}
    found |= {"bytes_per_step": moved} | timed(stepper, sentence, stepper.capacity, job.rounds)
    floor = 1e3 * path.stat().st_size / bandwidth
    shares = {rows: floor / row["median"] for rows, row in found["step_ms"].items()}
    return found | {"floor_ms": floor, "share_of_floor": shares}


def all_loops(job: Job, on_cpu: VoiceGraphs, sentence: Sentence, max_len: int) -> dict[str, Report]:
    """The runtime's loop with its sampler inside, in each spelling and arithmetic."""
    found: dict[str, Report] = {}
    for form in FORMS:
        for arithmetic in ARITHMETICS:
            loop = Loop(max_len, form, arithmetic)
            at = partial(_loop, Trial(on_cpu, sentence, job.rounds, job.threads), loop)
            recorded = f"{loop}{RECORDED}"
            if job.device != "cuda":
                found |= {f"{loop}": at(REHEARSAL), recorded: not_measured(NEEDS_GPU)}
                continue
            found |= {f"{loop}": at(loops.PLAIN_GPU), recorded: at(GPU)}
    return found


def fastest(loops: Mapping[str, Report], arithmetic: str, max_len: int) -> Loop:
    """The loop that made the most tokens; the one of the oldest operators where none was timed."""
    ways = [Loop(max_len, form, arithmetic) for form in (EVERYWHERE, *FORMS)]

    def tokens_per_s(way: Loop) -> float:
        rows = (loops[f"{way}{end}"] for end in ("", RECORDED))
        return max(row.get("tokens_per_s") or 0.0 for row in rows)

    return max(ways, key=tokens_per_s)


def _loop(trial: Trial, loop: Loop, place: Place) -> Report:
    def made_and_tried() -> Report:
        with tempfile.TemporaryDirectory(prefix="loop-") as folder:
            path = loops.make(trial.on_cpu.files, trial.on_cpu.tables, loop, Path(folder))
            return loops.tried(trial, path, loop, place)

    return attempt(made_and_tried)


def pytorch_steps(job: Job, model: T2S, sentence: Sentence, max_len: int) -> dict[str, Report]:
    """The same steps in PyTorch: as the reference does them, and as well as it can."""

    def growing(precision: str) -> Report:
        stepper = GrowingStep(on_device(model, job.device, TORCH_TYPES[precision]))
        return _torch(stepper, precision)

    def fixed(precision: str, recorded: bool) -> Report:
        there = on_device(model, job.device, TORCH_TYPES[precision])
        return _torch(FixedStep(there, max_len, recorded), precision)

    def _torch(stepper: GrowingStep | FixedStep, precision: str) -> Report:
        found = compared(stepper, sentence, precision)
        if found["state"].startswith(MISSED):
            return found
        return found | timed(stepper, sentence, max_len, job.rounds)

    found: dict[str, Report] = {}
    for precision in ARITHMETICS:
        found[f"growing cache {precision}"] = attempt(partial(growing, precision))
        found[f"fixed cache {precision}"] = attempt(partial(fixed, precision, False))
        name = f"fixed cache {precision} CUDA graph"
        recorded = partial(fixed, precision, True)
        found[name] = attempt(recorded) if job.device == "cuda" else not_measured(NEEDS_GPU)
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
        write_whole(args.json, json.dumps(report, indent=2, allow_nan=False) + "\n")
    sys.stdout.write(table(report))
    if over := missed(report):
        raise ProofError(f"{job.voice} on {job.device}: over a bar: {', '.join(over)}")


if __name__ == "__main__":
    run(main)
