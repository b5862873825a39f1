"""Read sound of any format, change its rate, and write it as 16-bit WAV or raw PCM.

Knows nothing of models: mono float32 samples in -1..1 with their rate, in and out.
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from runtime.arrays import Samples
from runtime.errors import AudioError, SettingError
from runtime.files import replaced

RATES_HZ = range(4_000, 384_001)
LONGEST_S = 600  # a whole album given by mistake must not fill the memory
MOST_SAMPLES = 1 << 26  # of all channels: 600 s of stereo at 48 kHz, 21 s of 8 channels at 384 kHz
LOUDEST = 2.0**32  # of a sample: whole numbers of 32 bits that were written as floats are below
BLOCK = 1 << 16
UNREAD_FORMATS = (  # name, offset and magic of what libsndfile does not read
    ("MP4 (m4a)", 4, b"ftyp"),
    ("WMA", 0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    ("Matroska (webm)", 0, b"\x1a\x45\xdf\xa3"),
    ("AAC", 0, b"\xff\xf1"),
    ("AMR", 0, b"#!AMR"),
)
ZERO_CROSSINGS = 6
ROLLOFF = 0.99
SAMPLE_BYTES = 2
UNKNOWN_BYTES = 0xFFFFFFFF  # what players take for "until the stream ends"
HEADER_BYTES = 44
WAV_SUFFIXES = (".wav", ".wave", "")  # none: a device, a pipe


@dataclass(frozen=True, eq=False)
class Audio:
    """Mono sound.

    Attributes:
        samples: float32 [S], in -1..1; what lies outside is clipped only when it becomes int16.
        rate: samples per second (Hz).
        source: where it came from, for messages.
    """

    samples: Samples
    rate: int
    source: str = "audio"

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.samples.size / self.rate

    @property
    def int16(self) -> NDArray[np.int16]:
        """The samples as 16-bit numbers, int16 [S]."""
        return to_int16(self.samples)

    @property
    def pcm(self) -> bytes:
        """The samples as raw little-endian 16-bit PCM."""
        return to_pcm(self.samples)

    @property
    def wav(self) -> bytes:
        """A whole WAV file of 16-bit PCM."""
        pcm = self.pcm
        return wav_header(self.rate, len(pcm)) + pcm

    def save(self, path: Path | str) -> None:
        """Write a 16-bit WAV file that appears whole or not at all.

        Raises:
            SettingError: a name of another format; `runtime.sound.files.save` writes those.
            AudioError: a sample is not finite, or the sound is too long for a WAV file.
            OSError: the file can't be written.
        """
        if Path(path).suffix.lower() not in WAV_SUFFIXES:
            raise SettingError(f"{path}: this sound is written as WAV; give a name ending in .wav")
        write_whole(Path(path), self.wav)


def read(path: Path | str) -> Audio:
    """Read a sound file of any format that libsndfile knows.

    Args:
        path: WAV, FLAC, OGG, MP3, AIFF and others; any number of channels, which are averaged.

    Raises:
        AudioError: no such file, not sound, empty, too long, or with NaN or infinity in it.
    """
    try:
        with Path(path).open("rb") as file:
            return decode(file, str(path))
    except OSError as error:
        raise AudioError(f"{path}: {error.strerror}; give a sound file") from error


def decode(file: BinaryIO, source: str, longest_s: float | None = None) -> Audio:
    """Read sound from an open file.

    Args:
        file: seekable, at its beginning.
        source: its name, for messages.
        longest_s: more is refused, and not read (s); None for ten minutes.

    Raises:
        AudioError: as `read` does.
    """
    longest_s = LONGEST_S if longest_s is None else longest_s
    try:
        with soundfile.SoundFile(_Calm(file)) as sound:
            rate = int(sound.samplerate)
            if rate not in RATES_HZ:
                raise AudioError(
                    f"{source}: {rate} Hz; give {RATES_HZ.start} to {RATES_HZ.stop - 1} Hz"
                )
            samples = _mono_blocks(sound, longest_s, source)
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: headerless data
        raise AudioError(f"{source}: {_why_unread(file)}") from error
    return Audio(samples, rate, source)


class _Calm:
    """An open file for libsndfile, whose calls come through cffi: what they raise is printed there.

    A place that is none is not gone to, and what can't be read is as if the file ended.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.name = getattr(file, "name", "")

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return self._file.tell()

    def tell(self) -> int:
        return self._file.tell()

    def read(self, count: int = -1) -> bytes:
        try:
            return self._file.read(count)
        except OSError:
            return b""

    def readinto(self, buffer: Any) -> int:
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def write(self, content: bytes) -> int:
        raise NotImplementedError


def _mono_blocks(sound: soundfile.SoundFile, longest_s: float, source: str) -> Samples:
    """All samples, averaged block by block: what is read at once stays small, whatever a file is.

    Raises:
        AudioError: too long, empty, or with NaN or infinity in it.
    """
    blocks: list[Samples] = []
    length, rate = 0, int(sound.samplerate)
    while (block := sound.read(BLOCK, dtype="float32", always_2d=True)).size:
        length += len(block)
        if length > longest_s * rate:
            raise AudioError(f"{source}: longer than {longest_s:g} s; cut it")
        if length * sound.channels > MOST_SAMPLES:
            width = f"{rate} Hz and {sound.channels} channels"
            longest = MOST_SAMPLES // (rate * sound.channels)
            raise AudioError(f"{source}: longer than {longest} s of {width}; cut it")
        blocks.append(mono(block, source))
    if not blocks:
        raise AudioError(f"{source}: holds no samples; give a recording")
    return np.concatenate(blocks)


