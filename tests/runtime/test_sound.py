"""Every format of sound: what comes out is the sound, however it was fed."""

import io
import struct
from collections.abc import Iterable
from functools import cache

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.arrays import Samples
from runtime.audio import to_int16
from runtime.errors import AudioError, BackendMissing, SettingError
from runtime.sound import aac, libsndfile, ogg
from runtime.sound.formats import FORMATS, MP3_RATES, Encoder, encoded, known

RATE = 32_000
NAMES = [name for name, form in FORMATS.items() if not form.missing()]
LATE = {"mp3": 1105, "aac": 1024}  # samples, of a stream
EXACT = ("wav", "pcm", "flac")


@cache
def voice_like(seconds: float = 1.5, rate: int = RATE) -> Samples:
    """A chirp that grows and fades, with some noise."""
    time = np.arange(int(seconds * rate)) / rate
    swept = np.sin(2 * np.pi * (200 * time + 300 * time**2))
    noise = np.random.default_rng(3).normal(0, 0.02, time.size)
    return (0.5 * swept * np.sin(np.pi * time / seconds) + noise).astype(np.float32)


def fed(name: str, pieces: Iterable[Samples], *, whole: bool = False) -> bytes:
    encoder = Encoder(name, RATE, whole=whole)
    return b"".join([*map(encoder.feed, pieces), encoder.finish()])


def cut(samples: Samples, sizes: list[int]) -> list[Samples]:
    return np.split(samples, np.cumsum(sizes))


def decoded(name: str, content: bytes) -> tuple[NDArray[np.float32], int]:
    """Samples and rate by another reader than the one that wrote them, where there is one."""
    if name == "pcm":
        return np.frombuffer(content, "<i2").astype(np.float32) / 32768, RATE
    if name == "aac":
        av = pytest.importorskip("av")
        with av.open(io.BytesIO(content)) as file:
            frames = [frame.to_ndarray()[0] for frame in file.decode(audio=0)]
            return np.concatenate(frames), file.streams.audio[0].rate
    samples, rate = soundfile.read(io.BytesIO(content), dtype="float32")
    return samples, rate


