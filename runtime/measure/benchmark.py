"""Time built voices: steps at several cache lengths, a sentence and its parts, a fresh process.

Every candidate speaks the same prompt and the same tokens, interleaved in one process, sentences
of lengths that never come again, as users' are; text and reference are left out. A step's ceiling
is what it must read, weights once and cached positions once, over the bandwidth that this process
reaches.
"""

import logging
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.backends import tuned
from runtime.errors import SettingError
from runtime.measure import fresh_process
from runtime.measure.candidates import (
    SOUND_WORKS,
    WARMUP,
    BenchmarkOptions,
    Candidates,
    Opener,
    Totals,
    candidate,
)
from runtime.measure.crowd import audiobooks, crowds
from runtime.measure.findings import host_shares, judged_chunks
from runtime.measure.lengths import Runs, at_length, unseen
from runtime.measure.reports import (
    BenchReport,
    Chunks,
    FreshProcess,
    Milliseconds,
    Scaling,
    StepMilliseconds,
    Steps,
    Sums,
    TimedMachine,
    Timings,
    Work,
)
from runtime.measure.timing import Spread, Timed, interleaved, memory_bandwidth
from runtime.measure.timing import Work as TimedWork
from runtime.measure.workload import (
    FIRST_SOUND,
    PHONES,
    PROMPT_TOKENS,
    ROWS,
    STEPS_PER_RUN,
    TOKENS_PER_SECOND,
    TOTAL,
)
from runtime.processor import is_busy, load_average

WITHIN = 0.05  # the parts of a sentence and its total may differ by
CHUNK_ROUNDS = 5  # at most: each is many chunks
CPU = "vocoder on cpu"  # of a candidate whose vocoder runs elsewhere
NOT_COMMON = ("scaling", "users", "text")  # of the options: not every candidate does it
LOG = logging.getLogger(__name__)


def measure(candidates: Candidates, options: BenchmarkOptions) -> dict[str, Timings]:
    """Time all candidates, interleaved; the last is the baseline.

    Args:
        candidates: by name.
        options: how.

    Returns:
        The times of each.

    Raises:
        SettingError: they make sound in different ways.
    """
    *_, baseline = candidates
    summands = _summands(candidates)
    fresh = _fresh(candidates)  # before memory fills with what the others leave
    steps = _steps(candidates, options, baseline)
    timed = _parts(candidates, summands, options)
    all_sums = sums(timed, options, list(candidates))
    chunks = _chunks(candidates, options)
    repeated = _repeated(candidates, options)
    scaling = _scaling(candidates, options) if options.scaling else {}
    if options.users:
        LOG.info("%s users at once", ", ".join(map(str, options.users)))
    users, books = crowds(candidates, options), audiobooks(candidates, options)
    return {
        name: Timings(
            **vars(one.facts),
            **vars(steps[name]),
            **vars(all_sums[name]),
            fresh=fresh.get(name),
            host_share_of_step=host_shares(
                steps[name].step_ms, all_sums[name].sampler_ms_per_token
            ),
            vocoder_vs_onnxruntime=_beside_cpu(name, one.works.vocoder, timed),
            chunks=chunks.get(name),
            repeated_ms=repeated[name],
            scaling=scaling.get(name),
            users=users.get(name, {}),
            audiobook=books.get(name, {}),
        )
        for name, one in candidates.items()
    }


def _beside_cpu(name: str, vocoder: str, timed: Mapping[str, Timed]) -> Spread | None:
    """How many times faster a vocoder elsewhere is than on ONNX Runtime."""
    if name not in timed[CPU].seconds:
        return None
    both = Timed({**timed[vocoder].seconds, CPU: timed[CPU].seconds[name]})
    return both.ratio(name, to=CPU)


def _fresh(candidates: Candidates) -> dict[str, FreshProcess]:
    """A process of its own for each, with its memory beyond the weights."""
    found = {}
    for name, one in candidates.items():
        if one.fresh:
            LOG.info("a fresh process: %s", name)
            fresh, weights = fresh_process.measured(one.fresh), one.facts.weights_bytes
            if fresh.rss_loaded_bytes is not None and weights is not None:
                fresh = replace(fresh, over_weights_bytes=fresh.rss_loaded_bytes - weights)
            found[name] = fresh
    return found