def _why_unread(file: BinaryIO) -> str:
    """What kind of file it is that libsndfile does not read, and what to do."""
    file.seek(0)
    head = file.read(16)
    for name, start, magic in UNREAD_FORMATS:
        if head[start : start + len(magic)] == magic:
            return f"{name} cannot be read; convert it: ffmpeg -i INPUT -ac 1 output.wav"
    return "not a sound file that can be read; give WAV or FLAC"


def mono(channels: NDArray[np.float32], source: str = "audio") -> Samples:
    """Average the channels.

    Args:
        channels: float32 [S, channels].
        source: its name, for messages.

    Returns:
        float32 [S].

    Raises:
        AudioError: no sample, no channel, or a value that is not finite or that no sound has.
    """
    if channels.size == 0:
        raise AudioError(f"{source}: holds no samples; give a recording")
    if not np.isfinite(channels).all():
        raise AudioError(f"{source}: holds NaN or infinity; export the recording again")
    if np.abs(channels).max() > LOUDEST:
        raise AudioError(f"{source}: holds numbers that are no sound; export the recording again")
    return np.asarray(channels.mean(axis=1, dtype=np.float64), np.float32)


def resample_sinc(samples: Samples, rate: int, new_rate: int) -> Samples:
    """Change the rate with the Hann-windowed sinc that GPT-SoVITS resamples references with.

    Args:
        samples: float32 [S].
        rate: their rate (Hz).
        new_rate: wanted rate (Hz); the same rate gives the samples back unchanged.

    Returns:
        float32 [ceil(S * new_rate / rate)].

    Source: definition of torchaudio's `Resample` with its default width and roll-off; golden
    `sovits/frontend.npz`.
    """
    if rate == new_rate:
        return samples
    divisor = math.gcd(rate, new_rate)
    old, new = rate // divisor, new_rate // divisor
    base = min(old, new) * ROLLOFF
    width = math.ceil(ZERO_CROSSINGS * old / base)
    size = -(-new * samples.size // old)
    padded = np.pad(samples, (width, 2 * width + old)).astype(np.float64)
    # no tap outside the window is computed: odd rates have thousands of phases
    first = np.arange(new) * old // new
    kernel = _sinc_kernel(first, old, base, width)
    phase = np.arange(size) % new
    start = first[phase] + np.arange(size) // new * old
    result = np.zeros(size)
    for tap in range(kernel.shape[1]):
        result += kernel[phase, tap] * padded[start + tap]
    return result.astype(np.float32)


def _sinc_kernel(
    first: NDArray[np.int64], old: int, base: float, width: int
) -> NDArray[np.float32]:
    """Taps of every phase.

    Args:
        first: int64 [phases], index of each phase's first tap.
        old: samples of the old rate per round of phases.
        base: cut-off, in cycles per round times two.
        width: taps on each side.

    Returns:
        float32 [phases, 2 * width + 2].
    """
    phases = len(first)
    taps = first[:, None] + np.arange(2 * width + 2)
    centre = np.arange(phases)[:, None] / phases
    time = ((taps - width) / old - centre) * base
    time = np.clip(time, -ZERO_CROSSINGS, ZERO_CROSSINGS)
    window = np.cos(time * np.pi / ZERO_CROSSINGS / 2) ** 2
    return (base / old * window * np.sinc(time)).astype(np.float32)


def resample_hq(samples: Samples, rate: int, new_rate: int) -> Samples:
    """Change the rate with soxr's "HQ" recipe, as librosa loads sound.

    Args:
        samples: float32 [S].
        rate: their rate (Hz).
        new_rate: wanted rate (Hz).

    Returns:
        float32 [ceil(S * new_rate / rate)].
    """
    if rate == new_rate:
        return samples
    size = -(-samples.size * new_rate // rate)
    changed = np.asarray(soxr.resample(samples, rate, new_rate, quality="HQ"), np.float32)[:size]
    return np.pad(changed, (0, size - changed.size))


def to_int16(samples: Samples) -> NDArray[np.int16]:
    """Cut samples to 16 bits: times 32768, towards zero, and clipped instead of wrapped.

    GPT-SoVITS writes the same numbers; every format that we write starts from them.

    Args:
        samples: float32 [S].

    Raises:
        AudioError: a sample is NaN or infinite.
    """
    if not np.isfinite(samples).all():
        raise AudioError("audio: NaN or infinity came out; use a voice of higher precision")
    scaled = np.trunc(samples.astype(np.float64) * 32768)
    return np.clip(scaled, -32768, 32767).astype(np.int16)


def to_pcm(samples: Samples) -> bytes:
    """The samples, float32 [S], as raw little-endian 16-bit PCM."""
    return to_int16(samples).astype("<i2").tobytes()


def wav_header(rate: int, pcm_bytes: int | None = None) -> bytes:
    """The 44 bytes before the samples of a mono 16-bit WAV file.

    Args:
        rate: samples per second (Hz).
        pcm_bytes: size of what follows; None for a stream whose end is not known yet.

    Raises:
        AudioError: more bytes than a WAV file can hold.
    """
    if pcm_bytes is None:
        size = whole = UNKNOWN_BYTES
    else:
        size, whole = pcm_bytes, pcm_bytes + HEADER_BYTES - 8
        if whole >= UNKNOWN_BYTES:
            raise AudioError(f"audio: {size} bytes do not fit a WAV file; write raw PCM")
    form = (16, 1, 1, rate, rate * SAMPLE_BYTES, SAMPLE_BYTES, 8 * SAMPLE_BYTES)
    return struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", whole, b"WAVE", b"fmt ", *form, b"data", size)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place and rename it; a device or a pipe is written directly.

    Raises:
        OSError: it can't be written; what stood there before is unchanged.
    """
    with replaced(path) as file:
        file.write(content)
