"""Korean: text to phones as compatibility jamo, by the sound rules of g2pk2."""

import re
import unicodedata

from runtime.text.ko.normalise import spelled_out
from runtime.text.ko.rules import pronounced
from runtime.text.lexicon import Lexicon
from runtime.text.phonemes import Reading
from runtime.text.symbols import ids_of
from runtime.text.tables import table as read_table

JAMO_AT_END = re.compile("[\u3131-\u3163]$")
OLD_JAMO = re.compile(
    "[\u1113-\u1160\u1176-\u11a7\u11c3-\u11ff\u3164-\u318e\ua960-\ua97f\ud7b0-\ud7ff]"
)
LINKED = re.compile("(ㅇㅡㄹ|ㄹㅡㄹ) ㄹ")


def read(text: str, table: str, lexicon: Lexicon | None = None) -> Reading:
    """Read one Korean segment.

    Args:
        text: the segment, which is its own `norm_text`.
        table: symbol table, v2.
        lexicon: the user's readings in hangul, put in place of the words.

    Returns:
        Jamo, a symbol for each blank and for each character without a reading; no `word2ph`.
    """
    phones: list[str] = []
    for stretch, given in (lexicon or Lexicon("ko")).stretches(_composed(text)):
        phones += given or (_phones(stretch, table) if stretch else [])
    return Reading(text, phones)


def _phones(text: str, table: str) -> list[str]:
    tables = read_table("ko")
    text = spelled_out(text)
    names = tables["latin_letter_names"]
    spoken = "".join(names.get(char.lower(), char) for char in _half_width(text))
    jamo = pronounced(spoken)
    for letters, parts in tables["splits"].items():
        jamo = jamo.replace(letters, parts)
    jamo = LINKED.sub(r"\1 ㄴ", jamo)
    if JAMO_AT_END.search(jamo):
        jamo += "."
    marks, ids = tables["punctuation_map"], ids_of(table)
    phones = [marks.get(char, char) for char in jamo]
    return [phone if phone in ids else tables["unknown"] for phone in phones]


def _composed(text: str) -> str:
    """Letters put together to syllables; historic ones have no sound and become a sign."""
    return OLD_JAMO.sub("□", unicodedata.normalize("NFC", text))


def _half_width(text: str) -> str:
    return re.sub("[\uff21-\uff3a\uff41-\uff5a]", lambda match: chr(ord(match[0]) - 0xFEE0), text)