def _steps(candidates: Candidates, options: BenchmarkOptions, baseline: str) -> dict[str, Steps]:
    found: dict[str, dict[int, StepMilliseconds]] = {name: {} for name in candidates}
    for rows in ROWS:
        LOG.info("steps at %d cached positions: %d rounds", rows, options.rounds)
        bare = {
            f"{name} bare": one.works.bare_steps[rows]
            for name, one in candidates.items()
            if one.works.bare_steps
        }
        ways = {name: one.works.steps[rows] for name, one in candidates.items()}
        timed = interleaved(ways | bare, options.rounds)
        for name, one in candidates.items():
            step = _in_ms(timed, name, baseline, STEPS_PER_RUN)
            alone, ceiling = f"{name} bare", one.ceiling_ms.get(rows)
            found[name][rows] = StepMilliseconds(
                **vars(step),
                run_ms=1e3 * timed.spread(alone).median / STEPS_PER_RUN if alone in bare else None,
                ceiling_ms=ceiling,
                share_of_ceiling=None if ceiling is None else ceiling / step.median,
            )
    return {
        name: Steps(step_ms=rows, step_growth=rows[max(rows)].median / rows[min(rows)].median)
        for name, rows in found.items()
    }


def _summands(candidates: Candidates) -> tuple[str, ...]:
    """The parts that add up to a total, the same for all.

    Raises:
        SettingError: candidates make sound in different ways.
    """
    ways = {one.works.summands: name for name, one in candidates.items()}
    if len(ways) > 1:
        (one, first), (other, second), *_ = ways.items()
        raise SettingError(
            f"{first} consists of {', '.join(one)}, {second} of {', '.join(other)}; time them apart"
        )
    return next(iter(ways))


def _parts(
    candidates: Candidates, summands: tuple[str, ...], options: BenchmarkOptions
) -> dict[str, Timed]:
    """Parts, total and first sound of all candidates in the same rounds.

    What makes sound meets a length that it has not met at each run, the same for all candidates;
    its seconds are those of the usual length.
    """
    sized = _sized(candidates)
    lengths = {part: options.lengths[i::SOUND_WORKS] for i, part in enumerate(sized)}
    lengths[CPU] = lengths[next(iter(candidates.values())).works.vocoder]
    ways: dict[tuple[str, str], TimedWork] = {}
    for name, one in candidates.items():
        ways |= {(part, name): work for part, work in one.works.parts.items()}
        ways |= {(part, name): Runs(one.works.sound[part], lengths[part]) for part in sized}
        if one.works.vocoder_on_cpu:
            ways[CPU, name] = Runs(one.works.vocoder_on_cpu, lengths[CPU])
    LOG.info(
        "sentences of about %d tokens and their parts: %d rounds", options.tokens, options.rounds
    )
    timed = interleaved(ways, options.rounds, WARMUP)
    found: dict[str, dict[str, NDArray[np.float64]]] = {
        part: {} for part in (*summands, TOTAL, FIRST_SOUND, CPU)
    }
    for (part, name), taken in timed.seconds.items():
        usual = at_length(taken, lengths[part], options.tokens) if part in lengths else taken
        found[part][name] = usual
    return {part: Timed(seconds) for part, seconds in found.items()}


def _repeated(candidates: Candidates, options: BenchmarkOptions) -> dict[str, dict[str, Spread]]:
    """Milliseconds of what makes sound where one length comes again and again, by part."""
    parts = [part for part in _sized(candidates) if part != TOTAL]
    ways = {
        (part, name): partial(one.works.sound[part], options.tokens)
        for part in parts
        for name, one in candidates.items()
    }
    LOG.info("the same length again and again: %d rounds", options.rounds)
    timed = interleaved(ways, options.rounds)
    return {
        name: {part: timed.spread((part, name)).times(1e3) for part in parts} for name in candidates
    }


def _sized(candidates: Candidates) -> tuple[str, ...]:
    """What is timed at lengths that never come again, the same for all."""
    return tuple(next(iter(candidates.values())).works.sound)


def _chunks(candidates: Candidates, options: BenchmarkOptions) -> dict[str, Chunks]:
    """Chunk by chunk of a long stream, candidates in alternating runs."""
    if not options.chunks:
        return {}
    streams = {n: one.works.chunks for n, one in candidates.items() if one.works.chunks}
    LOG.info("streams of %d chunks", options.chunks)
    runs = [
        {name: chunks(options.chunks) for name, chunks in streams.items()}
        for _ in range(min(options.rounds, CHUNK_ROUNDS))
    ]
    return {name: judged_chunks(np.array([run[name] for run in runs])) for name in streams}


