"""Time built voices: steps at several cache lengths, a sentence and its parts, a fresh process.

Every rival speaks the same prompt and the same tokens, turn by turn in one process; text and
reference are left out. A step's ceiling is what it must read, weights once and live cache rows
once, over the bandwidth that this process reaches.
"""

import logging
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from runtime import manifest as manifests
from runtime.backends import Threads, tuned
from runtime.backends.choices import Choice, choose
from runtime.errors import SettingError
from runtime.graphs import VoiceGraphs
from runtime.manifest import Manifest
from runtime.measure import fresh_process
from runtime.measure.findings import host_shares, judged_chunks
from runtime.measure.timing import BUFFER_BYTES, Spread, Timed, interleaved, memory_bandwidth
from runtime.measure.workload import (
    FIRST_SOUND,
    FIRST_TOKENS,
    PARTS,
    PHONES,
    PROMPT_TOKENS,
    ROWS,
    STEPS_PER_TURN,
    TOTAL,
    Replay,
    Rival,
    Speaker,
)
from runtime.processor import is_busy, load_average
from runtime.t2s.decode import Decoder

COMPUTED_LARGER = {
    "fp16": 2,
    "fp16_stored": 2,
}  # precision → times the file's bytes that a step reads


WITHIN = 0.05  # the parts of a sentence and its total may differ by
CHUNK_ROUNDS = 5  # at most: each is many chunks
LOADED = ("t2s_embed", "t2s_decoder", "prior", "vocoder")  # before a reference comes
CPU = "vocoder on cpu"  # of a rival whose vocoder runs elsewhere
LOG = logging.getLogger(__name__)
Report = dict[str, Any]
Opener = Callable[[], "Entrant"]


@dataclass(frozen=True)
class Job:
    """How to measure.

    Attributes:
        tokens: new tokens of a sentence, 25 a second.
        rounds: turns of each rival.
        threads: of each session.
        buffer_bytes: what the memory's bandwidth is measured on.
        spinning, huge_pages: as `Threads` has them.
        chunks: of the stream whose chunks are timed; 0 times none.
    """

    tokens: int = 100
    rounds: int = 15
    threads: int = 2
    buffer_bytes: int = BUFFER_BYTES
    spinning: bool = False
    huge_pages: bool = False
    chunks: int = 50

    def __post_init__(self) -> None:
        floors = {"tokens": FIRST_TOKENS, "rounds": 1, "threads": 1, "chunks": 0}
        for name, least in floors.items():
            if getattr(self, name) < least:
                raise SettingError(f"--{name}: {getattr(self, name)} is below {least}; give more")
        if self.chunks == 1:
            raise SettingError("--chunks: one chunk can't be compared with others; give 0, or more")


@dataclass(frozen=True)
class Entrant:
    """A rival with what is known of it before it runs.

    Attributes:
        rival: its ways of doing the work.
        facts: what the report tells of it: files, back ends.
        fresh: command line of a child that loads it and sounds once; () for none.
        ceiling_ms: rows → least milliseconds of a step; {} where it is not known.
    """

    rival: Rival
    facts: Mapping[str, Any]
    fresh: tuple[str, ...] = ()
    ceiling_ms: Mapping[int, float] = field(default_factory=dict)


def entrant(folder: Path, provider: str, job: Job, bandwidth: float) -> Entrant:
    """A bundle on back ends.

    Args:
        folder: the bundle.
        provider: as `choices.choose` takes it.
        job: how to measure.
        bandwidth: of the memory, bytes per second.

    Raises:
        BundleError, SettingError, MachineError: the bundle or the provider can't be used.
    """
    manifest = manifests.load(folder)
    manifests.verify(folder, manifest)
    choice = choose(provider, manifest)
    replay = Replay.of(job.tokens)
    if replay.rows > manifest.max_len:
        raise SettingError(
            f"--tokens: {job.tokens} and the prompt are {replay.rows} rows, {folder} holds"
            f" {manifest.max_len}; give fewer"
        )
    how = Threads(job.threads, job.spinning, job.huge_pages)
    speaker = Speaker(VoiceGraphs.of_bundle(folder, manifest, choice, how), replay)
    return Entrant(
        rival=speaker.rival(),
        facts=_facts(folder, manifest, choice),
        fresh=tuple(fresh_process.command(folder, provider, job.threads)),
        ceiling_ms=ceiling_ms(folder, manifest, speaker.decoder, bandwidth),
    )


