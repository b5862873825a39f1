"""A stream is the whole decode in chunks, wherever models look no farther than its lookahead."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.acoustic.kind import SpokenChunk, Streaming
from runtime.acoustic.vits_stream import BLEND_FRAMES, spoken_chunks
from runtime.acoustic.vocoder import CONTEXT_FRAMES
from runtime.errors import SettingError
from runtime.frames import SAMPLES_PER_FRAME, frame_count
from runtime.model_settings import MODEL_SETTINGS
from tests.runtime.local_models import REACH, local_acoustic, local_conditioning

# tokens that hold what is frozen and what is blended, the prior's reach, and one frame to read to
ENOUGH = math.ceil((CONTEXT_FRAMES + BLEND_FRAMES + REACH + 1) / 2)
SPEED = st.one_of(st.just(1.0), st.sampled_from([0.8, 1.1, 1.2, 2.0]), st.floats(0.25, 4))
STREAMINGS = st.builds(
    Streaming,
    first_chunk_tokens=st.integers(1, 30),
    chunk_growth=st.floats(1, 3),
    largest_chunk_tokens=st.integers(1, 60),
    lookahead_tokens=st.integers(ENOUGH, 40),
    history_tokens=st.integers(0, 60),
)


def drawn(count: int, seed: int = 0) -> list[int]:
    return [int(token) for token in np.random.default_rng(seed).integers(0, 1024, count)]


def joined(chunks: list[SpokenChunk]) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Samples, latent frames and tokens of all chunks."""
    samples = np.concatenate([chunk.samples for chunk in chunks])
    latent = np.concatenate([chunk.frames for chunk in chunks], -1)
    return samples, latent, [int(token) for chunk in chunks for token in chunk.tokens]


@settings(deadline=None, max_examples=200)
@given(count=st.integers(1, 200), seed=st.integers(0, 2**63), speed=SPEED, cut=STREAMINGS)
def test_a_stream_equals_the_whole_decode(
    count: int, seed: int, speed: float, cut: Streaming
) -> None:
    acoustic, _, _ = local_acoustic()
    conditioning, tokens = local_conditioning(seed, speed), drawn(count)
    chunks = list(spoken_chunks(tokens, acoustic, conditioning, cut))
    samples, latent, spoken = joined(chunks)
    whole = acoustic.latent(np.array(tokens), conditioning)
    assert spoken == tokens
    assert latent.shape == whole.shape
    np.testing.assert_allclose(latent, whole, atol=1e-4)
    sound = acoustic.samples(whole, conditioning)
    assert samples.size == sound.size, f"{sound.size - samples.size} samples lost"
    np.testing.assert_allclose(samples, sound, atol=1e-4)
    assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert all(chunk.samples.size and chunk.tokens.size for chunk in chunks)


@settings(deadline=None, max_examples=60)
@given(
    count=st.integers(1, 120),
    speed=SPEED,
    first=st.integers(1, 12),
    ahead=st.integers(*map(int, (MODEL_SETTINGS["lookahead_tokens"].low, 20))),
)
def test_chunks_join_even_where_the_prior_looks_farther_than_the_lookahead(
    count: int, speed: float, first: int, ahead: int
) -> None:
    acoustic, _, _ = local_acoustic()
    conditioning = local_conditioning(speed=speed)
    cut = Streaming(first, 1.0, first, ahead, 0)
    samples, latent, spoken = joined(list(spoken_chunks(drawn(count), acoustic, conditioning, cut)))
    assert spoken == drawn(count)
    assert samples.size == SAMPLES_PER_FRAME * frame_count(2 * count, speed)
    np.testing.assert_allclose(samples, acoustic.samples(latent, conditioning), atol=1e-4)


def test_the_proof_of_seams_fails_for_a_vocoder_that_sees_one_frame_more() -> None:
    acoustic, _, _ = local_acoustic(CONTEXT_FRAMES + 1)
    conditioning = local_conditioning()
    samples, latent, _ = joined(list(spoken_chunks(drawn(60), acoustic, conditioning, Streaming())))
    assert np.abs(samples - acoustic.samples(latent, conditioning)).max() > 1e-3


def test_the_proof_of_the_whole_fails_without_lookahead_enough() -> None:
    acoustic, _, _ = local_acoustic()
    conditioning, tokens = local_conditioning(), drawn(60)
    cut = Streaming(lookahead_tokens=6, history_tokens=0)
    _, latent, _ = joined(list(spoken_chunks(tokens, acoustic, conditioning, cut)))
    assert np.abs(latent - acoustic.latent(np.array(tokens), conditioning)).max() > 1e-2


def test_a_chunk_is_made_as_soon_as_its_tokens_and_its_lookahead_are_there() -> None:
    acoustic, _, _ = local_acoustic()
    asked = 0

    def counted() -> Iterator[int]:
        nonlocal asked
        for token in drawn(300):
            asked += 1
            yield token

    stream = spoken_chunks(counted(), acoustic, local_conditioning(), Streaming())
    taken = [(chunk.tokens.size, asked) for chunk in itertools.islice(stream, 6)]
    sizes = [10, 15, 22, 33, 50, 50]
    assert taken == [(size, 16 + sum(sizes[: i + 1])) for i, size in enumerate(sizes)]


def test_no_call_grows_with_the_length_of_the_utterance() -> None:
    acoustic, prior, vocoder = local_acoustic()
    cut = Streaming(lookahead_tokens=16)
    endless = itertools.cycle(drawn(97))
    stream = spoken_chunks(endless, acoustic, local_conditioning(), cut)
    spoken = sum(chunk.tokens.size for chunk in itertools.islice(stream, 400))
    assert spoken > 19_000
    seen = cut.history_tokens + cut.largest_chunk_tokens + cut.lookahead_tokens
    assert prior.most_tokens == seen
    assert vocoder.most_frames == 2 * cut.largest_chunk_tokens + 2 * CONTEXT_FRAMES


def test_frames_are_blended_over_the_same_time_behind_what_was_heard() -> None:
    class Counting:
        """Each call's frames are the number of the call."""

        calls = -1

        def run(self, inputs: dict) -> list[np.ndarray]:
            self.calls += 1
            return [np.full(inputs["noise"].shape, self.calls, np.float32)]

        def input_dim(self, name: str, axis: int) -> int:
            return 2

    acoustic, _, vocoder = local_acoustic()
    acoustic = type(acoustic)(Counting(), vocoder)
    cut = Streaming(10, 1.0, 10)
    _, latent, _ = joined(list(spoken_chunks(drawn(60), acoustic, local_conditioning(), cut)))
    seam = 20 + CONTEXT_FRAMES
    assert BLEND_FRAMES == 4
    assert latent[0, 0, :seam].tolist() == [0] * seam
    np.testing.assert_allclose(latent[0, 0, seam : seam + 5], [0.2, 0.4, 0.6, 0.8, 1], atol=1e-6)


def test_no_tokens_make_no_chunk() -> None:
    assert not list(spoken_chunks([], local_acoustic()[0], local_conditioning(), Streaming()))


@pytest.mark.parametrize("name", [known.name for known in fields(Streaming)])
def test_a_stream_setting_out_of_range_is_refused(name: str) -> None:
    low, high = MODEL_SETTINGS[name].low, MODEL_SETTINGS[name].high
    for value in (low - 1, high + 1):
        with pytest.raises(SettingError, match=f"{name}: {value} is not between {low:g} and"):
            Streaming(**{name: value})
    assert getattr(Streaming(**{name: low}), name) == low
