"""Where MeCab has no wheel, Kiwi cuts Korean into words."""

from typing import NamedTuple

import pytest

from runtime.errors import BackendMissing
from runtime.text.ko import tagger
from runtime.text.languages import Language


class Token(NamedTuple):
    start: int
    len: int
    tag: str


class Analyser:
    """Gives what a test wants, as Kiwi does of `나는 했다.`."""

    def tokenize(self, _sentence: str) -> list[Token]:
        return [
            Token(0, 1, "NP"),
            Token(1, 1, "JX"),
            Token(3, 1, "VV-R"),
            Token(3, 1, "EP"),
            Token(4, 1, "EF"),
            Token(5, 0, "JKS"),
            Token(5, 1, "SF"),
        ]


def test_contractions_are_one_word_and_what_is_not_written_is_none() -> None:
    assert tagger.Kiwi(Analyser()).pos("나는 했다.") == [
        ("나", "NP"),
        ("는", "JX"),
        ("했", "VV+EP"),
        ("다", "EF"),
        (".", "SF"),
    ]


def test_of_two_taggers_one_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    korean = Language("Korean", (), "값", ("v2",), ("no_such_tagger", "json"))
    assert korean.missing() == []
    neither = Language("Korean", (), "값", ("v2",), ("no_such_tagger", "nor_this"))
    assert neither.missing() == ["no_such_tagger or nor_this"]
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(BackendMissing, match="no tagger is installed"):
        tagger.tagger()
