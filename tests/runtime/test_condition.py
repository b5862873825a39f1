"""What is encoded of a reference, and what is reported of a bad one."""

from pathlib import Path

import numpy as np
import pytest

from runtime import audio as sound
from runtime.audio import Audio
from runtime.errors import AudioError
from runtime.reference.condition import EDGE_S, FRAME_S, PAUSE_S, condition

RATE = 16_000


def speech(seconds: float, peak: float = 0.5) -> np.ndarray:
    """A sound with the ups and downs of syllables, four a second."""
    times = np.arange(int(seconds * RATE)) / RATE
    syllables = np.maximum(np.sin(2 * np.pi * 4 * times), 0.003)
    return np.float32(peak) * (syllables * np.sin(2 * np.pi * 200 * times)).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE), np.float32)


def test_a_reference_without_long_silence_is_the_same_object() -> None:
    audio = Audio(np.concatenate([silence(0.2), speech(4), silence(0.1)]), RATE)
    found = condition(audio)
    assert found.audio is audio
    assert (found.cut_s, found.faults) == (0.0, ())


def test_leading_trailing_and_long_inner_silence_is_cut() -> None:
    parts = [silence(2), speech(2), silence(3), speech(2), silence(2)]
    found = condition(Audio(np.concatenate(parts), RATE))
    assert found.audio.seconds == pytest.approx(4 + 2 * EDGE_S + PAUSE_S, abs=20 * FRAME_S)
    assert found.cut_s == pytest.approx(11 - found.audio.seconds)
    assert found.faults == ()


@pytest.mark.parametrize("samples", [silence(4), 1e-4 * speech(4)])
def test_a_silent_reference_is_refused(samples: np.ndarray) -> None:
    with pytest.raises(AudioError, match="ref: it is silent; give a recording of speech"):
        condition(Audio(samples, RATE, "ref"))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.clip(speech(4, 4), -1, 1), "ref: it is clipped; record it at a lower level"),
        (0.01 * speech(4), "ref: it is very quiet"),
        (
            speech(4, 0.1) + np.random.default_rng(1).normal(0, 0.05, 4 * RATE),
            "above the noise; record it in a quiet room",
        ),
    ],
)
def test_what_spoils_a_reference_is_reported(samples: np.ndarray, message: str) -> None:
    (fault,) = condition(Audio(samples.astype(np.float32), RATE, "ref")).faults
    assert message in fault


@pytest.mark.parametrize(
    ("head", "name"),
    [(b"\0\0\0\x20ftypM4A ", "MP4 (m4a)"), (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA")],
)
def test_a_format_that_is_not_read_is_named_with_a_command(
    tmp_path: Path, head: bytes, name: str
) -> None:
    path = tmp_path / "sound.m4a"
    path.write_bytes(head + bytes(100))
    with pytest.raises(AudioError) as caught:
        sound.read(path)
    assert f"{name} cannot be read; convert it: ffmpeg -i INPUT" in str(caught.value)
