"""MP3, Ogg Opus, Ogg Vorbis and FLAC by libsndfile, fed piece by piece.

libsndfile writes to a sink of ours, from which whole frames and pages are taken as they come.
"""

from dataclasses import dataclass

import soundfile

from runtime.sound.ogg import with_fixed_serial

SET_PAGE_LATENCY_MS, PAGE_MS = 0x1302, 100.0  # without it, a page of Opus lasts a second
VORBIS_BLOCK_BYTES = 2 * 1024  # its samples depend on how the input is cut: cut it evenly
VORBIS_LEVEL = 0.6  # quality 0.4


@dataclass(frozen=True)
class Mpeg:
    """One of the three kinds of MP3, which differ by rate.

    Attributes:
        from_hz: the lowest rate.
        kbit: what we write (kbit/s).
        most_kbit, least_kbit: what libsndfile's compression levels 0 and 1 mean.
        frame: samples of a frame.
    """

    from_hz: int
    kbit: int
    most_kbit: int
    least_kbit: int
    frame: int


MPEGS = (Mpeg(32_000, 96, 320, 32, 1152), Mpeg(16_000, 96, 160, 8, 576), Mpeg(0, 48, 64, 8, 576))


class Sink:
    """What libsndfile writes to: bytes are taken off its front; none is written over later."""

    def __init__(self) -> None:
        self._taken = 0
        self._held = bytearray()
        self._position = 0

    def write(self, content: bytes) -> int:
        """Put bytes where the position is; those that were taken already are dropped."""
        late = max(0, self._taken - self._position)
        start = self._position + late - self._taken
        kept = bytes(content[late:])
        self._held[start : start + len(kept)] = kept
        self._position += len(content)
        return len(content)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move the position."""
        base = (0, self._position, self._taken + len(self._held))[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Where the next byte goes."""
        return self._position

    def take(self) -> bytes:
        """All bytes that were not taken yet."""
        content = bytes(self._held)
        self._taken += len(content)
        self._held.clear()
        return content


class Mp3:
    """MPEG layer III at a constant rate, decoded 1105 samples late.

    A whole file keeps the tag in front, with which readers know length and delay; a stream can't
    fill it in, so the frame that is kept for it is left out.
    """

    def __init__(self, rate: int, *, whole: bool) -> None:
        mpeg = next(one for one in MPEGS if rate >= one.from_hz)
        level = (mpeg.most_kbit - mpeg.kbit) / (mpeg.most_kbit - mpeg.least_kbit)
        how = {"compression_level": level, "bitrate_mode": "CONSTANT"}
        self._file = _opened(rate, "MP3", "MPEG_LAYER_III", **how)
        self._frame_bytes = mpeg.frame // 8 * mpeg.kbit * 1000 // rate
        self._whole = whole
        self._skipped = 0

    def feed(self, pcm: bytes) -> bytes:
        """Frames that are complete."""
        self._file.write(pcm)
        return b"" if self._whole else self._after_tag(self._file.take())

    def finish(self) -> bytes:
        """The rest, or the whole file."""
        content = self._file.close()
        return content if self._whole else self._after_tag(content)

    def _after_tag(self, content: bytes) -> bytes:
        cut = min(self._frame_bytes - self._skipped, len(content))
        self._skipped += cut
        return content[cut:]


class Opus:
    """One logical Ogg Opus stream, whose length is exact; pages of 100 ms."""

    def __init__(self, rate: int) -> None:
        self._file = _opened(rate, "OGG", "OPUS")
        self._file.ask_for_short_pages()

    def feed(self, pcm: bytes) -> bytes:
        """Pages that are complete."""
        self._file.write(pcm)
        return with_fixed_serial(self._file.take())

    def finish(self) -> bytes:
        """The last pages."""
        return with_fixed_serial(self._file.close())


class Vorbis:
    """One logical Ogg Vorbis stream, whose length is exact; pages of about half a second."""

    def __init__(self, rate: int) -> None:
        self._file = _opened(rate, "OGG", "VORBIS", compression_level=VORBIS_LEVEL)
        self._waiting = b""

    def feed(self, pcm: bytes) -> bytes:
        """Pages that are complete."""
        pcm = self._waiting + pcm
        even = len(pcm) - len(pcm) % VORBIS_BLOCK_BYTES
        for at in range(0, even, VORBIS_BLOCK_BYTES):
            self._file.write(pcm[at : at + VORBIS_BLOCK_BYTES])
        self._waiting = pcm[even:]
        return with_fixed_serial(self._file.take())

    def finish(self) -> bytes:
        """The last pages."""
        self._file.write(self._waiting)
        return with_fixed_serial(self._file.close())


class Flac:
    """A FLAC file; all of it comes at the end, since its count of samples stands in front."""

    def __init__(self, rate: int) -> None:
        self._file = _opened(rate, "FLAC", "PCM_16")

    def feed(self, pcm: bytes) -> bytes:
        """Nothing yet."""
        self._file.write(pcm)
        return b""

    def finish(self) -> bytes:
        """The whole file."""
        return self._file.close()


class _File:
    """A sound file that is being written into a sink."""

    def __init__(self, sound: soundfile.SoundFile, sink: Sink) -> None:
        self._sound = sound
        self._sink = sink

    def write(self, pcm: bytes) -> None:
        if pcm:
            self._sound.buffer_write(pcm, "int16")

    def take(self) -> bytes:
        return self._sink.take()

    def close(self) -> bytes:
        self._sound.close()
        return self._sink.take()

    def ask_for_short_pages(self) -> None:
        """Where soundfile has other insides, pages last a second: no public call asks for it."""
        library, handle = getattr(soundfile, "_snd", None), getattr(self._sound, "_file", None)
        foreign = getattr(soundfile, "_ffi", None)
        if library is None or handle is None or foreign is None:
            return
        latency = foreign.new("double *", PAGE_MS)
        library.sf_command(handle, SET_PAGE_LATENCY_MS, latency, foreign.sizeof("double"))


def _opened(rate: int, container: str, subtype: str, **how: object) -> _File:
    sink = Sink()
    sound = soundfile.SoundFile(sink, "w", rate, 1, subtype, None, container, **how)
    return _File(sound, sink)


def missing(name: str, container: str, subtype: str) -> str:
    """Why the installed libsndfile can't write a format; empty if it can."""
    if subtype in soundfile.available_subtypes(container):
        return ""
    version = soundfile.__libsndfile_version__
    return f"libsndfile {version} does not write {name}; pip install -U soundfile"
