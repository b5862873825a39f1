"""Frame positions and settings of the acoustic model; its sound is proved by the goldens."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.acoustic.kind import AcousticSettings
from runtime.acoustic.vits import frame_grid
from runtime.errors import SettingError


@pytest.mark.parametrize(
    ("frames", "speed", "count"),
    [(18, 1.2, 15), (24, 0.8, 30), (66, 1.1, 59), (88, 1.1, 80), (34, 0.85, 40), (8, 1.6, 5)],
)
def test_frames_are_counted_in_the_users_decimal(frames: int, speed: float, count: int) -> None:
    assert frame_grid(frames, speed)[0].size == count + 1


def test_speed_one_takes_every_frame_as_it_is() -> None:
    index, fraction = frame_grid(7, 1.0)
    assert index.tolist() == list(range(7))
    assert not fraction.any()


@given(frames=st.integers(2, 400), speed=st.floats(0.25, 4.0))
def test_positions_stay_inside_and_go_forward(frames: int, speed: float) -> None:
    index, fraction = frame_grid(frames, speed)
    assert index.min() >= 0
    assert index.max() < frames
    assert (fraction >= 0).all()
    assert (fraction <= 1).all()
    assert (np.diff(index + fraction.astype(np.float64)) >= 0).all()


@pytest.mark.parametrize("wrong", [{"speed": 0.1}, {"speed": 5.0}, {"noise_scale": -1.0}])
def test_an_acoustic_setting_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingError, match=f"{next(iter(wrong))}: "):
        AcousticSettings(**wrong)
