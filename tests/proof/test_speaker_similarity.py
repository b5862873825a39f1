"""Speakers are distinguished by their spectrum, and the same words found again at another pace."""

import numpy as np

from runtime.arrays import Float32
from runtime.audio import Audio
from workflow_scripts.proof.words.speaker_similarity import nearest, speaker_of, warped_distance_db

RATE = 16_000


def buzz(pitch_hz: float, seconds: float, tilt: float, seed: int = 0) -> Float32:
    """Syllables of a pitch; a larger tilt is duller."""
    time = np.arange(int(RATE * seconds)) / RATE
    tones = sum(
        np.sin(2 * np.pi * pitch_hz * k * time) / k**tilt for k in range(1, int(7000 / pitch_hz))
    )
    hiss = np.random.default_rng(seed).standard_normal(time.size) * 1e-3
    return np.asarray((tones * np.sin(3 * np.pi * time) ** 2 + hiss) * 0.1, np.float32)


def audio(*parts: Float32) -> Audio:
    return Audio(np.concatenate(parts), RATE)


def test_a_speaker_is_nearest_to_its_own_reference() -> None:
    known = {
        "bright": speaker_of(audio(buzz(210, 4, 0.8))),
        "dull": speaker_of(audio(buzz(110, 4, 1.6))),
    }
    assert nearest(speaker_of(audio(buzz(200, 2, 0.8, seed=1))), known) == "bright"
    assert nearest(speaker_of(audio(buzz(115, 2, 1.6, seed=1))), known) == "dull"


def test_loudness_is_not_what_makes_a_speaker() -> None:
    sound = buzz(150, 2, 1)
    one, other = speaker_of(audio(sound)), speaker_of(audio(sound / 4))
    assert np.abs(one - other).max() < 0.2


def test_the_same_sound_is_at_no_distance() -> None:
    sound = audio(buzz(150, 1, 1))
    assert warped_distance_db(sound, sound) == 0


def test_a_pause_in_between_is_nearer_than_another_sound() -> None:
    first, second = buzz(150, 0.5, 1), buzz(300, 0.5, 1)
    held = audio(first, np.repeat(first[-1:], RATE // 4), second)
    straight = audio(first, second)
    assert warped_distance_db(held, straight) < 0.7 * warped_distance_db(
        straight, audio(second, first)
    )
