"""Sound files in, rates changed, 16-bit files out."""

import io
import os
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime import audio
from runtime.audio import Audio
from runtime.errors import AudioError, SettingError
from tests.goldens import Case, frontend_cases


def tone(rate: int, seconds: float = 0.1, hertz: float = 440.0) -> np.ndarray:
    time = np.arange(round(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


@pytest.mark.golden
@pytest.mark.parametrize("case", frontend_cases("resample"), ids=str)
def test_resampled_sound_equals_the_reference(case: Case) -> None:
    before, rates = case[case.facts["input"]], (case.facts["orig"], case.facts["new"])
    np.testing.assert_allclose(
        audio.resample_sinc(before, *rates), case[case.facts["output"]], atol=1e-5
    )
    if "soxr_hq" in case.facts:
        np.testing.assert_allclose(
            audio.resample_hq(before, *rates), case[case.facts["soxr_hq"]], atol=1e-5
        )


@pytest.mark.parametrize("resample", [audio.resample_sinc, audio.resample_hq])
def test_equal_rates_leave_the_samples_alone(resample) -> None:
    samples = tone(16_000)
    assert resample(samples, 16_000, 16_000) is samples


@settings(deadline=None)
@given(
    rate=st.integers(4_000, 48_000),
    new_rate=st.sampled_from([16_000, 32_000]),
    size=st.integers(0, 500),
)
def test_a_resampled_length_is_the_ratio_rounded_up(rate: int, new_rate: int, size: int) -> None:
    wanted = -(-size * new_rate // rate)
    samples = np.ones(size, np.float32)
    assert audio.resample_sinc(samples, rate, new_rate).shape == (wanted,)
    if size:
        assert audio.resample_hq(samples, rate, new_rate).shape == (wanted,)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_101, 96_000])
def test_a_tone_keeps_its_pitch_and_loudness(rate: int) -> None:
    inside = slice(400, -400)
    for resample in (audio.resample_sinc, audio.resample_hq):
        changed = resample(tone(rate), rate, 32_000)
        np.testing.assert_allclose(changed[inside], tone(32_000)[: changed.size][inside], atol=2e-3)


@pytest.mark.parametrize(
    ("form", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAV", "PCM_24"),
        ("WAV", "FLOAT"),
        ("FLAC", "PCM_16"),
        ("AIFF", "PCM_16"),
    ],
)
def test_channels_of_any_format_are_averaged(tmp_path: Path, form: str, subtype: str) -> None:
    path = tmp_path / "three.sound"
    parts = np.stack([tone(22_050), 0.5 * tone(22_050), np.zeros(2205, np.float32)], axis=1)
    soundfile.write(path, parts, 22_050, format=form, subtype=subtype)
    found = audio.read(path)
    assert (found.rate, found.samples.dtype, found.source) == (22_050, np.float32, str(path))
    np.testing.assert_allclose(found.samples, parts.mean(axis=1), atol=5e-5)
    assert found.seconds == pytest.approx(0.1)


def test_sixteen_bit_files_are_read_exactly_and_written_back_the_same(tmp_path: Path) -> None:
    numbers = np.array([-32768, -32767, -1, 0, 1, 32766, 32767], np.int16)
    soundfile.write(tmp_path / "in.wav", numbers, 8_000)
    found = audio.read(tmp_path / "in.wav")
    np.testing.assert_array_equal(found.samples, numbers / np.float32(32768))
    found.save(tmp_path / "out.wav")
    with wave.open(str(tmp_path / "out.wav")) as written:
        assert written.getparams()[:4] == (1, 2, 8_000, 7)
        assert written.readframes(99) == numbers.astype("<i2").tobytes() == found.pcm


def test_int16_cuts_towards_zero_and_clips_instead_of_wrapping() -> None:
    samples = np.array([1.9, -1.9, 1.9, -1.9, 32767.5, 65536, -65536], np.float32) / 32768
    numbers = Audio(samples, 32_000).int16
    assert numbers.tolist() == [1, -1, 1, -1, 32767, 32767, -32768]
    assert numbers.dtype == np.int16


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(tmp_path: Path, bad: float) -> None:
    samples = np.array([0, bad], np.float32)
    with pytest.raises(AudioError, match="NaN or infinity came out"):
        Audio(samples, 32_000).save(tmp_path / "out.wav")
    assert not list(tmp_path.iterdir())
    soundfile.write(tmp_path / "in.wav", samples, 8_000, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"in\.wav: holds NaN or infinity"):
        audio.read(tmp_path / "in.wav")


def test_what_is_no_sound_is_refused_by_name(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, np.float32), 8_000)
    soundfile.write(tmp_path / "slow.wav", np.zeros(9, np.float32), 100)
    (tmp_path / "none.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("hello " * 100)
    (tmp_path / "samples.raw").write_bytes(bytes(100))
    (tmp_path / "cut.wav").write_bytes(Audio(tone(8_000), 8_000).wav[:30])
    (tmp_path / "folder.wav").mkdir()
    for name, reason in [
        ("empty.wav", "holds no samples"),
        ("slow.wav", "100 Hz; give 4000 to 384000 Hz"),
        ("none.wav", "not a sound file"),
        ("text.wav", "not a sound file"),
        ("samples.raw", "not a sound file"),
        ("cut.wav", "not a sound file"),
        ("folder.wav", "Is a directory"),
        ("missing.wav", "No such file"),
    ]:
        with pytest.raises(AudioError) as refused:
            audio.read(tmp_path / name)
        assert str(refused.value).startswith(f"{tmp_path / name}: {reason}")
        assert "\n" not in str(refused.value)


def test_no_channels_are_refused() -> None:
    with pytest.raises(AudioError, match=r"x\.wav: holds no samples"):
        audio.mono(np.zeros((5, 0), np.float32), "x.wav")


def test_a_file_too_long_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Audio(np.zeros(9000, np.float32), 8_000).save(tmp_path / "long.wav")
    assert audio.read(tmp_path / "long.wav").seconds == 1.125
    monkeypatch.setattr(audio, "LONGEST_S", 1)
    with pytest.raises(AudioError, match=r"long\.wav: longer than 1 s; cut it"):
        audio.read(tmp_path / "long.wav")


def test_a_stream_without_a_known_end_can_be_read() -> None:
    samples = tone(32_000)
    stream = io.BytesIO(audio.wav_header(32_000) + audio.to_pcm(samples))
    found = audio.decode(stream, "stream")
    np.testing.assert_array_equal(found.int16, audio.to_int16(samples))


def test_a_wav_of_known_length_says_so() -> None:
    header = audio.wav_header(32_000, 6400)
    assert len(header) == audio.HEADER_BYTES
    assert int.from_bytes(header[4:8], "little") == 6436
    assert int.from_bytes(header[40:44], "little") == 6400
    with pytest.raises(AudioError, match="do not fit a WAV file"):
        audio.wav_header(32_000, 2**32)


def test_a_save_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "out.wav"
    target.write_bytes(b"old")
    with pytest.raises(AudioError):
        Audio(np.array([np.nan], np.float32), 32_000).save(target)
    assert (target.read_bytes(), len(list(tmp_path.iterdir()))) == (b"old", 1)
    with pytest.raises(FileNotFoundError):
        Audio(tone(8_000), 8_000).save(tmp_path / "no folder" / "out.wav")


def test_saving_follows_a_link_and_keeps_a_device(tmp_path: Path) -> None:
    (tmp_path / "real.wav").write_bytes(b"old")
    (tmp_path / "link.wav").symlink_to(tmp_path / "real.wav")
    sound = Audio(tone(8_000), 8_000)
    sound.save(tmp_path / "link.wav")
    assert (tmp_path / "link.wav").is_symlink()
    assert (tmp_path / "real.wav").read_bytes() == sound.wav
    sound.save(os.devnull)
    assert not Path(os.devnull).is_file()


def test_a_name_of_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"out\.mp3: this sound is written as WAV; give a name"):
        Audio(tone(8_000), 8_000).save(tmp_path / "out.mp3")
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_are_no_sound_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(8000, 3e38, np.float32), 16_000, "FLOAT")
    with pytest.raises(AudioError, match=r"a\.wav: holds numbers that are no sound"):
        audio.read(tmp_path / "a.wav")


def test_what_a_file_raises_while_it_is_read_is_one_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "a.wav", tone(16_000), 16_000)

    class Broken(io.BytesIO):
        def seek(self, offset: int, whence: int = 0) -> int:
            if offset > 44:
                raise OSError(5, "Input/output error")
            return super().seek(offset, whence)

        def read(self, size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises((AudioError, OSError)):
        audio.decode(Broken((tmp_path / "a.wav").read_bytes()), "a.wav")
    assert capfd.readouterr().err == ""
