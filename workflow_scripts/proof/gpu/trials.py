"""What each way of stepping is tried on: one sentence, answered by the CPU first, then timed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from runtime import noise
from runtime.arrays import Float32, Int64, Logits
from runtime.backends.sessions import GPU, REHEARSAL, Place
from runtime.graphs import POSITIONS, VoiceGraphs
from runtime.measure.rehearsal import relative_rms
from runtime.measure.timing import Spread, interleaved
from runtime.measure.workload import ROWS, STEPS_PER_TURN, Replay
from runtime.t2s.request import forced_logits, sampled
from runtime.t2s.sampler import Sampling
from runtime.t2s.step_tables import StepTables
from workflow_scripts.engines.arithmetic import ARITHMETICS

MEASURED, MISSED, NOT_MEASURED = "measured", "missed", "not measured"
NEEDS_GPU = "needs a GPU"
FORMS = ("scatter_in_parts", "scatter_elements", "scatter")  # keys of the table of spellings

Report = dict[str, Any]


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


class Stepper(Protocol):
    """A decoder that is run row by row."""

    def prefill(self, rows: Float32, bias: Float32) -> Logits:
        """Fill the cache with a prompt's rows [Q, D] under its bias [1, 1, Q, Q]; logits [V]."""
        ...

    def step(self, row: Float32, live: int) -> Logits:
        """Logits [V] after one more row [D], the `live`-th of the cache."""
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
        wanted: float32 [T, V], scores before each token.
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

    def drawn(self, scores: Float32) -> list[int | None]:
        """What is drawn of each row of scores [T, V] with the same noise; None is the end."""
        choose = sampled(Sampling(), partial(noise.exponentials, 0, 0))
        used, found = self.used.copy(), []
        for step, (row, token) in enumerate(zip(scores, self.tokens, strict=True)):
            found.append(choose(row, used, step))
            used[token] = True
        return found


def compared(stepper: Stepper, sentence: Sentence, precision: str) -> Report:
    """How far a way's scores are from the CPU's, teacher-forced over a sentence.

    Returns:
        Distances, their bars, and the state: MEASURED, or MISSED with the reason.
    """
    first = sentence.rows.shape[0]
    scores = [stepper.prefill(sentence.rows, sentence.bias)]
    scores += [stepper.step(row, first + 1 + i) for i, row in enumerate(sentence.step_rows)]
    return judged(np.stack(scores), sentence, precision)


def judged(found: Float32, sentence: Sentence, precision: str) -> Report:
    """How far scores [T, V] before the tokens of a sentence are from the CPU's; as `compared`."""
    row = ARITHMETICS[precision]
    rms = relative_rms(found, sentence.wanted)
    pairs = zip(sentence.drawn(found), sentence.drawn(sentence.wanted), strict=True)
    same = float(np.mean([here == there for here, there in pairs]))
    state = MEASURED
    if not rms <= row.worst_rms:  # NaN is over every bar
        state = f"{MISSED} (scores {rms:.2g} from the CPU's, bar {row.worst_rms:g})"
    elif same < row.least_same:
        state = f"{MISSED} ({same:.0%} of the CPU's tokens, bar {row.least_same:.0%})"
    return {"state": state, "relative_rms": rms if np.isfinite(rms) else None, "same_tokens": same}


def timed(stepper: Stepper, sentence: Sentence, capacity: int, rounds: int) -> Report:
    """Milliseconds of a step by live rows, and tokens a second at the middle one.

    Args:
        stepper: a way that was compared.
        sentence: gives a row to step with.
        capacity: rows of its cache; more are not timed.
        rounds: turns of STEPS_PER_TURN steps each.
    """
    found: Report = {"step_ms": {}}
    for rows in ROWS:
        if rows > capacity:
            continue
        work = partial(_steps_at, stepper, sentence.step_rows[0], rows)
        seconds = interleaved({"steps": work}, rounds).seconds["steps"]
        found["step_ms"][f"{rows}"] = Spread.of(1e3 * seconds / STEPS_PER_TURN).as_json()
    medians = [row["median"] for row in found["step_ms"].values()]
    return found | {"tokens_per_s": 1e3 / medians[len(medians) // 2] if medians else None}


def _steps_at(stepper: Stepper, row: Float32, rows: int) -> None:
    for _ in range(STEPS_PER_TURN):
        stepper.step(row, rows)


def attempt(work: Callable[[], Mapping[str, Any]]) -> Report:
    """What a measurement gave, or why it can't be made here; it is never taken as made."""
    try:
        return {"state": MEASURED, **work()}
    except Exception as error:  # libraries raise types of their own for what a device can't do
        told = " ".join(f"{error}".split()) or type(error).__name__
        return not_measured(told)


def not_measured(reason: str) -> Report:
    """A row without a figure."""
    return {"state": f"{NOT_MEASURED} ({reason})"}
