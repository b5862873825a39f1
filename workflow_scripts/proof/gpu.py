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
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch

from runtime import audio, noise
from runtime import manifest as manifests
from runtime.acoustic import Delivery, Manner
from runtime.arrays import Samples
from runtime.backends import Folders, Threads
from runtime.backends.sessions import GPU, REHEARSAL, Place, preload, session_on
from runtime.choices import choose
from runtime.cli import option, run
from runtime.contract import STEP_TABLES
from runtime.decode import Ending, Limits, sampled
from runtime.errors import GraphError, ProofError
from runtime.files import write_whole
from runtime.graphs import VoiceGraphs
from runtime.machine import machine_record
from runtime.processor import is_busy, load_average
from runtime.rehearsal import BARS, Rehearsal
from runtime.sampler import Sampling
from runtime.stream import spoken_chunks
from runtime.timing import Spread, interleaved, memory_bandwidth
from runtime.workload import STREAMING, Replay
from workflow_scripts.checkpoint.read import read
from workflow_scripts.models.t2s import T2S
from workflow_scripts.proof import device_loop
from workflow_scripts.proof.device_loop import Trial
from workflow_scripts.proof.device_steps import DeviceStep, Way, step_graph
from workflow_scripts.proof.device_trials import (
    MISSED,
    Report,
    Sentence,
    attempt,
    compared,
    not_measured,
    timed,
)
from workflow_scripts.proof.torch_steps import FixedStep, GrowingStep, on_device

FORMS = ("scatter_in_parts", "scatter_elements")
TORCH_TYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
NEEDS_GPU = "needs a GPU"
BANDWIDTH_BYTES = 1 << 30


@dataclass(frozen=True)
class Job:
    """What to measure.

    Attributes:
        voice: folder of an fp32 bundle.
        gpt: T2S checkpoint that it was built from.
        sovits: SoVITS checkpoint that it was built from.
        device: `cuda` or `cpu`.
        tokens: new tokens of the sentence.
        rounds: turns of each measurement.
        threads: of what the CPU does.
    """

    voice: Path
    gpt: Path
    sovits: Path
    device: str
    tokens: int
    rounds: int
    threads: int

    @property
    def place(self) -> Place:
        """Where sessions run."""
        return GPU if self.device == "cuda" else REHEARSAL


def ways() -> Iterator[Way]:
    """Every way to step."""
    for form in FORMS:
        for precision in TORCH_TYPES:
            for aliased in (False, True):
                for recorded in (False, True):
                    yield Way(form, precision, aliased, recorded)


def measured(job: Job) -> Report:
    """Everything, in the order of the command's promise.

    Raises:
        BundleError: the bundle can't be used.
        GraphError: its decoder is not at fp32.
    """
    load = load_average()
    manifest = manifests.load(job.voice)
    manifests.verify(job.voice, manifest)
    if manifest.graphs["t2s_decoder"].precision != "fp32":
        raise GraphError(f"{job.voice}: its decoder is not fp32; measure the fp32 bundle")
    files = {name: job.voice / member.file for name, member in manifest.graphs.items()}
    on_cpu = VoiceGraphs(files, job.voice / STEP_TABLES, threads=Threads(job.threads))
    free = _free_bytes(job.device)
    sentence = Sentence.of(on_cpu, job.tokens)
    bandwidth = _bandwidth(job)
    return {
        "machine": _machine(job.device),
        "load_average": load,
        "busy": is_busy(load),
        "work": {k: f"{v}" if isinstance(v, Path) else v for k, v in asdict(job).items()},
        "bandwidth_gb_per_s": bandwidth / 1e9,
        "graphs": graphs(job, manifest, on_cpu),
        "steps": steps(job, onnx.load(files["t2s_decoder"]), sentence, manifest.max_len, bandwidth),
        "loop": loops(job, on_cpu, manifest.max_len),
        "pytorch": pytorch_steps(job, sentence, manifest.max_len),
        "speech": attempt(partial(speech, job, manifest)),
        "memory": memory(job, free),
    }


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


