"""Tokens as they come in, chunks of sound out, each as early as it can be right.

A stream is the vocoder of one sequence of latent frames. What a vocoder call has seen, context
included, is never changed afterwards; so chunks join without a cross-fade of sound, and no sample
is lost. Knows nothing of text or of how tokens came about.
"""

import math
from collections.abc import Iterable, Iterator

import numpy as np

from runtime.acoustic.kind import Conditioning, SpokenChunk, Streaming
from runtime.acoustic.vits import Vits
from runtime.acoustic.vocoder import CONTEXT_FRAMES
from runtime.arrays import Latent, Samples
from runtime.frames import FRAMES_PER_TOKEN, frame_count, steady_grid
from runtime.loop_numbers import StreamNumbers
from runtime.model_settings import default_of

BLEND_FRAMES = StreamNumbers.blend_frames
ROUNDING = StreamNumbers.position_rounding  # far above that of positions, far below what is audible


def spoken_chunks(
    tokens: Iterable[int], graphs: Vits, conditioning: Conditioning, streaming: Streaming
) -> Iterator[SpokenChunk]:
    """Speak an utterance while its tokens are made.

    Every token is spoken once, in order. Joined, the samples equal the vocoder of all latent frames
    joined, up to rounding; memory does not grow with the length.

    Args:
        tokens: semantic tokens; the next one is asked for when it is needed.
        graphs: prior and vocoder of the voice.
        conditioning: of the utterance; frames are read in steady steps, whatever it says.
        streaming: sizes; without a lookahead, the usual one is taken.
    """
    utterance = _Utterance(graphs, conditioning, streaming)
    for token in tokens:
        utterance.tokens.append(token)
        if utterance.ready:
            yield utterance.chunk()
    if utterance.waiting:
        yield utterance.chunk(last=True)


class _Utterance:
    """What is kept between chunks.

    Attributes:
        tokens: those that the encoder still sees, and those that wait.
    """

    def __init__(self, graphs: Vits, conditioning: Conditioning, streaming: Streaming) -> None:
        self.tokens: list[int] = []
        self._graphs = graphs
        self._conditioning = conditioning
        self._streaming = streaming
        self._speed = conditioning.settings.speed
        ahead = streaming.lookahead_tokens
        ahead = default_of("lookahead_tokens") if ahead is None else ahead
        self._lookahead = math.ceil(ahead * max(1.0, self._speed))
        self._wanted_tokens = float(streaming.first_chunk_tokens)
        self._dropped_tokens = 0  # before tokens[0]
        self._spoken = 0  # how many of `tokens` have been spoken
        self._emitted = 0  # output frames
        self._latent: Latent = np.zeros((1, graphs.latent_width, 0), np.float32)
        self._latent_first = 0  # number of its first frame

    @property
    def waiting(self) -> int:
        """Tokens that have not been spoken."""
        return len(self.tokens) - self._spoken

    @property
    def ready(self) -> bool:
        """Whether enough tokens are there for the next chunk and behind it."""
        return self.waiting >= self._next_tokens + self._lookahead

    @property
    def _next_tokens(self) -> int:
        # at speeds above 2 a single token may have no frame of its own
        return max(int(self._wanted_tokens), math.ceil(self._speed / FRAMES_PER_TOKEN))

    def chunk(self, last: bool = False) -> SpokenChunk:
        """Speak the next tokens, or all that wait if they are the last."""
        count = self.waiting if last else self._next_tokens
        tokens = np.array(self.tokens[self._spoken : self._spoken + count], np.int64)
        end = self._end_frame(self._spoken + count, last)
        latent = self._joined(*self._newest())
        spoken = self._vocoded(latent, end)
        first, begin = self._latent_first, self._emitted
        chunk = SpokenChunk(spoken, latent[..., begin - first : end - first].copy(), tokens, last)
        self._advance(latent, count, end)
        return chunk

    def _end_frame(self, tokens: int, last: bool) -> int:
        """The output frame behind so many of the kept tokens."""
        frames = FRAMES_PER_TOKEN * (self._dropped_tokens + tokens)
        return frame_count(frames, self._speed) if last else int(frames / self._speed)

    def _newest(self) -> tuple[int, Latent]:
        """Latent frames by all that is known now, and the number of the first of them."""
        dropped = FRAMES_PER_TOKEN * self._dropped_tokens
        frames = dropped + FRAMES_PER_TOKEN * len(self.tokens)
        first = math.ceil((dropped + 0.5) / self._speed - 0.5 + ROUNDING) if dropped else 0
        window = steady_grid(frames, self._speed, first, frame_count(frames, self._speed))
        window = window.counted_from(dropped)
        tokens = np.array(self.tokens, np.int64)
        return first, self._graphs.latent_window(tokens, self._conditioning, window)

    def _joined(self, first: int, newest: Latent) -> Latent:
        """Frames from `_latent_first` on: what was seen stays, then blended over to the newest."""
        if not self._latent.size:
            return newest
        seen = self._emitted + CONTEXT_FRAMES
        kept = self._latent[..., : seen - self._latent_first]
        ahead = self._latent[..., seen - self._latent_first :]
        fresh = newest[..., seen - first :].copy()
        blended = min(ahead.shape[-1], fresh.shape[-1])
        share = np.arange(1, blended + 1, dtype=np.float32) / (blended + 1)
        fresh[..., :blended] = ahead + share * (fresh[..., :blended] - ahead)
        return np.concatenate([kept, fresh], -1)

    def _vocoded(self, latent: Latent, end: int) -> Samples:
        """Samples of the frames up to `end`, made of those and of their context alone."""
        first = self._latent_first
        seen = latent[..., : end + CONTEXT_FRAMES - first]
        wanted = range(self._emitted - first, end - first)
        return self._graphs.samples(seen, self._conditioning, wanted)

    def _advance(self, latent: Latent, count: int, end: int) -> None:
        """Forget what no later chunk needs."""
        first = max(0, end - CONTEXT_FRAMES)
        behind = end + CONTEXT_FRAMES + BLEND_FRAMES
        self._latent = latent[..., first - self._latent_first : behind - self._latent_first].copy()
        self._latent_first, self._emitted = first, end
        self._spoken += count
        dropped = max(0, self._spoken - self._streaming.history_tokens)
        del self.tokens[:dropped]
        self._spoken -= dropped
        self._dropped_tokens += dropped
        self._wanted_tokens = min(
            self._wanted_tokens * self._streaming.chunk_growth,
            max(self._streaming.largest_chunk_tokens, self._streaming.first_chunk_tokens),
        )
