"""Cantonese: text to normalised text, phones and phones per character."""

import re
from functools import cache

from runtime.text.imports import quietly
from runtime.text.lexicon import Lexicon
from runtime.text.phonemes import Reading
from runtime.text.symbols import MARKS, UNKNOWN, known
from runtime.text.tables import table as read_table
from runtime.text.width import plain
from runtime.text.zh import pairs_of
from runtime.text.zh.normalise import marks, sentences

NUM = r"[0-9]+(?:\.[0-9]+)?[十百千万萬亿億]*"
MONEY = re.compile(rf"(?<![A-Za-z])[$¥] ?({NUM})(?![-~0-9kKmMbB])(?:蚊|元)?|({NUM}) ?[$¥]")


def read(text: str, table: str, lexicon: Lexicon | None = None) -> Reading:
    """Read one Cantonese segment.

    Args:
        text: the segment, traditional or simplified; letters in it are dropped.
        table: symbol table, v2.
        lexicon: the user's readings in jyutping.

    Returns:
        Simplified `norm_text`, two phones per character, one per mark.
    """
    text = MONEY.sub(lambda match: f"{match[1] or match[2]}蚊", plain(text))
    norm_text = marks(sentences(text), read_table("yue")["punctuation_map"])
    read_as = [symbols_of(char, said, table) for char, said in _jyutping(norm_text)]
    for start, end, reading in lexicon.found(norm_text) if lexicon else ():
        pairs = pairs_of(reading, table) or [symbols_of("", one, table) for one in reading]
        read_as[start:end] = pairs
    return Reading(norm_text, [p for phones in read_as for p in phones], [*map(len, read_as)])


def _jyutping(text: str) -> list[tuple[str, str | None]]:
    return [
        (char, (said or "").split(" ")[0] or None)
        for char, said in quietly("ToJyutping").get_jyutping_list(text)
    ]


def symbols_of(char: str, said: str | None, table: str) -> list[str]:
    """Two symbols of a syllable, or the mark itself.

    Args:
        char: the character or mark.
        said: jyutping with its tone digit; None if there is none.
        table: symbol table.
    """
    if said is None:
        return [char if char in MARKS else UNKNOWN]
    body, tone = said[:-1], said[-1]
    initial, rest = _parts(body)
    return known((f"Y{initial}", f"Y{rest}{tone}"), table)


@cache
def _parts(body: str) -> tuple[str, str]:
    """Initial and rest of a syllable without its tone."""
    initial = next(
        one for one in read_table("yue")["initials_in_match_order"] if body.startswith(one)
    )
    return initial, body[len(initial) :] or initial[-1]
