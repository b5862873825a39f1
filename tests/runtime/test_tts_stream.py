"""The command line's stream: what it writes and which settings reach it."""

from pathlib import Path

import pytest

from runtime import audio, tts
from runtime.acoustic.kind import Streaming
from runtime.errors import SettingError
from runtime.settings import Settings
from runtime.voice import Voice
from tests import bundles, voices

TEXT = "The quick brown fox."
REQUEST = ("--lang", "en", "--seed", "1", "--threads", "1", "--quiet", TEXT)
OTHER = {
    "first_chunk_tokens": 3,
    "chunk_growth": 1.1,
    "largest_chunk_tokens": 12,
    "lookahead_tokens": 7,
    "history_tokens": 9,
}


@pytest.fixture(scope="module")
def voice() -> Voice:
    return voices.voice()


def spoken(*words: str) -> None:
    tts.main(["-m", str(bundles.brief()), *REQUEST, *words])


def streamed(voice: Voice, streaming: Streaming) -> bytes:
    chunks = voice.stream(TEXT, Settings(lang="en", seed=1, streaming=streaming))
    return b"".join(audio.to_pcm(chunk.samples) for chunk in chunks)


def test_raw_output_is_the_stream(voice: Voice, capsysbinary: pytest.CaptureFixture) -> None:
    spoken("--output-raw")
    assert capsysbinary.readouterr().out == streamed(voice, Streaming())


def test_a_file_holds_the_whole_decode_or_on_wish_the_stream(voice: Voice, tmp_path: Path) -> None:
    whole, chunked = tmp_path / "whole.wav", tmp_path / "chunked.wav"
    spoken("-f", str(whole))
    spoken("-f", str(chunked), "--stream")
    assert whole.read_bytes() == voice.synthesize(TEXT, lang="en", seed=1).wav
    assert chunked.read_bytes()[44:] == streamed(voice, Streaming())
    assert whole.read_bytes() != chunked.read_bytes()


@pytest.mark.parametrize("name", OTHER)
def test_every_stream_option_reaches_the_stream(
    voice: Voice, name: str, capsysbinary: pytest.CaptureFixture
) -> None:
    spoken("--output-raw", "--" + name.replace("_", "-"), str(OTHER[name]))
    out = capsysbinary.readouterr().out
    assert out == streamed(voice, Streaming(**{name: OTHER[name]}))
    assert out != streamed(voice, Streaming())


def test_a_stream_option_out_of_range_is_refused(voice: Voice) -> None:
    with pytest.raises(SettingError, match="--lookahead-tokens: 5 is not between 6 and 1500"):
        spoken("--lookahead-tokens", "5")