def lag(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> int:
    """By how many samples the one sound is behind the other."""
    size = 1 << (found.size + wanted.size).bit_length()
    product = np.fft.rfft(found, size) * np.conj(np.fft.rfft(wanted, size))
    return int(np.argmax(np.fft.irfft(product, size)))


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_decoded_is_the_sound(name: str, whole: bool) -> None:
    wanted = voice_like()
    found, rate = decoded(name, fed(name, [wanted], whole=whole))
    if rate != RATE:
        wanted = soxr.resample(wanted, RATE, rate, quality="HQ")
    late = LATE.get(name, 0) if name == "aac" or not whole else 0
    assert lag(found, wanted) == late
    there = found[late : late + wanted.size]
    assert there.size == wanted.size
    assert found.size - wanted.size == 0 or name in LATE
    if name in EXACT:
        np.testing.assert_array_equal(there * 32768, to_int16(wanted))
    else:
        assert np.corrcoef(there, wanted)[0, 1] > 0.99


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_the_same_sound_gives_the_same_bytes_however_it_is_cut(name: str, whole: bool) -> None:
    samples = voice_like(0.7)
    wanted = fed(name, [samples], whole=whole)

    @settings(max_examples=12, deadline=None)
    @given(sizes=st.lists(st.integers(0, 9_000), max_size=8))
    def holds(sizes: list[int]) -> None:
        assert fed(name, cut(samples, sizes), whole=whole) == wanted

    holds()


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_gives_bytes_while_it_is_fed(name: str) -> None:
    encoder = Encoder(name, RATE)
    early = b"".join(encoder.feed(piece) for piece in cut(voice_like(), [8_000] * 5))
    assert bool(early) == FORMATS[name].streams
    assert len(early) > 0.4 * len(early + encoder.finish()) or not FORMATS[name].streams


def test_a_sound_of_no_samples_ends_without_an_error() -> None:
    for name in NAMES:
        assert isinstance(fed(name, []), bytes)
    assert [decoded(name, fed(name, [], whole=True))[0].size for name in ("wav", "pcm")] == [0, 0]


def test_a_streamed_wav_has_its_header_first_and_leaves_the_length_open() -> None:
    encoder = Encoder("wav", RATE)
    first = encoder.feed(voice_like()[:100])
    assert first[:4] + first[8:12] == b"RIFFWAVE"
    assert (len(first), first[4:8], first[40:44]) == (244, b"\xff" * 4, b"\xff" * 4)
    assert encoder.feed(voice_like()[:100]) == first[44:]


def test_a_streamed_mp3_begins_with_sound_and_a_whole_one_with_its_length() -> None:
    streamed, whole = (fed("mp3", [voice_like()], whole=whole) for whole in (False, True))
    assert streamed[:4] == whole[:4] == bytes.fromhex("fffb78c4")
    assert b"Info" in whole[:200]
    assert b"Info" not in streamed[:200]
    assert whole[432:] == streamed


@pytest.mark.parametrize("rate", MP3_RATES)
def test_an_mp3_stream_of_any_rate_loses_only_the_tag(rate: int) -> None:
    samples = voice_like(1.0, rate)
    encoder = Encoder("mp3", rate)
    found, at = decoded("mp3", encoder.feed(samples) + encoder.finish())
    assert (encoder.rate, at) == (rate, rate)
    assert 0 < found.size - samples.size < 4 * 1152
    assert lag(found, samples) == 1105


def pages(content: bytes) -> list[tuple[int, int, bytes]]:
    """Granule position, serial number and bytes of each page."""
    found = []
    at = 0
    while at < len(content):
        position, serial = struct.unpack_from("<qI", content, at + 6)
        segments = content[at + 26]
        end = at + 27 + segments + sum(content[at + 27 : at + 27 + segments])
        found.append((position, serial, content[at:end]))
        at = end
    return found


@pytest.mark.parametrize("name", ["opus", "vorbis"])
def test_ogg_pages_have_one_serial_number_and_true_checksums(name: str) -> None:
    found = pages(fed(name, [voice_like()]))
    assert {serial for _, serial, _ in found} == {ogg.SERIAL}
    for _, _, page in found:
        (written,) = struct.unpack_from("<I", page, ogg.CHECKSUM_AT)
        assert ogg.checksum(page[:22] + bytes(4) + page[26:]) == written


def test_the_checksum_is_the_one_that_the_library_writes() -> None:
    file = io.BytesIO()
    soundfile.write(file, voice_like(), RATE, format="OGG", subtype="VORBIS")
    for _, serial, page in pages(file.getvalue()):
        assert serial != ogg.SERIAL
        (written,) = struct.unpack_from("<I", page, ogg.CHECKSUM_AT)
        assert ogg.checksum(page[:22] + bytes(4) + page[26:]) == written


def test_pages_of_opus_last_a_tenth_of_a_second() -> None:
    positions = [position for position, _, _ in pages(fed("opus", [voice_like()]))]
    assert max(np.diff(positions)[:-1]) <= 4_800  # the last holds the rest as well


def test_without_the_insides_of_soundfile_pages_are_longer_and_nothing_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoder = Encoder("opus", RATE)
    short = encoder.feed(voice_like()) + encoder.finish()
    for inside in ("_snd", "_ffi"):
        with monkeypatch.context() as patch:
            file = libsndfile._opened(48_000, "OGG", "OPUS")
            patch.delattr(soundfile, inside)
            file.ask_for_short_pages()
        file.write(to_int16(voice_like(1.5, 48_000)).tobytes())
        assert len(pages(file.close())) < len(pages(short))


@pytest.mark.parametrize("rate", [24_000, 48_000])
def test_a_resampled_stream_is_the_resampled_sound(rate: int) -> None:
    samples = voice_like()
    encoder = Encoder("pcm", RATE, rate=rate)
    content = b"".join(map(encoder.feed, cut(samples, [700, 0, 9_000]))) + encoder.finish()
    wanted = soxr.resample(samples, RATE, rate, quality="HQ")
    np.testing.assert_array_equal(np.frombuffer(content, "<i2"), to_int16(wanted))


def test_sixteen_bits_are_those_of_the_reference() -> None:
    given = np.array([0.99, 1.0, 1.5, -1.0, -1.5, 0.9 / 32768, -0.9 / 32768], np.float32)
    content = encoded("pcm", given, RATE)
    wanted = [32_440, 32_767, 32_767, -32_768, -32_768, 0, 0]
    assert np.frombuffer(content, "<i2").tolist() == wanted


def test_a_sample_that_is_no_number_is_refused() -> None:
    for name in NAMES:
        with pytest.raises(AudioError, match="NaN or infinity"):
            fed(name, [np.array([np.nan], np.float32)])


def test_what_can_not_be_written_is_refused_with_what_can() -> None:
    with pytest.raises(SettingError, match="format: 'silk' is unknown; use one of wav, pcm, mp3"):
        Encoder("silk", RATE)
    with pytest.raises(SettingError, match="sample_rate: 44100 Hz is none that opus can hold; use"):
        Encoder("opus", RATE, rate=44_100)


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aac, "find_spec", lambda name: None)
    with pytest.raises(BackendMissing, match=r"format aac: PyAV is not .*'\.\[aac\]'"):
        known("aac")
    monkeypatch.setattr(soundfile, "available_subtypes", lambda container: {})
    with pytest.raises(BackendMissing, match=r"format mp3: libsndfile .* does not write MP3; pip"):
        known("mp3")
    assert known("wav").media_type == "audio/wav"


@pytest.mark.parametrize(("name", "rate", "wanted"), [
    ("mp3", 32_000, 32_000), ("mp3", 40_000, 44_100), ("mp3", 96_000, 48_000),
    ("opus", 32_000, 48_000), ("opus", 24_000, 24_000), ("wav", 31_999, 31_999),
])  # fmt: skip
def test_the_nearest_rate_that_keeps_the_sound_is_taken(name: str, rate: int, wanted: int) -> None:
    assert FORMATS[name].rate_for(rate) == wanted
