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
from typing import Any

from runtime import audio as sound
from runtime import manifest as manifests
from runtime.backends import BACKENDS, GraphRunner, Threads
from runtime.backends.choices import USUAL
from runtime.contract import STEP_TABLES
from runtime.errors import BackendMissing, GraphError, SettingError
from runtime.graphs import VoiceGraphs
from runtime.manifest import Manifest
from runtime.measure.rehearsal import BARS, Rehearsal
from runtime.measure.timing import interleaved
from runtime.processor import is_busy, load_average

TRIED = tuple(name for name, row in BACKENDS.items() if not row.engines)
WORTH = 1.05  # times faster than cpu, at least: less would change from day to day


@dataclass(frozen=True)
class Rival:
    """One back end's measurements of one graph.

    Attributes:
        milliseconds: median of one call.
        times_faster: median over rounds, against `cpu`.
        distance: in the metric of the graph's bar; not finite if the answer was not.
        refused: why it can't run the graph; empty if it can.
    """

    milliseconds: float = math.nan
    times_faster: float = math.nan
    distance: float = math.nan
    refused: str = ""

    def as_json(self) -> dict[str, Any]:
        """By name; what is not a number is null."""
        numbers = (self.milliseconds, self.times_faster, self.distance)
        names = ("milliseconds", "times_faster", "distance")
        found: dict[str, Any] = {
            name: value if math.isfinite(value) else None
            for name, value in zip(names, numbers, strict=True)
        }
        return found | ({"refused": self.refused} if self.refused else {})


def fastest(rivals: Mapping[str, Rival], worst: float) -> str:
    """The back end that is fastest among those within the bar; `cpu` unless one is worth it.

    Args:
        rivals: by name in BACKENDS.
        worst: the largest distance that is let through.
    """
    able = {
        name: rival.times_faster
        for name, rival in rivals.items()
        if rival.times_faster >= WORTH and rival.distance <= worst  # false if not a number
    }
    return max(able, key=lambda name: able[name]) if able else USUAL


def measure(graph: str, path: Path, rehearsal: Rehearsal, job: "Job") -> dict[str, Rival]:
    """Every back end of a job that takes a graph, turn by turn in this process."""
    rivals: dict[str, Rival] = {}
    runners: dict[str, GraphRunner] = {}
    distances: dict[str, float] = {}
    inputs = rehearsal.inputs[graph]
    for name in job.backends:
        if graph not in BACKENDS[name].takes:
            continue
        try:
            runner = BACKENDS[name].open_graph(path, Threads(job.threads))
            distances[name] = rehearsal.distance(graph, runner.run(inputs)[0])
            runners[name] = runner
        except (BackendMissing, GraphError) as error:
            rivals[name] = Rival(refused=" ".join(f"{error}".split()))
    ways = {name: partial(runner.run, inputs) for name, runner in runners.items()}
    timed = interleaved(ways, job.rounds, warmup=1)
    for name in runners:
        milliseconds = 1e3 * timed.spread(name).median
        faster = timed.ratio(name, to=USUAL).median
        rivals[name] = Rival(milliseconds, faster, distances[name])
    return rivals


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


def tune(folder: Path, job: Job) -> tuple[Manifest, dict[str, Any]]:
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
    rehearsal = Rehearsal({name: graphs.open(name) for name in names}, example, vocabulary)
    return voice, {
        "voice": voice.voice,
        "precision": voice.precision,
        "threads": job.threads,
        "rounds": job.rounds,
        "load_average": load,
        "busy": is_busy(load),
        "graphs": {name: _row(name, measure(name, files[name], rehearsal, job)) for name in names},
    }


def _row(graph: str, rivals: Mapping[str, Rival]) -> dict[str, Any]:
    bar = BARS[graph]
    return {
        "backend": fastest(rivals, bar.worst),
        "metric": bar.metric,
        "bar": bar.worst,
        "measured": {name: rival.as_json() for name, rival in rivals.items()},
    }


def rivals(asked: list[str] | None) -> tuple[str, ...]:
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
