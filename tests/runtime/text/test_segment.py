import unicodedata
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.text import MODES
from runtime.text.segment import segments
from tests import goldens

MIXED = st.text(
    st.sampled_from("我国語東京あカー한글abÉＡ1２3 .,。！「😀\n") | st.characters(codec="utf-8")
)


def runs_of(text: str, mode: str) -> list[tuple[str, str]]:
    return [(run.lang, run.text) for run in segments(text, mode)]


def labels(runs: list[Any]) -> list[str]:
    return [lang for lang, part in runs for _ in part]


@pytest.mark.golden
def test_languages_are_found_as_the_author_meant_them() -> None:
    records = goldens.text_records("segment") or pytest.skip("no segment goldens")
    right = letters = whole = 0
    for record in records:
        meant, found = labels(record["intended"]), labels(runs_of(record["text"], "auto"))
        at = [i for i, char in enumerate(record["text"]) if unicodedata.category(char)[0] == "L"]
        hits = sum(meant[i] == found[i] for i in at)
        right, letters, whole = right + hits, letters + len(at), whole + (hits == len(at))
    assert right / letters >= 0.98
    assert whole / len(records) >= 0.9


@given(MIXED, st.sampled_from(MODES))
def test_runs_joined_are_the_text_and_neighbours_differ(text: str, mode: str) -> None:
    runs = runs_of(text, mode)
    assert "".join(part for _, part in runs) == text
    assert all(one[0] != two[0] for one, two in pairwise(runs))


@given(MIXED)
def test_named_modes_know_their_language_and_english_only(text: str) -> None:
    assert {lang for lang, _ in runs_of(text, "all_ko")} <= {"ko", "en"}


def test_digits_go_to_the_longer_neighbour_in_named_modes_and_to_the_language_in_all_modes() -> (
    None
):
    assert runs_of("用Python 3.11写", "zh") == [("zh", "用"), ("en", "Python 3.11"), ("zh", "写")]
    assert runs_of("买iPhone 15。", "all_zh") == [("zh", "买"), ("en", "iPhone "), ("zh", "15。")]


def test_decimal_points_end_no_clause() -> None:
    assert runs_of("値は3.14です", "auto") == [("ja", "値は3.14です")]


def test_chinese_of_auto_is_cantonese_in_auto_yue() -> None:
    assert runs_of("早晨hello", "auto_yue") == [("yue", "早晨"), ("en", "hello")]


def test_full_width_latin_stays_with_japanese_and_korean() -> None:
    assert runs_of("ＡＢＣ社の新製品", "auto") == [("ja", "ＡＢＣ社の新製品")]
    assert runs_of("这是ＡＢ测试", "auto")[1] == ("en", "ＡＢ")
