"""AAC in ADTS frames by PyAV, which is an extra: libsndfile has no encoder for it."""

from importlib.util import find_spec
from typing import Any

import numpy as np

BITS_PER_SECOND = 64_000


class Aac:
    """AAC-LC, decoded 1024 samples late."""

    def __init__(self, rate: int) -> None:
        import av  # an extra, 70 MiB: loaded where it is asked for

        self._av: Any = av
        self._rate = rate
        self._sink = _Sink()
        self._file: Any = av.open(self._sink, "w", format="adts", options={"flush_packets": "1"})
        self._stream: Any = self._file.add_stream("aac", rate=rate)
        self._stream.layout = "mono"
        self._stream.bit_rate = BITS_PER_SECOND

    def feed(self, pcm: bytes) -> bytes:
        """Frames that are complete."""
        if pcm:
            samples = np.frombuffer(pcm, np.int16)[None]
            frame = self._av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate = self._rate
            self._mux(frame)
        return self._sink.take()

    def finish(self) -> bytes:
        """The last frames."""
        self._mux(None)
        self._file.close()
        return self._sink.take()

    def _mux(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            self._file.mux(packet)


class _Sink:
    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, content: bytes) -> int:
        self._held += content
        return len(content)

    def take(self) -> bytes:
        content = bytes(self._held)
        self._held.clear()
        return content


def missing() -> str:
    """Why AAC can't be written here; empty if it can."""
    return "" if find_spec("av") else "PyAV is not installed; pip install '.[aac]' in the checkout"
