"""Whatever the windows: every sample is that of one call over the whole, and lengths are few."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.acoustic.vocoder import CONTEXT_FRAMES, MelVocoder, Vocoder, calls
from runtime.backends import BACKENDS, Threads, Windows
from runtime.contract import GRAPHS, MELS
from runtime.frames import SAMPLES_PER_FRAME
from tests import flow_voice as flow
from tests.models.files import mel_frames
from tests.tiny_voice import tiny_bundle

ROWS = [windows for row in BACKENDS.values() for windows in row.windows]
SHORT = 2 * CONTEXT_FRAMES  # sound of fewer frames has both of its edges in every frame's context
STYLE = np.zeros((1, 1, 1), np.float32)


class Edged:
    """Every frame's samples depend on CONTEXT_FRAMES to each side, and on how near the edges are.

    Attributes:
        lengths: of all calls.
    """

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        latent = inputs["latent"][0, 0]
        self.lengths.append(latent.size)
        kernel = np.arange(1, 2 * CONTEXT_FRAMES + 2)
        first = np.convolve(latent + 1, kernel)  # the 1, as a bias, makes an edge unlike zeros
        held = first[CONTEXT_FRAMES : CONTEXT_FRAMES + latent.size]
        return [np.repeat(held, SAMPLES_PER_FRAME)[None]]

    def input_dim(self, name: str, axis: int) -> int:
        return 1


def latent_of(frames: int) -> NDArray[np.float32]:
    # whole numbers: sums are exact in any order
    drawn = np.random.default_rng(frames).integers(-99, 99, (1, 1, frames))
    return drawn.astype(np.float32)


@settings(deadline=None, max_examples=300)
@given(frames=st.integers(1, 700), windows=st.sampled_from(ROWS), data=st.data())
def test_any_part_of_the_sound_is_that_of_the_whole(
    frames: int, windows: Windows, data: st.DataObject
) -> None:
    begin = data.draw(st.integers(0, frames - 1))
    end = data.draw(st.integers(begin + 1, frames))
    latent, graph = latent_of(frames), Edged()
    (whole,) = Edged().run({"latent": latent})
    found = Vocoder(graph, windows).samples(latent, STYLE, range(begin, end))
    wanted = whole[0, begin * SAMPLES_PER_FRAME : end * SAMPLES_PER_FRAME]
    np.testing.assert_array_equal(found, wanted)
    if windows.fixed:
        assert {size for size in graph.lengths if size >= SHORT} <= set(windows.sizes)
    elif windows.sizes:
        assert max(graph.lengths) <= windows.sizes[-1]


@pytest.mark.parametrize("windows", [row for row in ROWS if row.fixed], ids=str)
def test_fixed_windows_waste_little_on_long_sound(windows: Windows) -> None:
    computed = sum(call.size for call in calls(1000, range(1000), windows, CONTEXT_FRAMES))
    useful = windows.sizes[-1] - 2 * CONTEXT_FRAMES
    assert computed <= 1000 * windows.sizes[-1] / useful + windows.sizes[-1]


@pytest.mark.golden
@pytest.mark.parametrize("family", ["v3", "v4"])
@pytest.mark.parametrize("windows", [row for row in ROWS if row.sizes], ids=str)
def test_a_vocoder_of_mel_frames_sounds_in_windows_as_it_does_whole(
    family: str, windows: Windows
) -> None:
    graph, frames = BACKENDS["cpu"].open_graph(flow.vocoder(family), Threads(1)), mel_frames(family)
    whole, cut = MelVocoder(graph, Windows(), frames), MelVocoder(graph, windows, frames)
    mel = np.random.default_rng(0).standard_normal((1, MELS, 900)).astype(np.float32)
    wanted = range(100, 700)
    found = cut.samples(mel, wanted)
    scale = frames.samples_per_frame
    np.testing.assert_allclose(found, whole.samples(mel)[100 * scale : 700 * scale], atol=2e-6)
    useful = [size - 2 * frames.context_frames for size in cut.windows.sizes]
    assert min(useful) > 0
    assert max(useful) * 5 > 3 * cut.windows.sizes[-1]  # at most two fifths are computed twice


def test_the_first_chunk_of_a_stream_has_the_smallest_window() -> None:
    for windows in (row for row in ROWS if row.fixed and not row.warmed):
        (call,) = calls(31, range(20), windows, CONTEXT_FRAMES)
        assert call.size == windows.sizes[0] <= 36


def test_lengths_that_are_warmed_at_load_are_the_only_ones_that_come() -> None:
    for windows in (row for row in ROWS if row.warmed):
        (size,) = windows.sizes
        graph = Edged()
        vocoder = Vocoder(graph, windows)
        assert graph.lengths == [size]
        for frames in (SHORT, 40, 77, 122, 300, 41):
            vocoder.samples(latent_of(frames), STYLE)
        assert set(graph.lengths) == {size}


def test_a_back_end_that_compiles_each_length_has_fixed_windows() -> None:
    for row in BACKENDS.values():
        if row.compiles:
            assert all(windows.fixed for windows in row.windows)
            assert all(GRAPHS[graph].few_lengths for graph in row.takes)


@pytest.mark.golden
@pytest.mark.parametrize("windows", [Windows((64,)), Windows((32, 66), fixed=True)], ids=str)
def test_a_vocoder_in_windows_sounds_as_it_does_whole(windows: Windows) -> None:
    graph = BACKENDS["cpu"].open_graph(tiny_bundle() / "vocoder.onnx", Threads(1))
    generator = np.random.default_rng(0)
    style = generator.standard_normal((1, graph.input_dim("style", 1), 1)).astype(np.float32)
    width = graph.input_dim("latent", 1)
    for frames in (22, 40, 66, 67, 131, 200):
        latent = generator.standard_normal((1, width, frames)).astype(np.float32)
        whole = Vocoder(graph).samples(latent, style)
        found = Vocoder(graph, windows).samples(latent, style)
        np.testing.assert_allclose(found, whole, atol=1e-6, rtol=0)
