"""The SSL network: what it is trained on, and that our pipeline reads it as it was trained."""

from pathlib import Path

import numpy as np
import pytest
import torch

from training import ssl
from training.corpus import SPEAKERS
from training.ssl import Listener, Material, filled, loss_of, write
from workflow_scripts.models.hubert import load_hubert


@pytest.fixture
def material() -> Material:
    sound = np.full(1_280, 0.5, np.float32)
    return Material({speaker: [filled(sound, np.array([9, 17], np.int16))] for speaker in SPEAKERS})


def test_a_sound_fills_its_last_token_with_silence() -> None:
    sound, labels = filled(np.ones(1_300, np.float32), np.array([9, 17], np.int16))
    assert (sound.size, labels.tolist()) == (1_920, [9, 17, 0])
    assert not sound[1_300:].any()


def test_labels_stay_beside_their_sound(material: Material) -> None:
    audio, labels = material.batch(np.random.default_rng(1))
    assert audio.shape == (ssl.BATCH, 640 * labels.shape[1])
    loud = audio.reshape(*labels.shape, 640)[:, :, :200].abs().amin(dim=2) > 0.05
    assert torch.equal(loud, labels > 0)


def test_some_sounds_end_in_silence_as_references_do(material: Material) -> None:
    _, labels = material.batch(np.random.default_rng(1))
    assert 0 < (labels[:, -2:] == 0).all(dim=1).sum() < ssl.BATCH


def test_loss_is_least_for_the_right_labels() -> None:
    labels = torch.tensor([[3, 5]])  # phones 1 and 2, both voiced
    scores = torch.zeros(1, ssl.CLASSES, 2)
    scores[0, [1, 41 + 1], 0] = scores[0, [2, 41 + 1], 1] = 4
    assert loss_of(scores, labels) < loss_of(scores, labels + 2)
    assert loss_of(scores, labels) < loss_of(scores, labels - 1)


def test_the_pipeline_encodes_as_trained(tmp_path: Path) -> None:
    torch.manual_seed(1)
    listener = Listener().eval()
    write(listener, tmp_path)
    audio = 0.1 * torch.randn(1, 9_000)
    with torch.inference_mode():
        features = listener.network(audio).last_hidden_state.transpose(1, 2)
        encoded = load_hubert(tmp_path / "hubert")(audio)
    torch.testing.assert_close(encoded, features, atol=5e-3, rtol=5e-3)  # stored as fp16
    size = sum(path.stat().st_size for path in (tmp_path / "hubert").iterdir())
    assert size < 8e6


def test_a_band_answers_to_its_pitch_whatever_the_phase() -> None:
    bank, sums = ssl.filters()
    for shift in (0.0, 1.0, 2.5):
        tone = np.cos(2 * np.pi * 500 * np.arange(ssl.FIELD) / 16_000 + shift)
        bank_output = np.stack([bank[:, 0] @ tone[i : i + ssl.WINDOW] for i in (0, 40, 80)], axis=1)
        bands = (sums * np.maximum(bank_output, 0)).sum(axis=(1, 2))
        assert bands.argmax() == (500 - 60) // 40
        assert bands.max() == pytest.approx(0.37, abs=0.05)
