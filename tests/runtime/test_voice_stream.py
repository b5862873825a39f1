"""Streams of a whole voice and of every golden vocoder: joined, cancelled, and side by side."""

import gc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from runtime.acoustic.kind import Streaming
from runtime.acoustic.vits_stream import spoken_chunks
from runtime.acoustic.vocoder import CONTEXT_FRAMES
from runtime.frames import SAMPLES_PER_FRAME
from runtime.settings import Settings
from runtime.t2s.decode import DecodeState
from runtime.voice import AudioChunk, Voice
from tests import bundles, voices
from tests.goldens import Case, sovits_models

TEXT = "The quick fox. "
LONG = "The quick brown fox jumps over the lazy dog, and so on. "
SHORT = Streaming(4, 1.0, 4)
SMALLEST = Streaming(7, 2.0, 20, lookahead_tokens=6, history_tokens=0)
FRAMES = 61


@pytest.fixture(scope="module")
def voice() -> Voice:
    return voices.voice()


@pytest.mark.parametrize("model", sovits_models(), ids=str)
def test_a_frame_is_heard_in_exactly_the_context_around_it(model: Case) -> None:
    acoustic = voices.acoustic(model.model)
    shape = (1, acoustic.latent_width, FRAMES)
    latent = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    latent[..., FRAMES // 2] = np.nan
    samples = acoustic.samples(latent, voices.conditioning(model))
    (touched,) = np.nonzero(np.isnan(samples.reshape(FRAMES, SAMPLES_PER_FRAME)).any(1))
    assert touched[0] == FRAMES // 2 - CONTEXT_FRAMES
    assert touched[-1] == FRAMES // 2 + CONTEXT_FRAMES


@pytest.mark.parametrize("model", sovits_models(), ids=str)
@pytest.mark.parametrize("speed", [1.0, 1.1])
def test_chunks_join_to_the_vocoder_of_all_frames(model: Case, speed: float) -> None:
    acoustic, conditioning = voices.acoustic(model.model), voices.conditioning(model, speed=speed)
    for cut, count in ((Streaming(), 60), (Streaming(1, 1.0, 1), 26), (SMALLEST, 40)):
        tokens = np.random.default_rng(0).integers(0, 1024, count).tolist()
        chunks = list(spoken_chunks(tokens, acoustic, conditioning, cut))
        latent = np.concatenate([chunk.frames for chunk in chunks], -1)
        joined = np.concatenate([chunk.samples for chunk in chunks])
        whole = acoustic.samples(latent, conditioning)
        assert (
            joined.size
            == whole.size
            == acoustic.latent(np.array(tokens), conditioning).shape[-1] * SAMPLES_PER_FRAME
        )
        np.testing.assert_allclose(joined, whole, atol=1e-4)
        assert [int(token) for chunk in chunks for token in chunk.tokens] == tokens


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_stream_of_one_chunk_is_the_reference_s_decode(count: int) -> None:
    for model in sovits_models():
        acoustic, conditioning = voices.acoustic(model.model), voices.conditioning(model)
        tokens = np.random.default_rng(count).integers(0, 1024, count)
        (chunk,) = spoken_chunks(tokens.tolist(), acoustic, conditioning, Streaming())
        np.testing.assert_allclose(chunk.frames, acoustic.latent(tokens, conditioning), atol=1e-5)


def spoken(chunks: list[AudioChunk]) -> tuple[np.ndarray, np.ndarray]:
    """Samples and tokens of all chunks."""
    samples = np.concatenate([chunk.samples for chunk in chunks])
    return samples, np.concatenate([chunk.tokens for chunk in chunks])


@pytest.mark.parametrize("speed", [1.0, 1.3])
def test_a_streamed_text_has_the_tokens_and_the_length_of_the_whole(
    voice: Voice, speed: float
) -> None:
    request = Settings(lang="en", seed=3, speed=speed, pause_ms=120)
    text = TEXT * 2
    chunks = list(voice.stream(text, request))
    whole = list(voice.sentences(text, request))
    samples, tokens = spoken(chunks)
    assert samples.size == voice.synthesize(text, request).samples.size
    assert tokens.tolist() == spoken(whole)[1].tolist()
    assert len(chunks) > len(whole) > 1
    reasons = [(chunk.segment, chunk.finish_reason) for chunk in chunks if chunk.finish_reason]
    assert reasons == [
        (chunk.segment, chunk.finish_reason) for chunk in whole if chunk.finish_reason
    ]
    assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    pause = 120 * voice.rate // 1000
    silent = [not chunk.samples[-pause:].any() for chunk in chunks]
    assert silent == [bool(chunk.finish_reason) or not chunk.tokens.size for chunk in chunks]


@pytest.mark.full
def test_a_text_of_two_thousand_characters_is_streamed(voice: Voice) -> None:
    text = (LONG * 36)[:2000]
    samples, tokens = spoken(list(voice.stream(text, lang="en", seed=1, pause_ms=0)))
    whole = spoken(list(voice.sentences(text, lang="en", seed=1, pause_ms=0)))
    assert samples.size == whole[0].size
    assert tokens.tolist() == whole[1].tolist()


@pytest.mark.full
def test_as_many_tokens_as_two_thousand_characters_have_join_too() -> None:
    model = sovits_models()[0]
    acoustic, conditioning = voices.acoustic(model.model), voices.conditioning(model)
    tokens = np.random.default_rng(0).integers(0, 1024, 3000).tolist()
    chunks = list(spoken_chunks(tokens, acoustic, conditioning, Streaming()))
    latent = np.concatenate([chunk.frames for chunk in chunks], -1)
    joined = np.concatenate([chunk.samples for chunk in chunks])
    assert joined.size == 3000 * 1280
    np.testing.assert_allclose(joined, acoustic.samples(latent, conditioning), atol=1e-4)


def test_settings_of_a_stream_reach_it(voice: Voice) -> None:
    request = Settings(lang="en", seed=3, streaming=Streaming(2, 1.0, 2, 6))
    first, second, *_ = voice.stream(TEXT, request)
    assert first.tokens.size == second.tokens.size == 2


def test_a_stream_waits_as_the_voice_says_where_nothing_is_asked(tmp_path: Path) -> None:
    bundle = bundles.copied(bundles.brief(), tmp_path / "far")
    bundles.change_manifest(bundle, lambda said: said["defaults"].update(lookahead_tokens=24))
    far, near = Voice.load(bundle, threads=1), voices.voice()

    def pcm(voice: Voice, streaming: Streaming) -> bytes:
        return spoken(list(voice.stream(TEXT, lang="en", seed=3, streaming=streaming)))[0].tobytes()

    asked, usual = Streaming(lookahead_tokens=24), Streaming(lookahead_tokens=16)
    assert pcm(far, Streaming()) == pcm(far, asked) == pcm(near, asked) != pcm(near, Streaming())
    assert pcm(far, usual) == pcm(near, usual) == pcm(near, Streaming())


def decode_states() -> list[DecodeState]:
    """Every one that lives."""
    return [thing for thing in gc.get_objects() if type(thing) is DecodeState]


@pytest.mark.parametrize("chunks", [0, 1, 2, 5])
def test_a_stream_given_up_at_any_chunk_frees_its_decode_state(voice: Voice, chunks: int) -> None:
    request = Settings(lang="en", seed=5, streaming=SHORT)
    before = spoken(list(voice.stream(LONG, request)))[0]
    states = decode_states()
    stream = voice.stream(LONG, request)
    for _ in range(chunks):
        next(stream)
    stream.close()
    assert spoken(list(voice.stream(LONG, request)))[0].tobytes() == before.tobytes()
    after = decode_states()
    assert {*map(id, after)} <= {*map(id, states)}, "its state was not there to be used again"


def test_a_stream_that_goes_on_keeps_its_decode_state_to_itself(voice: Voice) -> None:
    request = Settings(lang="en", seed=5, streaming=SHORT)
    alone = spoken(list(voice.stream(TEXT, request)))[0]
    outer = voice.stream(TEXT, request)
    first = next(outer)
    list(voice.stream(TEXT, request, seed=6))
    assert spoken([first, *outer])[0].tobytes() == alone.tobytes()


def test_ten_streams_side_by_side_equal_their_solo_runs(voice: Voice) -> None:
    requests = [
        Settings(lang="en", seed=seed, speed=1 + seed / 10, streaming=Streaming(3 + seed))
        for seed in range(10)
    ]
    texts = [LONG[: 9 + 3 * seed] for seed in range(10)]

    def run(number: int) -> bytes:
        return spoken(list(voice.stream(texts[number], requests[number])))[0].tobytes()

    alone = [run(number) for number in range(10)]
    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(run, range(10))) == alone
    assert len(set(alone)) == 10
