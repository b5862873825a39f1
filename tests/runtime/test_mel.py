"""The mel of a reference and the grid of mel frames, against the goldens of v3 and v4."""

import numpy as np
import pytest

from runtime.acoustic.mel import denormalised, mel_grid, normalised
from runtime.audio import Audio, resample_sinc
from runtime.contract import MELS
from runtime.errors import AudioError
from runtime.reference.features import normalised_32k, spectrogram
from runtime.reference.prompt_mel import log_mel, prompt_mel, slaney_filters
from tests.goldens import Case, flow_matching_case, flow_matching_cases
from tests.models.files import mel_frames


@pytest.mark.golden
@pytest.mark.parametrize("case", flow_matching_cases("frontend"), ids=str)
def test_the_prompts_mel_equals_the_reference(case: Case) -> None:
    frames = mel_frames(case.facts["family"])
    audio = Audio(case["audio"], int(case["audio_sr"]))
    np.testing.assert_allclose(log_mel(audio, frames), case["mel_log"], atol=1e-4, rtol=0)
    np.testing.assert_allclose(prompt_mel(audio, frames), case["mel_norm"], atol=1e-4, rtol=0)
    at_32k = normalised_32k(audio)
    np.testing.assert_allclose(at_32k, case["audio_32k"], atol=1e-4, rtol=0)
    np.testing.assert_allclose(spectrogram(at_32k), case["spec"], atol=1e-4, rtol=0)
    loud = spectrogram(normalised_32k(Audio(case["audio_loud"], 32_000)))
    np.testing.assert_allclose(loud, case["spec_loud"], atol=1e-4, rtol=0)


@pytest.mark.golden
def test_the_prompts_rate_changes_as_in_the_reference() -> None:
    if (case := flow_matching_case("resample")) is None:
        pytest.skip("this set holds no resampled sound")
    for array in [name for name in case.facts["arrays"] if name.startswith("in_")]:
        rates = [int(rate) for rate in array.split("_")[1:]]
        wanted = case[array.replace("in_", "out_")]
        np.testing.assert_allclose(resample_sinc(case[array], *rates), wanted, atol=1e-4, rtol=0)


def test_filters_have_equal_area_and_no_gaps() -> None:
    for frames in map(mel_frames, ("v3", "v4")):
        filters = slaney_filters(frames.prompt_hz, frames.fft)
        assert filters.shape == (MELS, frames.fft // 2 + 1)
        assert (filters.sum(axis=1) > 0).all()
        areas = filters[20:].sum(axis=1) * frames.prompt_hz / frames.fft  # wide ones alone
        np.testing.assert_allclose(areas, 1, atol=0.2)


def test_a_mel_comes_back_from_the_models_units() -> None:
    mel = np.linspace(-14, 4, 50, dtype=np.float32)
    np.testing.assert_allclose(denormalised(normalised(mel)), mel, atol=1e-5)
    np.testing.assert_allclose(normalised(np.array([-12, 2], np.float32)), [-1, 1])


@pytest.mark.parametrize(("family", "frames"), [("v3", 862), ("v4", 920)])
def test_every_mel_frame_reads_a_frame_that_is_there(family: str, frames: int) -> None:
    assert mel_grid(230, 1.0, mel_frames(family)).index.size == frames
    for tokens in (1, 2, 3, 7, 230):
        for speed in (0.25, 0.8, 1.0, 1.3, 4.0):
            grid = mel_grid(tokens, speed, mel_frames(family))
            assert grid.index.size == grid.fraction.size == grid.mask.size > 0
            assert 0 <= grid.index.min() <= grid.index.max() < 2 * tokens
            assert (np.diff(grid.index) >= 0).all()
            assert grid.mask[0, 0, :-1].all()  # a last frame alone can be left empty
            assert speed != 1 or grid.mask.all()


def test_a_prompt_too_short_to_mirror_is_refused() -> None:
    with pytest.raises(AudioError, match="300 samples at 24 kHz; give more than 384"):
        prompt_mel(Audio(np.zeros(300, np.float32), 24_000), mel_frames("v3"))
