"""What the graphs hear of a reference equals what the reference implementation computes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import audio
from runtime.audio import Audio
from runtime.errors import AudioError
from runtime.reference import features
from tests.goldens import Case, frontend_cases


def noise(samples: int, peak: float = 0.5) -> np.ndarray:
    drawn = np.random.default_rng(samples).uniform(-1, 1, samples)
    return (drawn / np.abs(drawn).max() * peak).astype(np.float32)


@pytest.mark.golden
@pytest.mark.parametrize("case", frontend_cases("spectrogram"), ids=str)
def test_spectrogram_equals_the_reference(case: Case) -> None:
    samples = features.normalised_32k(Audio(case[case.facts["wave"]], 32_000))
    found = features.spectrogram(samples)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], case[case.facts["spec"]], atol=1e-4)


@pytest.mark.golden
@pytest.mark.parametrize("case", frontend_cases("fbank"), ids=str)
def test_filter_bank_equals_the_reference(case: Case) -> None:
    found = features.filter_bank(case[case.facts["wave"]])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, case[case.facts["feat"]], atol=2e-3)


@pytest.mark.golden
@pytest.mark.parametrize("case", frontend_cases("reference_audio"), ids=str)
def test_a_reference_file_is_heard_as_the_reference_hears_it(case: Case) -> None:
    name = case.checkpoint.removesuffix(".wav")
    sound = audio.read(case.model)
    samples = features.normalised_32k(sound)
    np.testing.assert_allclose(samples, case[f"{name}__audio32k"], atol=1e-5)
    spectrogram = features.spectrogram(samples)[0]
    np.testing.assert_allclose(spectrogram[:, :20], case[f"{name}__spec_head"], atol=1e-4)
    sums = case[f"{name}__spec_sum_over_bins"]
    np.testing.assert_allclose(spectrogram.sum(0), sums, rtol=1e-5)
    np.testing.assert_allclose(
        features.speaker_audio(samples), case[f"{name}__audio16k_from32k"], atol=1e-5
    )
    encoded = features.ssl_audio(sound)[0]
    np.testing.assert_allclose(encoded[:-9600], case[f"{name}__librosa16k"], atol=1e-5)
    assert not encoded[-9600:].any()
    at_16k = audio.resample_sinc(sound.samples, sound.rate, 16_000)
    np.testing.assert_allclose(at_16k, case[f"{name}__sinc16k"], atol=1e-5)


@pytest.mark.parametrize(
    ("peak", "wanted"), [(0.3, 0.3), (1.0, 1.0), (1.5, 1.0), (2.0, 1.0), (3.0, 1.5)]
)
def test_a_peak_over_full_scale_is_divided_by_two_at_most(peak: float, wanted: float) -> None:
    found = features.normalised_32k(Audio(noise(1000, peak), 32_000))
    assert np.abs(found).max() == pytest.approx(wanted)


@given(size=st.integers(705, 5000), bins=st.sampled_from([704, 1025]))
def test_a_spectrogram_has_a_frame_for_each_640_samples(size: int, bins: int) -> None:
    found = features.spectrogram(noise(size), bins)
    assert found.shape == (1, bins, size // 640)
    assert found.flags.c_contiguous


@given(size=st.integers(400, 3000))
def test_a_filter_bank_takes_whole_frames_only(size: int) -> None:
    found = features.filter_bank(noise(size))
    assert found.shape == (1 + (size - 400) // 160, 80)
    assert np.isfinite(found).all()


def test_silence_has_finite_features() -> None:
    silence = np.zeros(1600, np.float32)
    np.testing.assert_allclose(features.filter_bank(silence), np.log(1.1920929e-07), rtol=1e-6)
    np.testing.assert_allclose(features.spectrogram(silence), 1e-4, rtol=1e-6)


@pytest.mark.parametrize("tail", [0, 4800, 9600])
@pytest.mark.parametrize("size", [48_000, 160_000])
def test_ssl_audio_takes_three_to_ten_seconds_and_a_tail(size: int, tail: int) -> None:
    found = features.ssl_audio(Audio(noise(size), 16_000), tail)
    assert (found.shape, found.dtype) == ((1, size + tail), np.float32)


@pytest.mark.parametrize(
    ("size", "seconds"), [(22_400, "1.4"), (47_999, "2.99994"), (160_001, "10.0001")]
)
def test_a_reference_of_another_length_is_refused_by_name(size: int, seconds: str) -> None:
    sound = Audio(noise(size), 16_000, "hello.wav")
    with pytest.raises(AudioError, match=f"^hello.wav: {seconds} s long; give 3 to 10 s$"):
        features.ssl_audio(sound)


def test_sound_too_short_for_a_frame_is_refused() -> None:
    features.spectrogram(noise(705))
    with pytest.raises(AudioError, match="704 samples at 32 kHz; give more than 704"):
        features.spectrogram(noise(704))
    with pytest.raises(AudioError, match="399 samples at 16 kHz; give at least 400"):
        features.filter_bank(noise(399))