def _facts(folder: Path, manifest: Manifest, choice: Choice) -> dict[str, Any]:
    """What was timed, so that a figure can be traced to its files."""
    return {
        "bundle": str(folder),
        "manifest_sha256": manifests.digest(folder / manifests.NAME),
        "family": manifest.family,
        "precision": manifest.precision,
        "backends": {name: choice.backends[name] for name in manifest.graphs},
        "disk_bytes": sum(file.size_bytes for file in manifest.files.values()),
        "weights_bytes": sum(_weights_bytes(manifest, graph) for graph in LOADED),
    }


def _weights_bytes(manifest: Manifest, graph: str) -> int:
    """What a graph's weights take in memory, nearly: its file, larger where it is computed so."""
    member = manifest.graphs[graph]
    return manifest.files[member.file].size_bytes * COMPUTED_LARGER.get(member.precision, 1)


def ceiling_ms(
    folder: Path, manifest: Manifest, decoder: Decoder, bandwidth: float
) -> dict[int, float]:
    """Least milliseconds of a step by rows: weights and live cache rows, read once."""
    row_bytes = decoder.cache_shape.row_bytes
    weights = _weights_bytes(manifest, "t2s_decoder")
    return {rows: 1e3 * (weights + rows * row_bytes) / bandwidth for rows in ROWS}


def measure(entrants: Mapping[str, Entrant], job: Job) -> Report:
    """Time all entrants turn by turn; the last is the baseline.

    Args:
        entrants: by name.
        job: how.

    Returns:
        Per entrant its part of the report.
    """
    found: dict[str, Report] = {name: dict(one.facts) for name, one in entrants.items()}
    for name, one in entrants.items():  # before memory fills with what the others leave
        if one.fresh:
            LOG.info("a fresh process: %s", name)
            found[name]["fresh"] = fresh_process.measured(one.fresh)
            _add_over_weights(found[name])
    _add_steps(found, entrants, job)
    timed = _parts(entrants, job)
    add_parts(found, timed, job)
    for name, one in entrants.items():
        if one.rival.runs:
            found[name]["host_share_of_step"] = host_shares(found[name])
        if one.rival.vocoder_on_cpu:
            both = Timed({**timed["vocoder"].seconds, CPU: timed[CPU].seconds[name]})
            found[name]["vocoder_vs_onnxruntime"] = both.ratio(name, to=CPU).as_json()
    if job.chunks:
        _add_chunks(found, entrants, job)
    return found


def _add_over_weights(found: Report) -> None:
    """Of a fresh process after its load: memory beyond the weights."""
    loaded = found["fresh"].get("rss_loaded_bytes")
    if loaded is not None and "weights_bytes" in found:
        found["fresh"]["over_weights_bytes"] = loaded - found["weights_bytes"]


def _add_steps(found: dict[str, Report], entrants: Mapping[str, Entrant], job: Job) -> None:
    for name in entrants:
        found[name]["step_ms"] = {}
    for rows in ROWS:
        LOG.info("steps at %d rows: %d rounds", rows, job.rounds)
        bare = {f"{n} bare": one.rival.runs[rows] for n, one in entrants.items() if one.rival.runs}
        steps = {n: one.rival.steps[rows] for n, one in entrants.items()}
        timed = interleaved(steps | bare, job.rounds)
        for name, one in entrants.items():
            row = _in_ms(timed, name, list(entrants)[-1], STEPS_PER_TURN)
            if one.rival.runs:
                row["run_ms"] = 1e3 * timed.spread(f"{name} bare").median / STEPS_PER_TURN
            ceiling = one.ceiling_ms.get(rows)
            if ceiling is not None:
                row |= {"ceiling_ms": ceiling, "share_of_ceiling": ceiling / row["median"]}
            found[name]["step_ms"][f"{rows}"] = row
    for name in entrants:
        fewest, *_, most = found[name]["step_ms"].values()
        found[name]["step_growth"] = most["median"] / fewest["median"]


