"""Ordinary texts are read as a fluent speaker reads them, through the front door."""

import re
from typing import Any

import pytest

from runtime.errors import BackendMissing
from runtime.text import phonemize, pieces, require
from tests import goldens

pytestmark = pytest.mark.golden

Record = dict[str, Any]

SILENT = {*"!?…,.-", "空", "UNK", "_", "[", "]", "SP", "SP2", "SP3"}
RECORDS = goldens.text_records("readings")


def spoken(text: str, lang: str) -> list[str]:
    """Phones of all pieces, as a listener would hear them, marks between them kept."""
    found = [piece.text for piece in pieces(text, lang, "cut5", 500) if piece.text]
    return [phone for part in found for phone in phonemize(part, lang).phones]


def sounds(phones: list[str]) -> list[str]:
    """Phones without marks; long vowels of Japanese in one way."""
    return [phone for phone in phones if phone not in SILENT]


def words(part: str, lang: str) -> list[str]:
    """Phones of words that need no rule to be read; Latin letters are English."""
    english = lang != "ja" and re.fullmatch(r"[A-Za-z '\-,.0-9]+", part)
    return sounds(list(phonemize(part, "en" if english else lang).phones))


def expected(record: Record) -> list[str]:
    if "said" in record:
        said = record["said"].replace(" / ", "，") if record["lang"] != "en" else record["said"]
        return words(said, record["lang"])
    parts = re.split(" ?/ ?", record["parts"])
    return [phone for part in parts for phone in words(part, record["lang"])]


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: f"{r['kind']}-{r['lang']}-{r['text']}")
def test_text_is_read_as_a_fluent_speaker_reads_it(record: Record) -> None:
    try:
        for lang in ("zh", "en", "ja", "ko", "yue"):
            require(lang)
    except BackendMissing as missing:
        pytest.skip(str(missing))
    got = sounds(spoken(record["text"], record["lang"]))
    if "holds" in record:
        assert f" {record['holds']} " in f" {' '.join(got)} "
    else:
        assert got == expected(record)


def test_no_mark_stands_inside_a_number_or_an_abbreviation() -> None:
    inside = {"B10", "B15", "B16", "B11", "B12"}
    wrong = [
        record["text"]
        for record in RECORDS
        if record["kind"] in inside and "." in spoken(record["text"], record["lang"])[1:-1]
    ]
    assert not wrong
