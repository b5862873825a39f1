"""The formats that sound is written in, and the one encoder through which all of it goes.

    encoder = Encoder("mp3", voice.rate)
    for chunk in voice.stream("Hello."):
        send(encoder.feed(chunk.samples))
    send(encoder.finish())

Every format starts from the same 16-bit numbers, those of `runtime.audio.to_int16`: times 32768,
towards zero, clipped, as GPT-SoVITS writes them. The same sound gives the same bytes, however it
is cut into pieces.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import soxr

from runtime.arrays import Samples
from runtime.audio import to_pcm
from runtime.errors import BackendMissing, SettingError
from runtime.sound import aac, libsndfile, wav

MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)


class Codec(Protocol):
    """16-bit samples in, bytes of one format out."""

    def feed(self, pcm: bytes) -> bytes:
        """What is ready after these samples, little-endian int16."""
        ...

    def finish(self) -> bytes:
        """What is left at the end."""
        ...


def _installed() -> str:
    return ""


@dataclass(frozen=True)
class Format:
    """How sound is written.

    Attributes:
        media_type: the MIME type.
        suffixes: of files, the usual one first.
        codec: (rate, whole file) -> encoder of 16-bit samples.
        streams: whether bytes come while samples are fed.
        rates: what it can hold (Hz), rising; empty: any.
        missing: why it can't be written on this machine; empty if it can.
        note: what a user should know.
    """

    media_type: str
    suffixes: tuple[str, ...]
    codec: Callable[[int, bool], Codec]
    streams: bool = True
    rates: tuple[int, ...] = ()
    missing: Callable[[], str] = _installed
    note: str = ""

    def rate_for(self, rate: int) -> int:
        """The lowest rate that it can hold and that keeps all of a sound; else its highest (Hz)."""
        fitting = [one for one in self.rates if one >= rate]
        return (fitting or self.rates[-1:] or [rate])[0] if self.rates else rate


FORMATS: dict[str, Format] = {
    "wav": Format(
        "audio/wav",
        (".wav", ".wave"),
        lambda rate, whole: wav.WavFile(rate) if whole else wav.WavStream(rate),
        note="16-bit PCM; a stream's header leaves the length open",
    ),
    "pcm": Format(
        "audio/pcm",
        (".pcm", ".raw"),
        lambda rate, whole: wav.Pcm(),
        note="16-bit little-endian samples and nothing else",
    ),
    "mp3": Format(
        "audio/mpeg",
        (".mp3",),
        lambda rate, whole: libsndfile.Mp3(rate, whole=whole),
        rates=MP3_RATES,
        missing=partial(libsndfile.missing, "MP3", "MP3", "MPEG_LAYER_III"),
        note="constant 96 kbit/s",
    ),
    "opus": Format(
        "audio/ogg",
        (".opus",),
        lambda rate, whole: libsndfile.Opus(rate),
        rates=OPUS_RATES,
        missing=partial(libsndfile.missing, "Opus", "OGG", "OPUS"),
        note="in Ogg",
    ),
    "vorbis": Format(
        "audio/ogg",
        (".ogg", ".oga"),
        lambda rate, whole: libsndfile.Vorbis(rate),
        missing=partial(libsndfile.missing, "Vorbis", "OGG", "VORBIS"),
        note="in Ogg",
    ),
    "flac": Format(
        "audio/flac",
        (".flac",),
        lambda rate, whole: libsndfile.Flac(rate),
        streams=False,
        missing=partial(libsndfile.missing, "FLAC", "FLAC", "PCM_16"),
        note="16 bit, lossless; comes whole",
    ),
    "aac": Format(
        "audio/aac",
        (".aac",),
        lambda rate, whole: aac.Aac(rate),
        rates=MP3_RATES,
        missing=aac.missing,
        note="ADTS frames of 64 kbit/s; needs the extra `aac`",
    ),
}


class Encoder:
    """Samples of one sound, fed as they are made, into bytes of one format.

    Attributes:
        media_type: the MIME type of what comes out.
        rate: samples per second of what comes out (Hz).
    """

    def __init__(
        self, name: str, source_rate: int, *, rate: int | None = None, whole: bool = False
    ) -> None:
        """Open an encoder.

        Args:
            name: a key of FORMATS.
            source_rate: of the samples that will be fed (Hz).
            rate: what they are resampled to (Hz); None for the nearest that the format holds.
            whole: make the best file, with true lengths, though all of it may come at the end.

        Raises:
            SettingError: no such format, or a rate that it can't hold.
            BackendMissing: its library is not installed.
        """
        form = known(name)
        self.media_type = form.media_type
        self.rate = form.rate_for(source_rate) if rate is None else rate
        if form.rates and self.rate not in form.rates:
            raise SettingError(
                f"sample_rate: {self.rate} Hz is none that {name} can hold; use one of "
                + ", ".join(map(str, form.rates))
            )
        self._codec = form.codec(self.rate, whole)
        self._resampler = (
            None
            if self.rate == source_rate
            else soxr.ResampleStream(source_rate, self.rate, 1, "float32", "HQ")
        )

    def feed(self, samples: Samples) -> bytes:
        """Encode samples.

        Args:
            samples: float32 [S] in -1..1.

        Returns:
            the bytes that are ready; joined with all others, they are the file or stream.

        Raises:
            AudioError: a sample is not finite.
        """
        if self._resampler:
            samples = self._resampler.resample_chunk(np.ascontiguousarray(samples, np.float32))
        return self._codec.feed(to_pcm(samples))

    def finish(self) -> bytes:
        """End the sound; nothing can be fed after it.

        Raises:
            AudioError: too long for the format.
        """
        rest = b""
        if self._resampler:
            left = self._resampler.resample_chunk(np.zeros(0, np.float32), last=True)
            rest = self._codec.feed(to_pcm(left))
        return rest + self._codec.finish()


def known(name: str) -> Format:
    """The format of a name.

    Raises:
        SettingError: no such format.
        BackendMissing: its library is not installed.
    """
    if name not in FORMATS:
        raise SettingError(f"format: {name!r} is unknown; use one of {', '.join(FORMATS)}")
    reason = FORMATS[name].missing()
    if reason:
        raise BackendMissing(f"format {name}: {reason}")
    return FORMATS[name]


def encoded(name: str, samples: Samples, source_rate: int, *, rate: int | None = None) -> bytes:
    """A whole file of float32 [S] samples; arguments and errors as in `Encoder`."""
    encoder = Encoder(name, source_rate, rate=rate, whole=True)
    return encoder.feed(samples) + encoder.finish()
