"""Phone and voicing of each 40 ms."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.goldens import OWN
from training.corpus import PHONES, Utterance
from training.labels import (
    LABELS,
    label,
    phones_at,
    pitch_at,
    read_arrays,
    tokens_in,
    write_arrays,
)
from workflow_scripts.models.hubert import load_hubert

SECOND = np.arange(16_000) / 16_000


def tone(hertz: float) -> np.ndarray:
    return sum(np.sin(2 * np.pi * hertz * k * SECOND) / k for k in range(1, 8)).astype(np.float32)


@pytest.mark.parametrize("hertz", [75, 110, 165, 240, 300])
def test_pitch_of_a_tone_is_its_frequency(hertz: int) -> None:
    pitch = pitch_at(0.1 * tone(hertz), 23)
    np.testing.assert_allclose(pitch[2:], hertz, rtol=0.01)


def test_silence_and_noise_have_no_pitch() -> None:
    rng = np.random.default_rng(1)
    assert not pitch_at(np.zeros(16_000, np.float32), 23).any()
    assert not pitch_at(0.1 * rng.standard_normal(16_000, np.float32), 23).any()


def test_pitch_follows_a_change_within_a_token() -> None:
    sound = 0.1 * np.concatenate([tone(100), tone(200), np.zeros(8_000, np.float32)])
    pitch = pitch_at(sound.astype(np.float32), tokens_in(sound.size))
    np.testing.assert_allclose(pitch[2:23], 100, rtol=0.01)
    np.testing.assert_allclose(pitch[27:47], 200, rtol=0.01)
    assert not pitch[51:].any()


def test_a_phone_is_the_one_at_the_middle_of_what_a_token_hears() -> None:
    phones = [("pau", 0.0224), ("ae", 0.0626), ("t", 0.08)]  # middles at 22.5, 62.5, 102.5 ms
    assert [PHONES[i] for i in phones_at(phones, 3)] == ["ae", "ae", "pau"]


def test_a_label_is_phone_and_voicing() -> None:
    labels = label(Utterance(0, "", (("aa", 99.0),), Path()), np.array([0.0, 120.0, 0.0]))
    assert labels.tolist() == [2 * PHONES.index("aa") + voiced for voiced in (0, 1, 0)]
    assert labels.max() < LABELS


@pytest.mark.parametrize("samples", [16_000, 16_039, 16_040, 16_359, 16_360, 16_720])
def test_there_are_as_many_labels_as_the_pipeline_makes_tokens(samples: int) -> None:
    hubert = load_hubert(OWN / "sovits" / "hubert_768")
    features = hubert(torch.zeros(1, samples))
    assert tokens_in(samples) == features.shape[2] // 2


def test_arrays_are_read_as_they_were_written(tmp_path: Path) -> None:
    arrays = {3: np.array([1, 2], np.int16), 12: np.array([5], np.int16)}
    write_arrays(tmp_path / "a.npz", arrays)
    read = read_arrays(tmp_path / "a.npz")
    assert list(read) == [3, 12]
    np.testing.assert_array_equal(read[3], arrays[3])