def graphs(job: Job, manifest: manifests.Manifest, on_cpu: VoiceGraphs) -> dict[str, Report]:
    """Every graph but the decoder: how far from the CPU it can be heard, then its time."""
    names = [name for name in BARS if name in on_cpu]
    vocabulary = job.voice / manifests.VOCABULARY if "roberta" in on_cpu else None
    example = audio.read(job.voice / manifest.reference.audio)
    rehearsal = Rehearsal({name: on_cpu.open(name) for name in names}, example, vocabulary)
    return {
        name: attempt(partial(_graph, job, rehearsal, name, on_cpu.files[name])) for name in names
    }


def _graph(job: Job, rehearsal: Rehearsal, name: str, path: Path) -> Report:
    session = session_on(job.place, path, Threads(job.threads))
    work = partial(session.run, None, dict(rehearsal.inputs[name]))
    distance, bar = rehearsal.distance(name, work()[0]), BARS[name]
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


def loops(job: Job, on_cpu: VoiceGraphs, max_len: int) -> dict[str, Report]:
    """The runtime's loop with its sampler inside, in each spelling, replayed or not."""
    trial = Trial(on_cpu, job.tokens, max_len, job.rounds, job.threads)
    found: dict[str, Report] = {}
    for form in FORMS:
        with tempfile.TemporaryDirectory(prefix="loop-") as folder:
            path = device_loop.make(on_cpu.files, on_cpu.tables, max_len, form, Path(folder))
            plain = device_loop.PLAIN_GPU if job.device == "cuda" else REHEARSAL
            found[f"{form} fp32"] = attempt(partial(device_loop.tried, trial, path, plain))
            recorded = partial(device_loop.tried, trial, path, GPU)
            name = f"{form} fp32 CUDA graph"
            found[name] = attempt(recorded) if job.device == "cuda" else not_measured(NEEDS_GPU)
    return found


def pytorch_steps(job: Job, sentence: Sentence, max_len: int) -> dict[str, Report]:
    """The same steps in PyTorch: as the reference does them, and as well as it can."""
    t2s = read(job.gpt, "t2s")
    model = T2S(t2s.weights, t2s.config, f"{job.gpt}")

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
    for precision in TORCH_TYPES:
        found[f"growing cache {precision}"] = attempt(partial(growing, precision))
        found[f"fixed cache {precision}"] = attempt(partial(fixed, precision, False))
        name = f"fixed cache {precision} CUDA graph"
        recorded = partial(fixed, precision, True)
        found[name] = attempt(recorded) if job.device == "cuda" else not_measured(NEEDS_GPU)
    return found


def speech(job: Job, manifest: manifests.Manifest) -> Report:
    """First sound and total through the runtime's own back end for the device."""
    with tempfile.TemporaryDirectory(prefix="loop-") as folder:
        files = {name: job.voice / member.file for name, member in manifest.graphs.items()}
        tables = job.voice / STEP_TABLES
        device_loop.make(files, tables, manifest.max_len, FORMS[0], Path(folder))
        return _speech(job, manifest, Folders(engines=Path(folder)))


def _speech(job: Job, manifest: manifests.Manifest, folders: Folders) -> Report:
    choice = choose(job.device, manifest)
    graphs = VoiceGraphs.of_bundle(job.voice, manifest, choice, job.threads, folders)
    decoder, acoustic = graphs.decoder(), graphs.acoustic()
    replay, vocoder = Replay.of(job.tokens), graphs.open("vocoder")
    style = np.random.default_rng(0).standard_normal((1, vocoder.input_dim("style", 1), 1))
    draws = partial(noise.normals, 0, 0, width=acoustic.latent_width)
    manner = Manner(replay.prompt.phones, style.astype(np.float32), draws, Delivery())
    chooser = sampled(Sampling(), partial(noise.exponentials, 0, 0))
    limits = Limits(early_stop_tokens=job.tokens - 1, max_len=manifest.max_len)
    made: list[int] = []

    def prefill() -> None:
        once = Limits(early_stop_tokens=0, max_len=manifest.max_len)
        for _ in decoder.tokens(replay.prompt, chooser, once, Ending()):
            pass

    def first_sound() -> Samples:
        with closing(decoder.tokens(replay.prompt, chooser, limits, Ending())) as tokens:
            return next(spoken_chunks(tokens, acoustic, manner, STREAMING)).samples

    def total() -> Samples:
        tokens = np.fromiter(decoder.tokens(replay.prompt, chooser, limits, Ending()), np.int64)
        made[:] = tokens.tolist()
        return acoustic.samples(acoustic.latent(tokens, manner), manner.style)

    works: dict[str, Callable[[], object]] = {
        "prefill": prefill, "first_sound": first_sound, "total": total,
    }  # fmt: skip
    times = interleaved(works, job.rounds)
    found: Report = {f"{name}_ms": Spread.of(1e3 * times.seconds[name]).as_json() for name in works}
    seconds = len(made) / 25
    rtf = times.spread("total").median / seconds
    return found | {"back_ends": dict(graphs.opened), "tokens": len(made), "rtf": rtf}


