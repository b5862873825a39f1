"""Phones equal to the reference's, by language, on records that the reference itself got right."""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import pytest

from runtime.errors import BackendMissing, TextError
from runtime.text import phonemize, require
from runtime.text.languages import reader
from runtime.text.symbols import encode, ids_of
from tests import goldens

pytestmark = pytest.mark.golden

Record = dict[str, Any]

KOREAN = 0.99 if find_spec("mecab") else 0.97  # Kiwi cuts some words otherwise
BARS = {"zh": 0.99, "en": 0.98, "ja": 0.99, "ko": KOREAN, "yue": 0.99}


def installed(lang: str) -> None:
    try:
        require(lang)
    except BackendMissing as missing:
        pytest.skip(str(missing))


def japanese_branch() -> str:
    try:
        return f"pyopenjtalk-plus-{version('pyopenjtalk-plus')[:5]}"
    except PackageNotFoundError:
        return "openjtalk-naist"


def records(lang: str, strict: bool) -> list[Record]:
    found = [one for one in goldens.text_records(lang) if ("quirk" not in one) == strict]
    if lang == "ja":
        found = [one for one in found if one["branch"].startswith(japanese_branch())]
    return found or pytest.skip(f"no {lang} goldens")  # type: ignore[return-value]


def share(found: list[Record], right: Callable[[Record], bool], bar: float) -> None:
    wrong = [one["text"] for one in found if not right(one)]
    assert 1 - len(wrong) / len(found) >= bar, wrong


def ids(record: Record) -> list[int]:
    read = reader(record["lang"], record["version"])(record["text"], record["version"], None)
    return list(encode(read.phones, record["version"]))


@pytest.mark.parametrize("lang", BARS)
def test_phone_ids_of_sentences_equal_the_reference(lang: str) -> None:
    installed(lang)
    share(records(lang, strict=True), lambda one: ids(one) == one["ids"], BARS[lang])


@pytest.mark.parametrize("lang", BARS)
def test_normalised_text_equals_the_reference(lang: str) -> None:
    installed(lang)

    def right(record: Record) -> bool:
        read = reader(lang, record["version"])(record["text"], record["version"], None)
        return read.norm_text == record["norm_text"]

    share(records(lang, strict=True), right, 0.95 if lang in ("en", "yue") else 0.99)


@pytest.mark.parametrize("lang", ["zh", "yue"])
def test_phones_per_character_equal_the_reference(lang: str) -> None:
    installed(lang)

    def right(record: Record) -> bool:
        read = reader(lang, record["version"])(record["text"], record["version"], None)
        return read.word2ph == record["word2ph"]

    share(records(lang, strict=True), right, 0.99)


@pytest.mark.parametrize("lang", BARS)
def test_what_the_reference_misreads_has_phones_in_the_table(lang: str) -> None:
    installed(lang)
    for record in records(lang, strict=False):
        assert ids(record), record["text"]


@pytest.mark.parametrize("lang", BARS)
def test_misread_sentences_mostly_get_the_intended_reading(lang: str) -> None:
    installed(lang)
    found = [one for one in records(lang, strict=False) if "alt" in one]
    share(found, lambda one: ids(one) in (one["ids"], one["alt"]["ids"]), 0.9)


def test_polyphones_are_as_good_as_the_plain_path() -> None:
    installed("zh")
    found = goldens.text_records("zh_polyphone") or pytest.skip("no zh_polyphone goldens")

    def right(record: Record) -> bool:
        read = reader("zh", "v2")(record["text"], "v2", None)
        start = sum((read.word2ph or [])[: record["index"]])
        return read.phones[start : start + 2] == record["symbols"]

    share(found, right, 0.85)


def loses_speech(record: Record) -> bool:
    """Whether the reference leaves out letters, or takes money or an address apart."""
    for segment in record["segments"]:
        text, said = segment["text"], segment["norm_text"]
        if any(sign in text for sign in "$€£¥@") or "://" in text:
            return True
        latin = [char for char in text if char.isalpha() and not "\u3000" <= char < "\uff00"]
        if segment["lang"] in ("zh", "en", "yue") and len(latin) > sum(map(str.isalpha, said)):
            return True
    return False


def same_as(record: Record) -> bool:
    try:
        read = phonemize(record["text"], record["lang"], record["version"])
    except TextError:
        return "error" in record
    if "error" in record:
        return False
    other_accents = japanese_branch() not in record["branch"]
    if other_accents and any(segment.lang == "ja" for segment in read.segments):
        expected = [(one["lang"], one["text"]) for one in record["segments"]]
        return [(one.lang, one.text) for one in read.segments] == expected
    return read.ids.tolist() == record["ids"]


def test_mixed_text_in_named_modes_equals_the_reference() -> None:
    for lang in BARS:
        installed(lang)
    found = [
        one
        for one in goldens.text_records("mixed")
        if not one["lang"].startswith("auto") and "quirk" not in one
    ]
    found = found or pytest.skip("no mixed goldens")
    share(found, lambda one: same_as(one) or loses_speech(one), 0.95)


def test_mixed_text_without_a_named_language_is_always_read() -> None:
    for lang in BARS:
        installed(lang)
    for record in goldens.text_records("mixed"):
        if record["lang"].startswith("auto") and record["text"].strip():
            read = phonemize(record["text"], record["lang"])
            assert set(read.phones) <= set(ids_of("v2")), record["text"]
