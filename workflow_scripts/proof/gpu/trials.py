"""What each way of stepping is tried on: one sentence, answered by the CPU first, then timed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from runtime import noise
from runtime.arrays import Float32, Int64, Logits
from runtime.backends.sessions import GPU, STAND_IN, Place
from runtime.graphs import POSITIONS, VoiceGraphs
from runtime.measure.calibration import Bar, relative_rms
from runtime.measure.timing import interleaved
from runtime.measure.workload import ROWS, STEPS_PER_RUN, Replay
from runtime.t2s.request import forced_logits, sampled
from runtime.t2s.sampler import Sampling
from runtime.t2s.step_tables import StepTables
from workflow_scripts.engines.arithmetic import ARITHMETICS
from workflow_scripts.proof.gpu.reports import MEASURED, MISSED, Row

ATTENTIONS = ("scatter_in_parts", "scatter_elements", "scatter")  # attention implementations


@dataclass(frozen=True)
class GpuJob:
    """What to measure.

    Attributes:
        voice: folder of an fp32 bundle, or of exported graphs and their tables.
        gpt: T2S checkpoint that it was built from.
        sovits: SoVITS checkpoint that it was built from.
        device: `cuda` or `cpu`.
        tokens: new tokens of the sentence.
        rounds: runs of each measurement.
        threads: of what the CPU does; 0 for all cores.
        reference: the voice's example, where no bundle holds one.
    """

    voice: Path
    gpt: Path
    sovits: Path
    device: str
    tokens: int
    rounds: int
    threads: int
    reference: Path | None = None

    @property
    def place(self) -> Place:
        """Where sessions run."""
        return GPU if self.device == "cuda" else STAND_IN


class Stepper(Protocol):
    """A decoder that is run row by row."""

    def prefill(self, rows: Float32, bias: Float32) -> Logits:
        """Fill the cache with a prompt's rows [Q, D] under its bias [1, 1, Q, Q]; logits [V]."""
        ...

    def step(self, row: Float32, cached: int) -> Logits:
        """Logits [V] after one more row [D], the `cached`-th of the cache."""
        ...

    def repeat(self, row: Float32, cached: int, count: int) -> None:
        """Such a step so many times; waits for the last one, and reads no logits."""
        ...


@dataclass(frozen=True, eq=False)
class Sentence:
    """A prompt and the tokens behind it, with what `cpu` makes of them.

    Attributes:
        rows: float32 [Q, D], of the prefill.
        bias: float32 [1, 1, Q, Q].
        step_rows: float32 [T-1, D], of each token but the last.
        used: bool [V], tokens of the prompt.
        tokens: int64 [T].
        wanted: float32 [T, V], logits before each token.
    """

    rows: Float32
    bias: Float32
    step_rows: Float32
    used: Any
    tokens: Int64
    wanted: Float32

    @classmethod
    def of(cls, graphs: VoiceGraphs, tokens: int) -> "Sentence":
        """The replay of so many tokens by a voice's graphs on the CPU."""
        replay = Replay.of(tokens)
        prompt, decoder = replay.prompt, graphs.decoder()
        rows, bias = graphs.open("t2s_embed").run(
            {
                "phones": prompt.phones[None],
                "text_features": prompt.features[None],
                "prompts": prompt.tokens[None],
            }
        )
        with np.load(graphs.tables, allow_pickle=False) as stored:
            tables = StepTables.from_arrays(dict(stored), POSITIONS)
        places = prompt.tokens.size + np.arange(tokens - 1)
        used = np.zeros(decoder.vocabulary, np.bool_)
        used[prompt.tokens] = True
        return cls(
            rows=rows,
            bias=bias,
            step_rows=tables.audio_embedding[replay.tokens[:-1]] + tables.position_rows[places],
            used=used,
            tokens=replay.tokens,
            wanted=forced_logits(decoder, prompt, replay.tokens, replay.rows + 1),
        )

    def drawn(self, logits: Float32) -> list[int | None]:
        """What is drawn of each row of logits [T, V] with the same noise; None is the end."""
        choose = sampled(Sampling(), partial(noise.exponentials, 0, 0))
        used, found = self.used.copy(), []
        for step, (row, token) in enumerate(zip(logits, self.tokens, strict=True)):
            found.append(choose(row, used, step))
            used[token] = True
        return found


def compared(stepper: Stepper, sentence: Sentence, precision: str) -> Row:
    """How far a way's logits are from the CPU's, teacher-forced over a sentence.

    Returns:
        Distances, and the state: MEASURED, or MISSED with the reason.
    """
    first = sentence.rows.shape[0]
    logits = [stepper.prefill(sentence.rows, sentence.bias)]
    logits += [stepper.step(row, first + 1 + i) for i, row in enumerate(sentence.step_rows)]
    return judged(np.stack(logits), sentence, precision)


def judged(found: Float32, sentence: Sentence, precision: str) -> Row:
    """How far logits [T, V] before the tokens of a sentence are from the CPU's; as `compared`."""
    row = ARITHMETICS[precision]
    rms = relative_rms(found, sentence.wanted)
    same = 0.0  # of no numbers nothing is drawn
    if np.isfinite(rms):
        pairs = zip(sentence.drawn(found), sentence.drawn(sentence.wanted), strict=True)
        same = float(np.mean([here == there for here, there in pairs]))
    state = MEASURED
    if not rms <= row.worst_rms:  # NaN is over every bar
        state = f"{MISSED} (logits {rms:.2g} from the CPU's, bar {row.worst_rms:g})"
    elif same < row.least_same:
        state = f"{MISSED} ({same:.0%} of the CPU's tokens, bar {row.least_same:.0%})"
    return Row(state, relative_rms=rms if np.isfinite(rms) else None, same_tokens=same)


def timed(found: Row, stepper: Stepper, sentence: Sentence, capacity: int, rounds: int) -> Row:
    """The same row with the time of a step by cached positions, and tokens a second.

    Args:
        found: of a way that was compared.
        stepper: the way.
        sentence: gives a row to step with.
        capacity: rows of its cache; more are not timed.
        rounds: runs of STEPS_PER_RUN steps each.
    """
    step_ms = {}
    for rows in ROWS:
        if rows > capacity:
            continue
        work = partial(stepper.repeat, sentence.step_rows[0], rows, STEPS_PER_RUN)
        seconds = interleaved({"steps": work}, rounds).spread("steps")
        step_ms[rows] = seconds.times(1e3 / STEPS_PER_RUN)
    medians = [spread.median for spread in step_ms.values()]
    tokens_per_s = 1e3 / medians[len(medians) // 2] if medians else None
    return replace(found, step_ms=step_ms, tokens_per_s=tokens_per_s)


def timed_call(name: str, distance: float, bar: Bar, work: Callable[[], Any], rounds: int) -> Row:
    """The row of a graph: its distance beside its bar, and its time if it is within."""
    found = Row(MEASURED, metric=bar.metric, distance=distance, bar=bar.worst)
    if not distance <= bar.worst:
        missed = f"{MISSED} ({bar.metric} {distance:.2g}, bar {bar.worst:g})"
        return replace(found, state=missed, distance=distance if np.isfinite(distance) else None)
    return replace(found, ms=interleaved({name: work}, rounds).spread(name).times(1e3))