def memory(job: Job, free_before: int | None) -> Report:
    """Device memory that the voice with its bases takes, all graphs loaded."""
    if free_before is None:
        return not_measured(NEEDS_GPU)
    manifest = manifests.load(job.voice)
    torch.cuda.empty_cache()
    before = _free_bytes(job.device)
    opened = [
        session_on(job.place, job.voice / member.file, Threads(job.threads))
        for name, member in manifest.graphs.items()
        if name != "t2s_decoder"  # spelled anew for a device, and counted by its file
    ]
    after = _free_bytes(job.device)
    decoder = (job.voice / manifest.graphs["t2s_decoder"].file).stat().st_size
    return {
        "graphs": len(opened),
        "bytes": (before or 0) - (after or 0) + decoder,
        "free_at_start": free_before,
    }


def _free_bytes(device: str) -> int | None:
    return int(torch.cuda.mem_get_info()[0]) if device == "cuda" else None


def _bandwidth(job: Job) -> float:
    """Bytes per second that the device reads."""
    if job.device != "cuda":
        return memory_bandwidth(job.threads, buffer_bytes=BANDWIDTH_BYTES >> 5)
    values = torch.ones(BANDWIDTH_BYTES // 4, device="cuda")

    def read_all() -> None:
        values.sum()
        torch.cuda.synchronize()

    return BANDWIDTH_BYTES / float(interleaved({"read": read_all}, 9).seconds["read"].min())


def table(report: Mapping[str, Any]) -> str:
    """The report for people."""
    machine = report["machine"]
    gpu = machine["gpu"] or f"rehearsal on the CPU: {machine['record']['missing'] or 'no GPU used'}"
    busy = " BUSY: don't go by these figures" * bool(report["busy"])
    lines = [f"{gpu}; reads {report['bandwidth_gb_per_s']:.1f} GB/s;{busy}", "", "graphs"]
    for name, row in report["graphs"].items():
        ms = f"{row['ms']['median']:9.2f} ms  " if "ms" in row else ""
        lines.append(f"  {name:44} {ms}{row['state']}")
    for part in ("steps", "loop", "pytorch"):
        lines += ["", part, *(_step_line(name, row) for name, row in report[part].items())]
    lines += ["", f"speech  {report['speech']['state']}"]
    lines += [
        f"  {name[:-3]:44} {value['median']:9.2f} ms"
        for name, value in report["speech"].items()
        if name.endswith("_ms")
    ]
    if "rtf" in report["speech"]:
        lines.append(f"  {'rtf':44} {report['speech']['rtf']:9.4f}")
    held = report["memory"].get("bytes")
    size = "" if held is None else f"{held / 1e6:9.0f} MB  "
    return "\n".join([*lines, "", f"device memory  {size}{report['memory']['state']}", ""])


def _step_line(name: str, row: Mapping[str, Any]) -> str:
    times = "".join(
        f"{at} rows {spread['median']:7.3f} ms  " for at, spread in row.get("step_ms", {}).items()
    )
    if "ms_per_token" in row:
        times = f"{row['ms_per_token']['median']:7.3f} ms a token  "
    moved = row.get("bytes_per_step")
    bus = f"{moved['to_device'] + moved['to_host']} bytes over the bus  " if moved else ""
    return f"  {name:44} {times}{bus}{row['state']}"


def missed(report: Mapping[str, Any]) -> list[str]:
    """Names of rows that are over a bar."""
    return [
        f"{part}: {name}"
        for part in ("graphs", "steps", "loop", "pytorch")
        for name, row in report[part].items()
        if row["state"].startswith(MISSED)
    ]


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
