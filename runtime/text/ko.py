"""Korean: text to phones as compatibility jamo, by the sound rules of g2pk2."""

import re

from runtime.text.ko_rules import pronounced
from runtime.text.lexicon import Lexicon
from runtime.text.phonemes import Reading
from runtime.text.symbols import ids_of
from runtime.text.tables import table as read_table

JAMO_AT_END = re.compile("[\u3131-\u3163]$")
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
    for stretch, given in (lexicon or Lexicon("ko")).stretches(text):
        phones += given or (_phones(stretch, table) if stretch else [])
    return Reading(text, phones)


def _phones(text: str, table: str) -> list[str]:
    tables = read_table("ko")
    names = tables["latin_letter_names"]
    spoken = "".join(names.get(char.lower(), char) for char in _half_width(text))
    jamo = pronounced(spoken)
    for vowel, parts in tables["vowel_splits"].items():
        jamo = jamo.replace(vowel, parts)
    jamo = LINKED.sub(r"\1 ㄴ", jamo)
    if JAMO_AT_END.search(jamo):
        jamo += "."
    marks, ids = tables["punctuation_map"], ids_of(table)
    phones = [marks.get(char, char) for char in jamo]
    return [phone if phone in ids else tables["unknown"] for phone in phones]


def _half_width(text: str) -> str:
    return re.sub("[\uff21-\uff3a\uff41-\uff5a]", lambda match: chr(ord(match[0]) - 0xFEE0), text)
