"""Nothing is dropped in silence: what no reader of a mode can say is named."""

import logging

import pytest

from runtime.errors import TextError
from runtime.settings import Settings
from runtime.text import phonemize, pieces, unread
from runtime.text.languages import reader
from runtime.voice import Voice
from tests import bundles, languages

languages.need_all()


@pytest.mark.parametrize(
    ("lang", "text", "message"),
    [
        ("en", "你好", "'你好' cannot be read as en and is left out; --lang zh could"),
        ("en", "hello 你好", "'你好' cannot be read as en and is left out; --lang auto could"),
        (
            "zh",
            "你好ありがとう",
            "'ありがとう' cannot be read as zh and is left out; --lang auto could",
        ),
        ("ko", "漢字 한글", "'漢字' cannot be read as ko and is left out; --lang auto could"),
        ("ja", "你们好", "'们' cannot be read as ja and is left out; --lang auto could"),
        ("auto", "Да", "'Да' cannot be read as auto and is left out; write it in another way"),
    ],
)
def test_characters_that_no_reader_of_the_mode_can_say_are_named(
    lang: str, text: str, message: str
) -> None:
    assert unread(text, lang) == message


@pytest.mark.parametrize(
    ("lang", "text"),
    [
        ("en", "Café α ½ x² 😀"),
        ("zh", "今天5kg，café，〇，①"),
        ("ja", "今日はABC、Ⅳ"),
        ("ko", "한글 abc 5"),
        ("auto", "你好 hello こんにちは 안녕 [pause=5ms]"),
    ],
)
def test_of_text_that_is_read_nothing_is_named(lang: str, text: str) -> None:
    assert unread(text, lang) == ""


@pytest.mark.parametrize(("lang", "text"), [("en", "你好。"), ("zh", "Привет"), ("ko", "漢字")])
def test_text_of_which_only_marks_are_left_is_refused(lang: str, text: str) -> None:
    with pytest.raises(TextError, match="cannot be read as"):
        phonemize(text, lang)
    with pytest.raises(TextError, match="cannot be read as"):
        pieces(text, lang, "cut5", 500)


def test_a_sentence_without_a_reading_does_not_stop_the_others() -> None:
    found = pieces("你好，我们走吧。Hello there, my friend.", "en", "cut5", 500)
    said = "".join(piece.text for piece in found)
    assert said.endswith("Hello there, my friend.")


def test_a_voice_warns_once_for_the_whole_text(caplog: pytest.LogCaptureFixture) -> None:
    voice = Voice.load(bundles.v2(), threads=1)
    with caplog.at_level(logging.WARNING):
        voice.read("Hello 你 there. Good 好 day.", Settings(lang="en"))
    message = [record.getMessage() for record in caplog.records]
    assert message == ["text: '你好' cannot be read as en and is left out; --lang auto could"]


@pytest.mark.parametrize("text", ["噷", "瓧辅", "兙好", "兙瓧", "嗯呣"])
def test_rare_chinese_characters_are_read(text: str) -> None:
    read = phonemize(text, "zh")
    assert "UNK" not in read.phones


def test_every_character_of_the_block_has_two_phones() -> None:
    characters = [chr(code) for code in range(0x4E00, 0x9FA6)]
    read = reader("zh", "v2")
    for start in range(0, len(characters), 250):
        found = read("，".join(characters[start : start + 250]), "v2", None)
        assert "UNK" not in found.phones
