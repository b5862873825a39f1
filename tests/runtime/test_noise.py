"""Noise depends on seed and place alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from runtime.noise import exponentials, normals


@given(first=st.integers(0, 60), frames=st.integers(1, 30), seed=st.integers(0, 2**64 - 1))
def test_any_slice_equals_the_whole(first: int, frames: int, seed: int) -> None:
    whole = normals(seed, 3, 0, 90, 192)
    assert np.array_equal(normals(seed, 3, first, frames, 192), whole[..., first : first + frames])


def test_odd_widths_are_sliced_alike() -> None:
    assert np.array_equal(normals(7, 0, 4, 2, 5), normals(7, 0, 0, 9, 5)[..., 4:6])


def test_latent_noise_is_standard_normal() -> None:
    drawn = normals(1, 0, 0, 2000, 192)
    assert drawn.shape == (1, 192, 2000)
    assert abs(drawn.mean()) < 0.005
    assert abs(drawn.std() - 1) < 0.005
    assert abs(np.corrcoef(drawn[0, :96].ravel(), drawn[0, 96:].ravel())[0, 1]) < 0.01


def test_draws_are_exponential_and_never_zero() -> None:
    drawn = np.concatenate([exponentials(5, 0, step, 1025) for step in range(100)])
    assert drawn.min() > 0
    assert abs(drawn.mean() - 1) < 0.02
    assert abs(np.mean(drawn > 1) - np.exp(-1)) < 0.01


def test_seeds_segments_and_steps_differ() -> None:
    places = [(1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1)]
    firsts = {float(exponentials(*place, 8)[0]) for place in places}
    assert len(firsts) == len(places)
