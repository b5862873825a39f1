"""What a voice gives: the sound of a whole text, its chunks, and a stream that can be stopped."""

import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from runtime import audio as sound
from runtime.arrays import Samples, Tokens
from runtime.audio import Audio
from runtime.sound import files
from runtime.t2s.request import TRUNCATED


@dataclass(frozen=True, eq=False)
class Speech(Audio):
    """The sound of a whole text.

    Attributes:
        finish_reasons: why each sentence ended: `eos`, or the limit that truncated it.
    """

    finish_reasons: tuple[str, ...] = ()

    @property
    def truncated(self) -> bool:
        """Whether a limit ended some sentence before the model did."""
        return not TRUNCATED.isdisjoint(self.finish_reasons)

    @property
    def endings(self) -> tuple[str, ...]:
        """Former name of `finish_reasons`."""
        return self.finish_reasons

    @property
    def cut_short(self) -> bool:
        """Former name of `truncated`."""
        return self.truncated

    def save(self, path: Path | str) -> None:
        """Write a file in the format of its name (`.wav`, `.mp3`, ...), whole or not at all.

        Raises:
            SettingError: a suffix of no format that is written; the message lists them.
            BackendMissing: the format's library is not installed.
            AudioError: a sample is not finite, or the sound is too long for the format.
            OSError: the file can't be written.
        """
        files.save(path, [self.samples], self.rate)


@dataclass(frozen=True, eq=False)
class AudioChunk:
    """A piece of sound of a stream.

    Attributes:
        samples: float32 [S], in -1..1.
        rate: samples per second (Hz).
        segment: number of the piece of text that it belongs to, from 0.
        tokens: the semantic tokens that it holds, int64 [T]; empty for a pause.
        finish_reason: why the tokens of its segment ended (`eos`, or a limit that truncated them);
            empty for a pause, and as long as the segment goes on.
        last: whether the stream ends with it.
        text: the whole piece of text that it belongs to, as it was cut; empty for a pause.
        start: place of its first sample in the stream, in samples.
    """

    samples: Samples
    rate: int
    segment: int
    tokens: Tokens
    finish_reason: str
    last: bool
    text: str = ""
    start: int = 0

    @property
    def ending(self) -> str:
        """Former name of `finish_reason`."""
        return self.finish_reason

    @property
    def int16(self) -> NDArray[np.int16]:
        """The samples as 16-bit numbers."""
        return sound.to_int16(self.samples)


class Stop:
    """Whether somebody wants work to end: its owner, or whoever holds the event that it was given.

    Any thread may ask and set it.
    """

    def __init__(self, outer: threading.Event | None = None) -> None:
        self._own = threading.Event()
        self._outer = outer

    def set(self) -> None:
        """End the work."""
        self._own.set()

    def is_set(self) -> bool:
        """Whether the work is to end."""
        return self._own.is_set() or (self._outer is not None and self._outer.is_set())


class SpeechStream(Iterator[AudioChunk]):
    """Chunks as they are made, until the text is spoken or somebody stops it.

    The work is done in the thread that asks for the next chunk. `close` may be called by any
    thread, and returns at once; work that is under way ends after the token or the call of a graph
    that it is at, and the iteration ends without a further chunk.
    """

    def __init__(self, chunks: Generator[AudioChunk, None, None], stop: Stop) -> None:
        self._chunks = chunks
        self._stop = stop
        self._turn = threading.Lock()  # held by the thread that works

    def __next__(self) -> AudioChunk:
        with self._turn:
            chunk = None if self._stop.is_set() else next(self._chunks, None)
        if self._stop.is_set():
            self._free()
            raise StopIteration
        if chunk is None:
            raise StopIteration
        return chunk

    def close(self) -> None:
        """End the work and free what it held; a stream that has ended is left as it is."""
        self._stop.set()
        self._free()

    def _free(self) -> None:
        # a thread that works sees the stop when it is done, and comes here itself
        if self._turn.acquire(blocking=False):
            try:
                self._chunks.close()
            finally:
                self._turn.release()

    def __enter__(self) -> "SpeechStream":
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()
