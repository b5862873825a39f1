"""What the runtime does on the stub, as JSON: run by the tests in a process of its own.

Tokens mean nothing here: nothing is computed. What was launched, copied and waited for does.
"""

import ctypes
import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from runtime.acoustic.vocoder import Vocoder
from runtime.backends import BACKENDS, Threads
from runtime.backends.ort_loop import OrtLoop
from runtime.backends.steps import DeviceSteps
from runtime.contract import BLOCK_TOKENS
from runtime.errors import FoundryError
from runtime.t2s.device_loop import LoopDecoder
from runtime.t2s.request import Finish, Limits, Prompt, sampled
from runtime.t2s.sampler import Sampling

ONE = Threads(intra_op=1)
DEFAULT_STREAM = "0"
WITHIN = "3"  # CUDA's number of a copy from device to device
TOKENS = 1 + 3 * BLOCK_TOKENS
UTTERANCES, SPEAKERS = 20, 4
FRAMES = (40, 300, 77, 40, 122, 25)


class Stub:
    """What was written down since it was last asked."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libcudart.so.13")
        self._library.stub_line.restype = ctypes.c_char_p

    def lines(self) -> list[list[str]]:
        library = self._library
        found = [library.stub_line(i).decode().split() for i in range(library.stub_lines())]
        library.stub_reset()
        return found


STUB = Stub()


def counted(lines: list[list[str]], kind: str) -> int:
    return sum(line[0] == kind for line in lines)


def within_capture(lines: list[list[str]]) -> list[list[str]]:
    kinds = [line[0] for line in lines]
    return lines[kinds.index("cudaStreamBeginCapture") : kinds.index("cudaStreamEndCapture")]


def waits(lines: list[list[str]]) -> int:
    """For work of our own; a copy from the host waits for the default stream besides."""
    of_streams = [line for line in lines if line[0] == "cudaStreamSynchronize"]
    return counted(lines, "cudaDeviceSynchronize") + sum(
        line[1] != DEFAULT_STREAM for line in of_streams
    )


class Rows:
    """In place of `t2s_embed`."""

    def __init__(self, width: int) -> None:
        self._width = width

    def run(self, inputs: Any) -> list[np.ndarray]:
        count = inputs["phones"].size + inputs["prompts"].size
        shapes = ((count, self._width), (1, 1, count, count))
        return [np.zeros(shape, np.float32) for shape in shapes]

    def input_dim(self, name: str, axis: int) -> int:
        return 1


class Watched(OrtLoop):
    """A loop that keeps its last steps."""

    last: DeviceSteps

    def steps(self) -> DeviceSteps:
        self.last = super().steps()
        return self.last


def decoder_of(path: Path) -> tuple[LoopDecoder, DeviceSteps]:
    loop = Watched(path, ONE)
    return LoopDecoder(Rows(loop.inputs["rows"].shape[1]), loop), loop.last


def spoken(decoder: LoopDecoder, tokens: int = TOKENS) -> int:
    """How many tokens came."""
    nothing = np.zeros(0, np.int64)
    prompt = Prompt(np.ones(9, np.int64), np.zeros((1024, 9), np.float32), nothing)
    choose = sampled(Sampling(), lambda step, count: np.ones(count, np.float32))
    limits = Limits(early_stop_tokens=tokens - 1)
    return sum(1 for _ in decoder.tokens(prompt, choose, limits, Finish()))


def of_loop(path: Path) -> dict[str, Any]:
    STUB.lines()
    decoder, steps = decoder_of(path)
    at_load = STUB.lines()
    made = spoken(decoder)
    speaking = STUB.lines()
    spoken(decoder, 1)
    of_prefill = STUB.lines()
    captured = within_capture(at_load)
    copies = [line[1] for line in captured if line[0].startswith("cudaMemcpy")]
    blocks = -(-made // BLOCK_TOKENS)
    return {
        "eager_because": steps.eager_because,
        "captured_at_load": counted(at_load, "cudaStreamBeginCapture"),
        "captured_later": counted(speaking, "cudaStreamBeginCapture"),
        "violations": counted(at_load + speaking, "VIOLATION"),
        "copies_to_or_from_the_host": sum(kind != WITHIN for kind in copies),
        "copies_within": copies.count(WITHIN),
        "kernels_of_a_step": counted(captured, "KERNEL") + counted(captured, "LIBRARY"),
        "tokens": made,
        "launches": counted(speaking, "cudaGraphLaunch"),
        "blocks": blocks,
        "waits": waits(speaking) - waits(of_prefill),
    }


def of_threads(path: Path, vocoder: Path) -> dict[str, Any]:
    """Utterances at once, each with sound behind it, on threads that change."""
    STUB.lines()
    decoder, _ = decoder_of(path)
    per_capture = counted(STUB.lines(), "cudaGraphLaunch")
    sound = vocoder_of(vocoder)

    def utterance(_number: int) -> int:
        made = spoken(decoder)
        speak(sound, FRAMES[0])
        return made

    STUB.lines()
    with ThreadPoolExecutor(SPEAKERS) as threads:
        made = sum(threads.map(utterance, range(UTTERANCES)))
    lines = STUB.lines()
    captures = counted(lines, "cudaStreamBeginCapture")
    return {
        "tokens": made,
        "captures": captures,
        "violations": counted(lines, "VIOLATION"),
        "launches_of_steps": counted(lines, "cudaGraphLaunch") - captures * per_capture,
        "steps": made - UTTERANCES,  # the first token of each is the prefill's
    }


def vocoder_of(path: Path) -> Vocoder:
    row = BACKENDS["cuda"]
    return Vocoder(row.open_graph(path, ONE), row.windows[0])


def speak(vocoder: Vocoder, frames: int) -> None:
    graph = vocoder._graph
    shape = (1, graph.input_dim("latent", 1), frames)
    style = np.zeros((1, graph.input_dim("style", 1), 1), np.float32)
    vocoder.samples(np.zeros(shape, np.float32), style)


def of_vocoder(path: Path) -> dict[str, Any]:
    STUB.lines()
    vocoder = vocoder_of(path)
    at_load = counted(STUB.lines(), "cudaDeviceSynchronize")  # one a plan
    for frames in FRAMES:
        speak(vocoder, frames)
    return {
        "plans_at_load": at_load,
        "plans_later": counted(STUB.lines(), "cudaDeviceSynchronize"),
    }


def refusal(work: Callable[[], object]) -> str:
    try:
        work()
    except FoundryError as error:
        return f"{error}"
    return ""


def main() -> None:
    folder = Path(sys.argv[1])
    loops = {path.stem: path for path in sorted(folder.glob("scatter*.onnx"))}
    some = next(iter(loops.values()))
    found = {
        "loops": {name: of_loop(path) for name, path in loops.items()},
        "threads": of_threads(some, folder / "vocoder.onnx"),
        "vocoder": of_vocoder(folder / "vocoder.onnx"),
        "copying": refusal(lambda: OrtLoop(folder / "copying.onnx", ONE)),
    }
    Path(sys.argv[2]).write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main()