def _scaling(candidates: Candidates, options: BenchmarkOptions) -> dict[str, Scaling]:
    """Sentences of several lengths, then of the usual length in other numbers of threads."""
    LOG.info("sentences of several lengths, and 1 to %d threads", options.threads)
    found = {}
    for name, one in candidates.items():
        if one.totals is not None:
            by_tokens = {n: (n, options.threads) for n in one.lengths}
            by_threads = {n: (options.tokens, n) for n in range(1, options.threads + 1)}
            found[name] = Scaling(
                *(_totals(one.totals, ways, options) for ways in (by_tokens, by_threads))
            )
    return found


def _totals(
    totals: Totals, ways: Mapping[int, tuple[int, int]], options: BenchmarkOptions
) -> dict[int, Spread]:
    """Milliseconds of sentences by what the ways differ in; each is tokens, threads."""
    lengths = {n: unseen(tokens, options.runs) for n, (tokens, _) in ways.items()}
    works = {
        n: Runs(totals(max(lengths[n]), threads), lengths[n]) for n, (_, threads) in ways.items()
    }
    timed = interleaved(works, options.rounds, WARMUP)
    return {
        n: Spread.of(1e3 * at_length(timed.seconds[n], lengths[n], tokens))
        for n, (tokens, _) in ways.items()
    }


def sums(
    timed: Mapping[str, Timed], options: BenchmarkOptions, names: Sequence[str]
) -> dict[str, Sums]:
    """The times of the parts and of the whole, and what follows from them.

    Args:
        timed: parts, TOTAL and FIRST_SOUND → times of all candidates.
        options: how it was measured.
        names: of the candidates; the last is the baseline.
    """
    *_, baseline = names
    parts = [part for part in timed if part not in (TOTAL, FIRST_SOUND, CPU)]
    found = {}
    for name in names:
        summed = np.sum([timed[part].seconds[name] for part in parts], axis=0)
        share = Spread.of(summed / timed[TOTAL].seconds[name])
        medians = {part: timed[part].spread(name).median for part in (*parts, TOTAL)}
        found[name] = Sums(
            parts_ms={part: _in_ms(timed[part], name, baseline) for part in parts},
            total_ms=_in_ms(timed[TOTAL], name, baseline),
            parts_of_total=share,
            parts_add_up=abs(share.median - 1) <= WITHIN,
            ttfa_warm_ms=_in_ms(timed[FIRST_SOUND], name, baseline),
            rtf=medians[TOTAL] * TOKENS_PER_SECOND / options.tokens,
            tokens_per_s=(options.tokens - 1) / medians["steps"],
            sampler_ms_per_token=1e3 * medians["sampler"] / options.tokens,
        )
    return found


def _in_ms(timed: Timed, name: str, baseline: str, works: int = 1) -> Milliseconds:
    """The spread of one candidate, and how many times faster than the baseline it is."""
    spread = timed.spread(name).times(1e3 / works)
    return Milliseconds(**vars(spread), times_faster=timed.ratio(name, to=baseline))


def bench(
    folders: Sequence[Path],
    providers: Sequence[str],
    options: BenchmarkOptions,
    others: Mapping[str, Opener],
) -> BenchReport:
    """Time bundles on back ends beside other candidates.

    Args:
        folders: bundles.
        providers: each bundle is timed on each of these.
        options: how.
        others: name → opens a candidate that is no bundle; the last of all is the baseline.
    """
    load = load_average()  # before we are a load ourselves
    LOG.info("what this memory reads, and loading")
    bandwidth = memory_bandwidth(options.threads, buffer_bytes=options.buffer_bytes)
    candidates = {
        f"{folder} on {provider}": candidate(folder, provider, options, bandwidth)
        for folder in folders
        for provider in providers
    } | {name: opened() for name, opened in others.items()}
    how = {name: value for name, value in asdict(options).items() if name not in NOT_COMMON}
    return BenchReport(
        machine=TimedMachine(**vars(tuned.this_machine()), system=platform.platform()),
        python=platform.python_version(),
        load_average=load,
        busy=is_busy(load),
        work=Work(**how, phones=PHONES, prompt_tokens=PROMPT_TOKENS),
        bandwidth_gb_per_s=bandwidth / 1e9,
        baseline=list(candidates)[-1],
        candidates=measure(candidates, options),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        commit=commit(),
    )


def commit() -> str:
    """The state of the code: git's commit, `-dirty` if files differ; empty without git."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
