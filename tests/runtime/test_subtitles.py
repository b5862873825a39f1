"""Subtitles: exact sentences, estimated words, and files that players read."""

import json
import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.arrays import Samples
from runtime.subtitles import Caption, Timeline, as_json, as_srt, as_vtt, words

RATE = 32_000


@dataclass(frozen=True)
class Chunk:
    samples: Samples
    segment: int
    text: str
    finish_reason: str = ""
    rate: int = RATE


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


def spoken(*parts: tuple[str, float], pause_ms: int = 300) -> Timeline:
    """Each sentence in two chunks, its pause at its end."""
    timeline = Timeline(pause_ms)
    for segment, (text, seconds) in enumerate(parts):
        timeline.add(Chunk(silence(seconds / 2), segment, text))
        timeline.add(Chunk(silence(seconds / 2 + pause_ms / 1000), segment, text, "eos"))
    return timeline


def test_sentences_have_the_time_of_their_samples_without_the_pause() -> None:
    timeline = spoken(("Hello there.", 1.0), ("Goodbye.", 0.5))
    assert [(one.start, one.end) for one in timeline.captions] == [(0, 1.0), (1.3, 1.8)]
    assert timeline.seconds == pytest.approx(2.1)


def test_a_pause_of_its_own_moves_what_follows() -> None:
    timeline = Timeline(0)
    timeline.add(Chunk(silence(2), 0, ""))
    caption = timeline.add(Chunk(silence(1), 1, "Hi.", "eos"))
    assert caption
    assert (caption.start, caption.end) == (2, 3)


def test_words_share_the_time_by_their_length() -> None:
    found = words("I understand 你好。", 0, 10)
    assert [one.word for one in found] == ["I", "understand", "你", "好。"]
    assert found[0].start == 0
    assert found[-1].end == 10
    assert [one.end for one in found[:-1]] == [one.start for one in found[1:]]
    lengths = [one.end - one.start for one in found]
    assert lengths[2] == pytest.approx(lengths[3], abs=0.002)
    assert lengths[0] < lengths[2] < lengths[1]


def test_srt_is_as_players_read_it() -> None:
    timeline = spoken(("Hello --> there.", 1.0), ("再见。", 0.5))
    assert as_srt(timeline.captions) == (
        "1\n00:00:00,000 --> 00:00:01,000\nHello → there.\n\n"
        "2\n00:00:01,300 --> 00:00:01,800\n再见。\n"
    )


def test_vtt_escapes_what_it_would_take_for_tags() -> None:
    found = as_vtt(spoken(("A <b> & c.", 1.0)).captions)
    assert found == "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nA &lt;b&gt; &amp; c.\n"


def test_json_says_that_words_are_estimated() -> None:
    timeline = spoken(("Hi there.", 1.0))
    found = json.loads(as_json(timeline.captions, timeline.seconds))
    assert (found["duration"], found["alignment"]) == (1.3, "estimated")
    (segment,) = found["segments"]
    assert [word["word"] for word in segment["words"]] == ["Hi", "there."]


def cues(srt: str) -> list[tuple[int, int, list[str]]]:
    found = []
    for block in srt.strip().split("\n\n"):
        _, times, *lines = block.split("\n")
        numbers = [int(one) for one in re.findall(r"\d+", times)]
        start, end = (
            ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest
            for hours, minutes, seconds, rest in (numbers[:4], numbers[4:])
        )
        found.append((start, end, lines))
    return found


TEXTS = st.lists(
    st.tuples(
        st.text(st.sampled_from("abc ,.!?你好。，é-><&\n"), min_size=1, max_size=300),
        st.floats(0.01, 30),
    ),
    min_size=1, max_size=5,
)  # fmt: skip


@settings(deadline=None)
@given(parts=TEXTS)
def test_cues_are_short_rise_and_hold_all_words(parts: list[tuple[str, float]]) -> None:
    captions = spoken(*parts).captions
    text = as_srt(captions)
    if not captions:
        assert text == ""
        return
    found = cues(text) if text else []
    assert all(start < end for start, end, _ in found)
    assert all(before[1] <= after[0] for before, after in pairwise(found))
    said = "".join(word.word for one in captions for word in one.words)
    shown = "".join("".join(lines).replace(" ", "") for _, _, lines in found)
    assert shown.replace("→", "-->") == said
    for _, _, lines in found:
        assert 1 <= len(lines) <= 2
        assert not any("-->" in line for line in lines)


def test_a_long_sentence_is_cut_behind_a_clause_into_lines_that_fit() -> None:
    text = (
        "When the sun goes down over the hills, the birds in the old garden fall silent, one"
        " after the other, until nothing is heard any more but the wind in the leaves."
    )
    found = cues(as_srt([Caption(0, 0.0, 9.0, text, words(text, 0, 9))]))
    assert len(found) > 1
    assert found[0][2][-1].endswith(",")
    assert max(len(line) for _, _, lines in found for line in lines) <= 42
