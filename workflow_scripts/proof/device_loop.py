"""The runtime's decode loop on a device: the same tokens as the CPU's, then time a token.

Embedding, sampler and cache stay on the device; noise goes there and a token comes back, in blocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from runtime import noise
from runtime.backends import Threads
from runtime.backends.ort_loop import OrtLoop
from runtime.backends.sessions import GPU, Place
from runtime.backends.turns import Turns
from runtime.decode import Decoder, Ending, Limits, sampled
from runtime.graphs import VoiceGraphs
from runtime.loop import LoopDecoder
from runtime.sampler import Sampling
from runtime.timing import Spread, interleaved
from runtime.workload import Replay
from workflow_scripts.engines import loop as loops
from workflow_scripts.proof.device_trials import MEASURED, MISSED, Report

NAME = "t2s_loop.onnx"
TOKEN_BYTES = 8
PLAIN_GPU = Place(GPU.provider, GPU.device, {**GPU.options, "enable_cuda_graph": "0"})


@dataclass(frozen=True)
class Trial:
    """How the loop is tried.

    Attributes:
        on_cpu: the voice's graphs on the CPU, which answer first.
        tokens: new tokens of the sentence at most.
        max_len: rows of the cache.
        rounds: turns of each measurement.
        threads: of what the CPU does.
    """

    on_cpu: VoiceGraphs
    tokens: int
    max_len: int
    rounds: int
    threads: int


class _Watched(OrtLoop):
    """A loop that tells whether its turns are recorded."""

    last: Turns | None = None

    def turns(self) -> Turns:
        self.last = super().turns()
        return self.last


def make(files: Mapping[str, Path], tables: Path, max_len: int, form: str, folder: Path) -> Path:
    """Write the loop of a voice's decoder, as the runtime looks for it."""
    path = folder / NAME
    words = [f"{files['t2s_decoder']}", "--tables", f"{tables}", "--max-len", f"{max_len}"]
    loops.main([*words, "--form", form, "--output", f"{path}"])
    return path


def tried(trial: Trial, path: Path, place: Place) -> Report:
    """Compare a loop with the CPU, and time it.

    Args:
        trial: the sentence and the CPU's graphs.
        path: the loop.
        place: where it runs.

    Returns:
        Share of equal tokens, milliseconds a token with blocks read back, and what crossed the bus.
    """
    loop = _Watched(path, Threads(trial.threads), place)
    decoder = LoopDecoder(trial.on_cpu.open("t2s_embed"), loop)
    wanted = _tokens(trial.on_cpu.decoder(), trial, trial.tokens)
    found = _tokens(decoder, trial, trial.tokens)
    same = _equal_share(found, wanted)
    why = "" if loop.last is None else loop.last.plain_because
    report: Report = {"state": MEASURED, "same_tokens": same, "not_recorded_because": why}
    if same < 1:
        return report | {"state": f"{MISSED} ({same:.0%} of the CPU's tokens, bar 100%)"}
    works = {"first": partial(_tokens, decoder, trial, 1), "all": partial(_tokens, decoder, trial)}
    seconds = interleaved(works, trial.rounds).seconds
    each = 1e3 * (seconds["all"] - seconds["first"]) / max(1, len(found) - 1)
    spread = Spread.of(each)
    moved = {"to_device": 4 * decoder.vocabulary, "to_host": TOKEN_BYTES, "on_device": 0}
    return report | {
        "ms_per_token": spread.as_json(),
        "tokens_per_s": 1e3 / spread.median if spread.median > 0 else None,
        "bytes_per_step": moved,
        "tokens": len(found),
    }


def _tokens(decoder: Decoder | LoopDecoder, trial: Trial, count: int | None = None) -> list[int]:
    """Tokens of the replay's prompt, drawn with noise that is always the same."""
    most = trial.tokens if count is None else count
    limits = Limits(early_stop_tokens=most - 1, max_len=trial.max_len)
    choose = sampled(Sampling(), partial(noise.exponentials, 0, 0))
    return list(decoder.tokens(Replay.of(trial.tokens).prompt, choose, limits, Ending()))


def _equal_share(found: list[int], wanted: list[int]) -> float:
    longest = max(len(found), len(wanted), 1)
    equal = sum(here == there for here, there in zip(found, wanted, strict=False))
    return float(np.float64(equal) / longest)
