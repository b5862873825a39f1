"""The acoustic model's latent stands for speech, and the file states what was trained."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from runtime.reference.features import OUTPUT_HZ
from training import sovits, sovits_batch
from training.labels import TOKEN, centres
from training.sovits_data import BINS, Shelf, Store, corrupted, lesson
from training.sovits_grid import listening_at
from training.sovits_latent import (
    PULSES,
    QUIET,
    SOFTER,
    VOICE_UNITS,
    latent_of,
    patterns,
    sharpening,
    sound_of,
)
from training.sovits_network import Sizes, write_voice
from training.sovits_polish import Polishing
from training.sovits_speech import RATE, middles, take_apart
from training.sovits_typical import typical
from workflow_scripts.checkpoint.read import read
from workflow_scripts.models.sovits import Sovits, load_sovits

SMALL = Sizes(filters=8, initial=32, rates=(20, 32), kernels=(20, 32))
PLAN = sovits.Plan(crops=3, tokens=16, sounded=3, frames=14, rate=1e-3, warm=1)


def buzz(hertz: int, seconds: float) -> np.ndarray:
    """A monotone voice, float32 at 16 kHz."""
    time = np.arange(int(seconds * RATE)) / RATE
    tones = [np.cos(2 * np.pi * hertz * n * time) / n for n in range(1, 30)]
    return (0.05 * np.sum(tones, axis=0)).astype(np.float32)


def hiss(seconds: float) -> np.ndarray:
    """Noise, float32 at 16 kHz."""
    rng = np.random.default_rng(0)
    return (0.05 * rng.standard_normal(int(seconds * RATE))).astype(np.float32)


def resounded(samples: np.ndarray, pulses: int) -> np.ndarray:
    """What the latent of a sound stands for, at 16 kHz."""
    latent = latent_of(take_apart(samples, middles(samples.size // 640)), pulses)
    sound = sound_of(torch.from_numpy(latent.T)[None], patterns())
    return np.asarray(sound[0, :: OUTPUT_HZ // RATE])


@pytest.mark.parametrize("pulses", PULSES)
def test_a_voice_comes_back_as_loud_in_each_band_at_its_pitch(pulses: int) -> None:
    samples = buzz(50 * pulses, 1.2)
    again = resounded(samples, pulses)
    before, after = (take_apart(row, middles(25)) for row in (samples[:16_000], again[:16_000]))
    assert after.voiced[8:-8].all()
    gap = np.abs(before.bands - after.bands)[8:-8, 1:16]
    assert np.median(gap) < 0.15  # nepers


def test_noise_comes_back_as_noise() -> None:
    again = resounded(hiss(1.2), 2)
    before, after = (take_apart(row, middles(25)) for row in (hiss(1.2)[:16_000], again[:16_000]))
    assert after.voiced.mean() < 0.1
    gap = before.bands[8:-8].mean(axis=0) - after.bands[8:-8].mean(axis=0)
    assert np.abs(gap[2:20]).max() < 0.5


def test_phones_are_heard_from_where_their_token_begins() -> None:
    phones = [("pau", 0.05), ("t", 0.10), ("b", 0.102), ("ae", 0.2)]  # b has no token
    tokens = np.searchsorted([0.05, 0.10, 0.102, 0.2], centres(6) / RATE, side="right")
    assert tokens.tolist() == [0, 1, 3, 3, 3, 4]
    places = listening_at(phones, 6)
    seen = np.searchsorted([0.05, 0.101, 0.2], places / RATE)
    assert seen.tolist() == [0] * 4 + [1] * 4 + [2] * 12 + [3] * 4
    assert np.diff(places).min() > 0


def test_speech_is_bent_by_no_more_than_a_token() -> None:
    rng = np.random.default_rng(2)
    ends = np.cumsum(rng.uniform(0.02, 0.15, 40))
    tokens = int(ends[-1] * 25)
    shift = listening_at([("aa", float(end)) for end in ends], tokens) - middles(tokens)
    assert np.abs(shift).max() <= TOKEN


def test_few_tokens_are_a_neighbours() -> None:
    tokens = np.arange(6000)
    other = corrupted(tokens, np.random.default_rng(1))
    assert 0.02 < np.mean(other != tokens) < 0.04
    assert np.abs(other - tokens)[1:-1].max() == 1


def test_what_is_usual_is_the_median_where_the_same_tokens_stand_around() -> None:
    tokens = np.tile(np.arange(10), 7)
    values = np.random.default_rng(0).random((70, 2)).astype(np.float32)
    found = typical(tokens, values)
    np.testing.assert_allclose(found[24], np.median(values[4::10], axis=0))
    lonely = typical(np.arange(70), values)
    np.testing.assert_array_equal(lonely, values)


@pytest.fixture
def shelves() -> list[Shelf]:
    rng = np.random.default_rng(0)
    stores = [
        Store(
            tokens=np.arange(60, dtype=np.int16) + speaker,
            bands=(np.log(VOICE_UNITS) + rng.normal(0, 0.3, (240, 24))).astype(np.float16),
            voiced=np.arange(240) % 60 < 40,
            references=rng.random((2, BINS, 30)).astype(np.float16),
        )
        for speaker in range(3)
    ]
    return [Shelf.of(store, pulses) for store, pulses in zip(stores, PULSES, strict=True)]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sovits, "Sizes", lambda: SMALL)


@pytest.mark.usefixtures("small")
def test_what_is_learned_is_kept_and_goes_on(tmp_path: Path, shelves: list[Shelf]) -> None:
    training = sovits.Training(tmp_path, replace(PLAN, iterations=30))
    costs = [training.learn(shelves)["sounding"] for _ in range(30)]
    assert np.mean(costs[-5:]) < 0.8 * np.mean(costs[:5])
    training.save()
    again = sovits.Training(tmp_path, replace(PLAN, iterations=31))
    assert again.iteration == 30
    assert again.learn(shelves) == pytest.approx(training.learn(shelves), rel=0.05)


@pytest.mark.usefixtures("small")
def test_the_vocoder_learns_slower_and_its_leaps_do_not_hold_the_prior_back(
    tmp_path: Path, shelves: list[Shelf], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = sovits.Training(tmp_path, PLAN)
    prior, vocoder = training.optimizer.param_groups
    monkeypatch.setattr(training.optimizer, "step", lambda: None)
    training.learn(shelves)
    assert vocoder["lr"] == sovits.VOCODER_SHARE * prior["lr"] > 0
    assert len(prior["params"]) + len(vocoder["params"]) == len([*training.pupils.parameters()])
    leap = {row: 1e6 for row in vocoder["params"]}
    parts = {"leap": sum(scale * row.sum() for row, scale in leap.items())}
    parts["prior"] = 1e-3 * training.sovits.enc_p.proj.bias.sum()
    training.step(parts)
    assert training.sovits.enc_p.proj.bias.grad.max() == pytest.approx(1e-3)
    norms = torch.stack([row.grad.norm() for row in vocoder["params"]])
    assert float(norms.norm()) == pytest.approx(PLAN.clip, rel=1e-3)


@pytest.mark.usefixtures("small")
def test_polishing_moves_the_vocoder_alone_and_goes_on(
    tmp_path: Path, shelves: list[Shelf]
) -> None:
    training = sovits.Training(tmp_path, replace(PLAN, iterations=2))
    training.learn(shelves)
    training.save()
    polishing = Polishing(tmp_path, replace(PLAN, iterations=2))
    polishing.learn(shelves)
    polishing.save()
    again = Polishing(tmp_path, PLAN)
    assert again.iteration == 1
    for name, ours in training.pupils.state_dict().items():
        moved = name.startswith(("dec.", "proj."))
        assert torch.equal(ours, again.pupils.state_dict()[name]) != moved, name


@pytest.mark.usefixtures("small")
def test_a_polished_prior_says_sharper_spectra(tmp_path: Path, shelves: list[Shelf]) -> None:
    training = sovits.Training(tmp_path, replace(PLAN, iterations=1))
    training.learn(shelves)
    training.save()
    seen = lesson(shelves, 3, 16, np.random.default_rng(0))
    with torch.inference_mode():
        said, _ = training.said(seen)
        sharp, _ = Polishing(tmp_path, PLAN).said(seen)
    torch.testing.assert_close(sharp, sharpening() @ said, atol=1e-4, rtol=1e-4)


def test_sharpening_raises_peaks_over_what_is_even() -> None:
    even = sharpening() @ torch.ones(192)
    torch.testing.assert_close(even, torch.full((192,), 1 - SOFTER))
    peak = torch.ones(192)
    peak[10] = 2
    rise = sharpening() @ peak - even
    assert rise[10] > 1.2
    assert (rise[[7, 8, 9, 11, 12, 13]] < -0.02).all()
    assert not rise[24:].any()


@pytest.mark.usefixtures("small")
def test_the_file_says_what_was_trained(tmp_path: Path, shelves: list[Shelf]) -> None:
    training = sovits.Training(tmp_path, replace(PLAN, iterations=3))
    for _ in range(3):
        training.learn(shelves)
    write_voice(tmp_path / "voice.pth", training.sovits, SMALL, 3)
    assert (tmp_path / "voice.pth").stat().st_size < 14e6
    read = reread(tmp_path / "voice.pth")
    another = sovits.Training(tmp_path / "another", PLAN)
    another.begin(tmp_path / "voice.pth")
    last = training.sovits.dec.conv_post.weight
    torch.testing.assert_close(another.sovits.dec.conv_post.weight, last, atol=1e-3, rtol=1e-3)
    seen = lesson(shelves, 3, 16, np.random.default_rng(0))
    ours, theirs = training.sovits, read
    with torch.inference_mode():
        style = sovits_batch.style(ours.ref_enc, seen.references)[:1]
        rows = ours.codebook(seen.tokens[:1]).repeat_interleave(2, dim=1).transpose(1, 2)
        mean, _ = sovits_batch.prior(ours.enc_p, rows, style)
        again = theirs.style(seen.references[:1])
        encoded = theirs.encode(seen.tokens[:1], torch.tensor([[5, 6]]), again)
        found = theirs.enc_p.moments(encoded)
        sound, resound = ours.vocode(mean, style), theirs.vocode(mean, style)
    torch.testing.assert_close(again, style, atol=2e-2, rtol=2e-2)
    torch.testing.assert_close(found[0], mean, atol=2e-2, rtol=2e-2)
    torch.testing.assert_close(resound, sound, atol=2e-2, rtol=2e-2)
    latent = torch.randn(1, 192, 9)
    torch.testing.assert_close(theirs.flow(latent, style), latent)
    assert (found[1] == QUIET).all()


def reread(path: Path) -> Sovits:
    """As the pipeline reads it."""
    checkpoint = read(path)
    return load_sovits(checkpoint.widened(), checkpoint.config)
