"""Measure on which back end each graph of a voice is fastest here, for --provider auto.

A back end is taken where it is faster than cpu and what it gives stays within a bar: the same
prompt tokens, the same sound to within half a decibel. The result is one file per machine.
"""

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from runtime import audio as sound
from runtime import manifest as manifests
from runtime.acoustic.mel import MelFrames
from runtime.acoustic.vocoder import MelVocoder, Vocoder
from runtime.backends import BACKENDS, Arrays, GraphRunner, Threads, Windows
from runtime.backends.choices import USUAL
from runtime.backends.tuned import Chosen, Entry, Tried
from runtime.contract import STEP_TABLES
from runtime.errors import BackendMissing, GraphError, SettingError
from runtime.graphs import VoiceGraphs
from runtime.manifest import Acoustic, Manifest
from runtime.measure.calibration import Calibration, bar_of
from runtime.measure.timing import Work, interleaved
from runtime.processor import is_busy, load_average

Run = Callable[[Arrays], NDArray[Any]]
WARM_UPS = 3  # rounds: every window has been run once
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


def measure(
    graph: str, path: Path, calibration: Calibration, options: "TuningOptions"
) -> dict[str, Tried]:
    """Every back end of the options that takes a graph, interleaved in this process.

    Each round has another length, as what users say has: a back end that compiles for each is
    timed with that. The vocoder is tried in each of a back end's windows.
    """
    tried: dict[str, Tried] = {}
    runs: dict[str, Run] = {}
    distances: dict[str, float] = {}
    for name in options.backends:
        if graph not in BACKENDS[name].takes:
            continue
        try:
            runner = BACKENDS[name].open_graph(path, Threads(options.threads))
            for label, work in _runs(graph, name, runner, calibration.acoustic).items():
                distances[label] = calibration.distance_of(graph, work)
                runs[label] = work
        except (BackendMissing, GraphError) as error:
            tried[name] = Tried(refused=" ".join(f"{error}".split()))
    ways = {label: _on(work, calibration.varied(graph)) for label, work in runs.items()}
    timed = interleaved(ways, options.rounds, warmup=WARM_UPS)
    for name in runs:
        milliseconds = 1e3 * timed.spread(name).median
        faster = timed.ratio(name, to=USUAL).median
        distance = distances[name] if math.isfinite(distances[name]) else None
        tried[name] = Tried(milliseconds, faster, distance)
    return tried


def _runs(graph: str, name: str, runner: GraphRunner, acoustic: Acoustic) -> dict[str, Run]:
    """The ways of a back end to run a graph, the usual one under its own name."""
    if graph != acoustic.vocoder:
        return {name: lambda inputs: runner.run(inputs)[0]}
    usual, *others = BACKENDS[name].windows
    named = {name: usual} | {label_of(name, windows): windows for windows in others}
    return {label: _vocoded(runner, row, acoustic) for label, row in named.items()}


def label_of(name: str, windows: Windows) -> str:
    """What a back end is called with windows that are not its usual ones."""
    return f"{name} {','.join(map(str, windows.sizes))}"


def _vocoded(runner: GraphRunner, windows: Windows, acoustic: Acoustic) -> Run:
    if acoustic.kind == "vits":
        of_latent = Vocoder(runner, windows)
        return lambda inputs: of_latent.samples(inputs["latent"], inputs["style"])
    of_mel = MelVocoder(runner, windows, MelFrames.of(acoustic))
    return lambda inputs: of_mel.samples(inputs["mel"])


def _on(work: Run, inputs: Iterator[Arrays]) -> Work:
    return lambda: work(next(inputs))


@dataclass(frozen=True)
class TuningOptions:
    """How to measure.

    Attributes:
        threads: of each session; 0 takes all cores.
        rounds: calls of each back end per graph.
        backends: names in BACKENDS; `cpu` is among them.
    """

    threads: int
    rounds: int
    backends: tuple[str, ...]


def tune(folder: Path, options: TuningOptions) -> tuple[Manifest, Entry]:
    """Measure one voice.

    Args:
        folder: its bundle.
        options: how.

    Returns:
        Its manifest, and its entry for the machine's file.

    Raises:
        BundleError: the bundle is incomplete or altered.
    """
    voice = manifests.load(folder)
    manifests.verify(folder, voice)
    load = load_average()
    files = {name: folder / member.file for name, member in voice.graphs.items()}
    graphs = VoiceGraphs(
        files, folder / STEP_TABLES, voice.acoustic, threads=Threads(options.threads)
    )
    vocabulary = folder / manifests.VOCABULARY if "roberta" in files else None
    example = sound.read(folder / voice.reference.audio)
    calibration = Calibration(graphs, example, vocabulary)
    return voice, Entry(
        voice=voice.voice,
        precision=voice.precision,
        threads=options.threads,
        rounds=options.rounds,
        load_average=load,
        busy=is_busy(load),
        graphs={
            name: _chosen(
                name, measure(name, files[name], calibration, options), voice.acoustic.vocoder
            )
            for name in calibration.inputs
        },
    )


def _chosen(graph: str, tried: Mapping[str, Tried], vocoder: str) -> Chosen:
    bar = bar_of(graph)
    name = fastest({name: tried[name] for name in tried if name in BACKENDS}, bar.worst)
    windows = best_windows(name, tried, bar.worst) if graph == vocoder else ()
    return Chosen(name, bar.metric, bar.worst, tried, windows)


def best_windows(name: str, tried: Mapping[str, Tried], worst: float) -> tuple[int, ...]:
    """Of a back end: its usual ones, unless others are worth it."""
    usual, *others = BACKENDS[name].windows
    best, times = usual, (tried[name].times_faster or 0) * WORTH
    for windows in others:
        found = tried.get(label_of(name, windows), Tried())
        near = found.distance is not None and found.distance <= worst
        if near and (found.times_faster or 0) >= times:
            best, times = windows, found.times_faster or 0
    return best.sizes


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
