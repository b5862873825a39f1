"""Latent frames to samples, in calls of few lengths whose samples are those of one whole call.

A frame's samples depend on so many frames to each side, its context, and on the edges of the
sequence as far as they lie within it. So a call is right where it holds the context, or begins or
ends where the sequence does; frames beyond may be anything.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from runtime.acoustic.mel import MelFrames
from runtime.arrays import Float32, Latent, Samples, Style
from runtime.backends import GraphRunner, Windows
from runtime.contract import MELS
from runtime.frames import SAMPLES_PER_FRAME
from runtime.loop_numbers import StreamNumbers

CONTEXT_FRAMES = (
    StreamNumbers.context_frames
)  # what the vocoder sees to each side of a frame, in every family


class Vocoder:
    """The vocoder of one voice; no state of its own.

    Attributes:
        windows: the lengths at which it runs.
    """

    def __init__(self, graph: GraphRunner, windows: Windows | None = None) -> None:
        self._graph = graph
        self.windows = windows or Windows()
        if self.windows.warmed:
            self._warm_up()

    def _warm_up(self) -> None:
        """Run each length once, so that no utterance waits for what a first call plans."""
        style = np.zeros((1, self._graph.input_dim("style", 1), 1), np.float32)
        for size in self.windows.sizes:
            latent = np.zeros((1, self._graph.input_dim("latent", 1), size), np.float32)
            self._graph.run({"latent": latent, "style": style})

    def samples(self, latent: Latent, style: Style, wanted: range | None = None) -> Samples:
        """Samples float32 [640 N] at 32 kHz of latent frames.

        Args:
            latent: float32 [1, I, F].
            style: float32 [1, G, 1].
            wanted: the N frames whose samples are wanted; None for all. Those around them are
                context; the first and the last of `latent` count as the ends of the sound unless
                they lie CONTEXT_FRAMES outside.
        """

        def sounded(seen: Latent) -> Float32:
            (audio,) = self._graph.run({"latent": seen, "style": style})
            return audio

        every = range(latent.shape[-1]) if wanted is None else wanted
        found = calls(latent.shape[-1], every, self.windows, CONTEXT_FRAMES)
        return joined(sounded, latent, found, SAMPLES_PER_FRAME)


class MelVocoder:
    """The same for a vocoder of mel frames, which needs no style.

    Attributes:
        windows: the lengths at which it runs.
    """

    def __init__(self, graph: GraphRunner, windows: Windows, frames: MelFrames) -> None:
        self._graph, self._frames = graph, frames
        self.windows = windows.seeing(frames.context_frames)
        if self.windows.warmed:
            for size in self.windows.sizes:
                self._sounded(np.zeros((1, MELS, size), np.float32))

    def samples(self, mel: Float32, wanted: range | None = None) -> Samples:
        """Samples, float32 [S], of a log-mel [1, 100, N]; `wanted` as in `Vocoder.samples`."""
        every = range(mel.shape[-1]) if wanted is None else wanted
        found = calls(mel.shape[-1], every, self.windows, self._frames.context_frames)
        return joined(self._sounded, mel, found, self._frames.samples_per_frame)

    def _sounded(self, mel: Float32) -> Float32:
        (audio,) = self._graph.run({"mel": mel})
        return audio


def joined(
    sounded: Callable[[Float32], Float32], frames: Float32, found: Iterator["Call"], scale: int
) -> Samples:
    """The samples that calls give, one behind the other.

    Args:
        sounded: frames to samples, float32 [1, I, N] to [1, scale * N].
        frames: float32 [1, I, F].
        found: the calls.
        scale: samples of a frame.
    """
    made = [_called(sounded, frames, call, scale) for call in found]
    return made[0] if len(made) == 1 else np.concatenate(made)


def _called(
    sounded: Callable[[Float32], Float32], frames: Float32, call: "Call", scale: int
) -> Samples:
    count, behind = frames.shape[-1], call.first + call.size
    seen = frames[..., max(0, call.first) : min(count, behind)]
    lacking = (max(0, -call.first), max(0, behind - count))
    filled = np.pad(seen, ((0, 0), (0, 0), lacking)) if any(lacking) else seen
    audio = sounded(np.ascontiguousarray(filled))
    begin, end = (scale * (frame - call.first) for frame in (call.begin, call.end))
    samples: Samples = audio[0, begin:end]
    return samples


@dataclass(frozen=True)
class Call:
    """One call of the vocoder.

    Attributes:
        first: number of its first frame; below 0 if it is filled up in front.
        size: frames; those behind the last one are filled up.
        begin, end: whose samples it gives.
    """

    first: int
    size: int
    begin: int
    end: int


def calls(frames: int, wanted: range, windows: Windows, context: int) -> Iterator[Call]:
    """The calls that give the samples of some frames, in order.

    Args:
        frames: of the whole sequence.
        wanted: frames whose samples are wanted.
        windows: lengths to choose from.
        context: frames that a frame's samples depend on to each side.
    """
    if not windows.sizes:
        yield Call(0, frames, wanted.start, wanted.stop)
    elif windows.fixed:
        yield from _fixed(frames, wanted, windows.sizes, context)
    else:
        yield from _at_most(frames, wanted, windows.sizes[-1], context)


def _at_most(frames: int, wanted: range, most: int, context: int) -> Iterator[Call]:
    """Pieces of nearly one length, none longer than `most` with its context."""
    count = -(-len(wanted) // (most - 2 * context))
    for number in range(count):
        begin = wanted.start + len(wanted) * number // count
        end = wanted.start + len(wanted) * (number + 1) // count
        first, last = max(0, begin - context), min(frames, end + context)
        yield Call(first, last - first, begin, end)


def _fixed(frames: int, wanted: range, sizes: tuple[int, ...], context: int) -> Iterator[Call]:
    begin, end = wanted.start, wanted.stop
    while begin < end:
        call = _next(frames, range(begin, end), sizes, context)
        yield call
        begin = call.end


def _next(frames: int, wanted: range, sizes: tuple[int, ...], context: int) -> Call:
    """The call that goes on: the smallest that ends it, else the largest that fits."""
    begin, end = wanted.start, wanted.stop
    first, last = max(0, begin - context), min(frames, end + context)
    at_start, at_end = begin < context, end > frames - context
    for size in sizes:
        if size < last - first:
            continue
        if not at_end:  # what is behind the context may be filled up
            return Call(first, size, begin, end)
        if not at_start or size == frames:
            return Call(frames - size, size, begin, end)
        break
    else:
        size = sizes[-1]
        return Call(first, size, begin, first + size - context)
    # both edges are near, and no size is just as long: one call for each edge
    fitting = [size for size in sizes if size < frames]
    size = fitting[-1] if fitting else sizes[0]
    stop = min(size, frames) - context
    if stop > begin and stop >= context:
        return Call(0, size, begin, stop)
    return Call(0, frames, begin, end)  # too short for two