def _parts(entrants: Mapping[str, Entrant], job: Job) -> dict[str, Timed]:
    """Parts, total and first sound of all entrants in the same rounds."""
    parts = (*PARTS, TOTAL, FIRST_SOUND)
    ways = {
        f"{part} {name}": one.rival.parts[part] for part in parts for name, one in entrants.items()
    }
    elsewhere = {name: one.rival.vocoder_on_cpu for name, one in entrants.items()}
    ways |= {f"{CPU} {name}": work for name, work in elsewhere.items() if work}
    LOG.info("a sentence of %d tokens and its parts: %d rounds", job.tokens, job.rounds)
    timed = interleaved(ways, job.rounds, warmup=1)
    return {
        part: Timed(
            {
                name: timed.seconds[f"{part} {name}"]
                for name in entrants
                if f"{part} {name}" in timed.seconds
            }
        )
        for part in (*parts, CPU)
    }


def _add_chunks(found: dict[str, Report], entrants: Mapping[str, Entrant], job: Job) -> None:
    """Turn by turn: chunk by chunk of a long stream."""
    streams = {n: one.rival.chunks for n, one in entrants.items() if one.rival.chunks}
    LOG.info("streams of %d chunks", job.chunks)
    turns = [
        {name: chunks(job.chunks) for name, chunks in streams.items()}
        for _ in range(min(job.rounds, CHUNK_ROUNDS))
    ]
    for name in streams:
        found[name]["chunks"] = judged_chunks(np.array([turn[name] for turn in turns]))


def add_parts(found: Mapping[str, Report], timed: Mapping[str, Timed], job: Job) -> None:
    """Tell the times of the parts and of the whole, and what follows from them.

    Args:
        found: rival → its part of the report, which is added to; the last rival is the baseline.
        timed: name in PARTS, TOTAL and FIRST_SOUND → times of all rivals.
        job: how it was measured.
    """
    *_, baseline = found
    for name in found:
        summed = np.sum([timed[part].seconds[name] for part in PARTS], axis=0)
        share = Spread.of(summed / timed[TOTAL].seconds[name])
        medians = {part: timed[part].spread(name).median for part in (*PARTS, TOTAL)}
        found[name].update(
            {
                "parts_ms": {part: _in_ms(timed[part], name, baseline) for part in PARTS},
                "total_ms": _in_ms(timed[TOTAL], name, baseline),
                "parts_of_total": share.as_json(),
                "parts_add_up": abs(share.median - 1) <= WITHIN,
                "ttfa_warm_ms": _in_ms(timed[FIRST_SOUND], name, baseline),
                "rtf": medians[TOTAL] / Replay.of(job.tokens).seconds,
                "tokens_per_s": (job.tokens - 1) / medians["steps"],
                "sampler_ms_per_token": 1e3 * medians["sampler"] / job.tokens,
            }
        )


def _in_ms(timed: Timed, name: str, baseline: str, works: int = 1) -> Report:
    """The spread of one rival, and how many times faster than the baseline it is."""
    spread = {k: 1e3 * v / works for k, v in timed.spread(name).as_json().items()}
    return {**spread, "times_faster": timed.ratio(name, to=baseline).as_json()}


def bench(
    folders: Sequence[Path], providers: Sequence[str], job: Job, others: Mapping[str, Opener]
) -> Report:
    """Time bundles on back ends beside other rivals.

    Args:
        folders: bundles.
        providers: each bundle is timed on each of these.
        job: how.
        others: name → opens a rival that is no bundle; the last of all is the baseline.

    Returns:
        Everything that is told, machine and work included.
    """
    load = load_average()  # before we are a load ourselves
    LOG.info("what this memory reads, and loading")
    bandwidth = memory_bandwidth(job.threads, buffer_bytes=job.buffer_bytes)
    entrants = {
        _name(folder, provider): entrant(folder, provider, job, bandwidth)
        for folder in folders
        for provider in providers
    } | {name: opened() for name, opened in others.items()}
    return {
        "machine": asdict(tuned.this_machine()) | {"system": platform.platform()},
        "python": platform.python_version(),
        "load_average": load,
        "busy": is_busy(load),
        "work": asdict(job) | {"phones": PHONES, "prompt_tokens": PROMPT_TOKENS},
        "bandwidth_gb_per_s": bandwidth / 1e9,
        "baseline": list(entrants)[-1],
        "rivals": measure(entrants, job),
    }


def _name(folder: Path, provider: str) -> str:
    return f"{folder} on {provider}"
