"""Time grows with the length of a text, not faster: work is counted, not seconds."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from runtime.text import phonemize, pieces
from tests import languages

languages.need_all()

TEXTS = [
    ("en", "hello world "),
    ("en", "Dr. "),
    ("en", "5"),
    ("en", "abcdefghij"),
    ("en", "a.b."),
    ("zh", "今天5个人，"),
    ("zh", "x=1"),
    ("zh", "1-"),
    ("ja", "今日は5人。"),
    ("ko", "안녕 5개 "),
    ("yue", "$5 "),
    ("auto", "今a5kg"),
    ("auto", "今あ。"),
]


def calls(work: Callable[[], object]) -> int:
    """How many Python functions of ours are entered, comprehensions among them."""
    count = 0

    def watch(frame: FrameType, event: str, _arg: Any) -> None:
        nonlocal count
        count += event == "call" and "/runtime/text/" in frame.f_code.co_filename

    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(("lang", "unit"), TEXTS)
def test_ten_times_the_text_is_ten_times_the_work(lang: str, unit: str) -> None:
    def text(length: int) -> str:
        return unit * (length // len(unit))

    phonemize(text(500), lang)
    short = calls(lambda: phonemize(text(500), lang))
    long = calls(lambda: phonemize(text(2500), lang))
    assert long <= 8 * short + 200  # 25 times, if it went with the square


@pytest.mark.parametrize(("lang", "unit"), [("en", "a.b."), ("en", "abcdefghij"), ("yue", "$5 ")])
def test_ten_times_the_text_is_cut_with_ten_times_the_work(lang: str, unit: str) -> None:
    def work(length: int) -> int:
        return calls(lambda: pieces(unit * (length // len(unit)), lang, "cut5", 100))

    assert work(4000) <= 5 * work(1000) + 200


@pytest.mark.parametrize("length", [41, 250, 1000])
def test_a_word_longer_than_the_limit_is_guessed_a_stretch_at_a_time(length: int) -> None:
    assert len(phonemize("abcdefghij" * (length // 10), "en").phones) >= length // 3
