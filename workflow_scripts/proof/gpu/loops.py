"""The runtime's decode loop on a device: the same tokens as the CPU's, then time a token.

Embedding, sampler and cache stay on the device; noise goes there and a token comes back, in blocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from runtime import noise
from runtime.backends import Threads
from runtime.backends.ort_loop import OrtLoop
from runtime.backends.sessions import GPU, Place
from runtime.backends.steps import DeviceSteps
from runtime.graphs import VoiceGraphs
from runtime.measure.timing import Spread, interleaved
from runtime.measure.workload import Replay
from runtime.t2s.decode import Decoder
from runtime.t2s.device_loop import LoopDecoder
from runtime.t2s.request import Finish, Limits, Prompt, forced_logits, sampled
from runtime.t2s.sampler import Sampling
from workflow_scripts.engines import loop as loops
from workflow_scripts.proof.gpu.reports import MEASURED, MISSED, Moved, Row
from workflow_scripts.proof.gpu.torch_loop import TorchLoop
from workflow_scripts.proof.gpu.trials import Sentence, judged

NAME = "t2s_loop.onnx"
TOKEN_BYTES = 8
EAGER_GPU = Place(GPU.provider, GPU.device, {**GPU.options, "enable_cuda_graph": "0"})


@dataclass(frozen=True)
class Loop:
    """A way to write the loop.

    Attributes:
        max_len: rows of the cache.
        attention: key of ATTENTIONS.
        arithmetic: key of ARITHMETICS.
    """

    max_len: int
    attention: str
    arithmetic: str

    def __str__(self) -> str:
        return f"{self.attention} {self.arithmetic}"


@dataclass(frozen=True)
class Trial:
    """How a loop is tried.

    Attributes:
        on_cpu: the voice's graphs on the CPU, which answer first.
        sentence: what is said, with the CPU's logits.
        rounds: runs of each measurement.
        threads: of what the CPU does.
    """

    on_cpu: VoiceGraphs
    sentence: Sentence
    rounds: int
    threads: int

    @property
    def tokens(self) -> int:
        """New tokens of the sentence at most."""
        return self.sentence.tokens.size

    @property
    def prompt(self) -> Prompt:
        """What it begins from."""
        return Replay.of(self.tokens).prompt


class _Watched(OrtLoop):
    """A loop that remembers whether its steps are CUDA graph replays."""

    last: DeviceSteps | None = None

    def steps(self) -> DeviceSteps:
        self.last = super().steps()
        return self.last


def make(files: Mapping[str, Path], tables: Path, loop: Loop, folder: Path) -> Path:
    """Write the loop of a voice's decoder, as the runtime looks for it."""
    path = folder / NAME
    words = [f"{files['t2s_decoder']}", "--tables", f"{tables}", "--max-len", f"{loop.max_len}"]
    words += ["--attention", loop.attention, "--arithmetic", loop.arithmetic]
    loops.main([*words, "--output", f"{path}"])
    return path


def tried(trial: Trial, path: Path, loop: Loop, place: Place) -> Row:
    """Compare a loop with the CPU, and time it.

    Args:
        trial: the sentence and the CPU's graphs.
        path: the loop's graph.
        loop: how it was written.
        place: where it runs.

    Returns:
        Distance of its logits, at fp32 also the share of equal tokens of a free run; milliseconds
        a token with blocks read back; what crosses the bus for it.
    """
    running = _Watched(path, Threads(trial.threads), place)
    decoder = LoopDecoder(trial.on_cpu.open("t2s_embed"), running)
    logits = forced_logits(decoder, trial.prompt, trial.sentence.tokens, loop.max_len)
    row = judged(logits, trial.sentence, loop.arithmetic)
    found = _tokens(decoder, trial, loop)
    why = "" if running.last is None else running.last.eager_because
    row = replace(row, eager_because=why)
    if loop.arithmetic == "fp32":
        same = _equal_share(found, _tokens(trial.on_cpu.decoder(), trial, loop))
        state = row.state if same == 1 else f"{MISSED} ({same:.0%} of the CPU's tokens)"
        row = replace(row, same_tokens=same, state=state)
    return row if row.missed else timed(row, decoder, trial, loop)


def torch_tried(trial: Trial, decoder: TorchLoop, loop: Loop) -> Row:
    """The same of PyTorch's loop; its distance is the share of equal tokens."""
    same = _equal_share(_tokens(decoder, trial, loop), _tokens(trial.on_cpu.decoder(), trial, loop))
    row = Row(MEASURED, same_tokens=same)
    if loop.arithmetic == "fp32" and same != 1:
        return replace(row, state=f"{MISSED} ({same:.0%} of the CPU's tokens)")
    return timed(row, decoder, trial, loop)


def timed(row: Row, decoder: LoopDecoder | TorchLoop, trial: Trial, loop: Loop) -> Row:
    """The row with milliseconds a token, blocks of noise and tokens that cross the bus included."""
    count = len(_tokens(decoder, trial, loop))
    works = {
        "first": partial(_tokens, decoder, trial, loop, 1),
        "all": partial(_tokens, decoder, trial, loop),
    }
    seconds = interleaved(works, trial.rounds).seconds
    spread = Spread.of(1e3 * (seconds["all"] - seconds["first"]) / max(1, count - 1))
    return replace(
        row,
        ms_per_token=spread,
        tokens_per_s=1e3 / spread.median if spread.median > 0 else None,
        bytes_per_step=Moved(to_device=4 * decoder.vocabulary, to_host=TOKEN_BYTES),
        tokens=count,
    )


def _tokens(
    decoder: Decoder | LoopDecoder | TorchLoop, trial: Trial, loop: Loop, most: int | None = None
) -> list[int]:
    """Tokens of the replay's prompt, drawn with noise that is always the same."""
    count = trial.tokens if most is None else most
    limits = Limits(early_stop_tokens=count - 1, max_len=loop.max_len)
    choose = sampled(Sampling(), partial(noise.exponentials, 0, 0))
    return list(decoder.tokens(trial.prompt, choose, limits, Finish()))


def _equal_share(found: list[int], wanted: list[int]) -> float:
    longest = max(len(found), len(wanted), 1)
    equal = sum(here == there for here, there in zip(found, wanted, strict=False))
    return float(np.float64(equal) / longest)
