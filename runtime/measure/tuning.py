"""Measure on which back end each graph of a voice is fastest here, for --provider auto.

A back end is taken where it is faster than cpu and what it gives stays within a bar: the same
prompt tokens, the same sound to within half a decibel. The result is one file per machine.
"""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from runtime import audio as sound
from runtime import manifest as manifests
from runtime.backends import BACKENDS, GraphRunner, Threads
from runtime.backends.choices import USUAL
from runtime.backends.tuned import Chosen, Entry, Tried
from runtime.contract import STEP_TABLES
from runtime.errors import BackendMissing, GraphError, SettingError
from runtime.graphs import VoiceGraphs
from runtime.manifest import Manifest
from runtime.measure.calibration import BARS, Calibration
from runtime.measure.timing import interleaved
from runtime.processor import is_busy, load_average

TRIED = tuple(name for name, row in BACKENDS.items() if not row.engines)
WORTH = 1.05  # times faster than cpu, at least: less would change from day to day


def fastest(tried: Mapping[str, Tried], worst: float) -> str:
    """The back end that is fastest among those within the bar; `cpu` unless one is worth it.

    Args:
        tried: by name in BACKENDS.
        worst: the largest distance that is let through.
    """
    able = {
        name: found.times_faster
        for name, found in tried.items()
        if found.times_faster is not None
        and found.distance is not None
        and found.times_faster >= WORTH
        and found.distance <= worst
    }
    return max(able, key=lambda name: able[name]) if able else USUAL


def measure(graph: str, path: Path, calibration: Calibration, job: "Job") -> dict[str, Tried]:
    """Every back end of a job that takes a graph, interleaved in this process."""
    tried: dict[str, Tried] = {}
    runners: dict[str, GraphRunner] = {}
    distances: dict[str, float] = {}
    inputs = calibration.inputs[graph]
    for name in job.backends:
        if graph not in BACKENDS[name].takes:
            continue
        try:
            runner = BACKENDS[name].open_graph(path, Threads(job.threads))
            distances[name] = calibration.distance(graph, runner.run(inputs)[0])
            runners[name] = runner
        except (BackendMissing, GraphError) as error:
            tried[name] = Tried(refused=" ".join(f"{error}".split()))
    ways = {name: partial(runner.run, inputs) for name, runner in runners.items()}
    timed = interleaved(ways, job.rounds, warmup=1)
    for name in runners:
        milliseconds = 1e3 * timed.spread(name).median
        faster = timed.ratio(name, to=USUAL).median
        distance = distances[name] if math.isfinite(distances[name]) else None
        tried[name] = Tried(milliseconds, faster, distance)
    return tried


@dataclass(frozen=True)
class Job:
    """How to measure.

    Attributes:
        threads: of each session; 0 takes all cores.
        rounds: calls of each back end per graph.
        backends: names in BACKENDS; `cpu` is among them.
    """

    threads: int
    rounds: int
    backends: tuple[str, ...]


def tune(folder: Path, job: Job) -> tuple[Manifest, Entry]:
    """Measure one voice.

    Args:
        folder: its bundle.
        job: how.

    Returns:
        Its manifest, and its entry for the machine's file.

    Raises:
        BundleError: the bundle is incomplete or altered.
    """
    voice = manifests.load(folder)
    manifests.verify(folder, voice)
    load = load_average()
    files = {name: folder / member.file for name, member in voice.graphs.items()}
    graphs = VoiceGraphs(files, folder / STEP_TABLES, threads=Threads(job.threads))
    names = [name for name in BARS if name in files]
    vocabulary = folder / manifests.VOCABULARY if "roberta" in files else None
    example = sound.read(folder / voice.reference.audio)
    runners = {name: graphs.open(name) for name in names}
    calibration = Calibration(runners, example, vocabulary)
    return voice, Entry(
        voice=voice.voice,
        precision=voice.precision,
        threads=job.threads,
        rounds=job.rounds,
        load_average=load,
        busy=is_busy(load),
        graphs={
            name: _chosen(name, measure(name, files[name], calibration, job)) for name in names
        },
    )


def _chosen(graph: str, tried: Mapping[str, Tried]) -> Chosen:
    bar = BARS[graph]
    return Chosen(fastest(tried, bar.worst), bar.metric, bar.worst, tried)


def candidates(asked: list[str] | None) -> tuple[str, ...]:
    """`cpu`, and what was asked for or is installed.

    Raises:
        SettingError: one that was asked for is not installed.
    """
    names = [name for name in TRIED if asked is None or name in asked or name == USUAL]
    absent = {name: reason for name in names if (reason := BACKENDS[name].missing())}
    for name, reason in absent.items():
        if asked is not None:
            raise SettingError(f"--backends {name}: {reason}")
        sys.stderr.write(f"{name}: {reason}\n")
    return tuple(name for name in names if name not in absent)
