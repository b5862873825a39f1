"""Chinese: text to normalised text, phones and phones per character."""

import re

from runtime.text.lexicon import PHONES, Lexicon
from runtime.text.phonemes import Reading
from runtime.text.symbols import MARKS, UNKNOWN, known
from runtime.text.tables import table as read_table
from runtime.text.zh.normalise import normalise
from runtime.text.zh.polyphones import Polyphones
from runtime.text.zh.tones import syllables

BARE_SIGN = re.compile("(?<![0-9０-９万亿])￥(?![0-9０-９])")
BARE_CARET = re.compile(r"(?<![0-9A-Za-z)])\^|\^(?![-0-9A-Za-z(])")
AFTER_MARKS = re.compile(rf"(?<=[{re.escape(MARKS)}])")


def read(
    text: str,
    table: str,
    lexicon: Lexicon | None = None,
    polyphones: Polyphones | None = None,
) -> Reading:
    """Read one Chinese segment.

    Args:
        text: the segment; letters, kana and hangul in it have no reading and are dropped.
        table: symbol table.
        lexicon: the user's readings.
        polyphones: chooses readings in context, before tones act on each other.

    Returns:
        `norm_text` of U+4E00-U+9FA5 and the six marks, two phones per character, one per mark.
    """
    pauses = [mark for mark in read_table("zh")["special_symbols"] if mark[0] in text]
    pauses = [mark for mark in pauses if _bare_sign(text, mark[0])]
    for sign, _ in pauses[:1]:
        text = (BARE_SIGN if sign == "￥" else BARE_CARET).sub(",", text)
    norm_text = normalise(text)
    read_as = phones_of(norm_text, table, polyphones)
    for start, end, reading in lexicon.found(norm_text) if lexicon else ():
        pairs = pairs_of(reading, table) or [given(syllable, table) for syllable in reading]
        read_as[start:end] = pairs
    if pauses:
        read_as = [[pauses[0][1]] if phones == [","] else phones for phones in read_as]
    return Reading(norm_text, [p for phones in read_as for p in phones], [*map(len, read_as)])


def phones_of(norm_text: str, table: str, polyphones: Polyphones | None = None) -> list[list[str]]:
    """Phones per character of normalised text."""
    found: list[list[str]] = []
    for sentence in AFTER_MARKS.split(norm_text):
        said = syllables(sentence, table != "v1", polyphones)
        found += [symbols_of(*parts, table) for parts in said]
    return found


def symbols_of(initial: str, final: str, table: str) -> list[str]:
    """Two symbols of a syllable, or the mark itself.

    Args:
        initial: pypinyin's strict initial, empty if there is none.
        final: pypinyin's final with its tone digit.
        table: symbol table.
    """
    if initial == final:
        return [initial if initial in MARKS else UNKNOWN]
    tables = read_table("zh")
    vowels, tone = final[:-1], final[-1]
    if initial:
        key = initial + tables["final_rewrites_with_initial"].get(vowels, vowels)
    elif vowels in tables["final_rewrites_without_initial_whole"]:
        key = tables["final_rewrites_without_initial_whole"][vowels]
    else:
        first = tables["final_rewrites_without_initial_first_letter"]
        key = first.get(vowels[:1], vowels[:1]) + vowels[1:]
    return _with_tone(key, tone, table)


def given(syllable: str, table: str) -> list[str]:
    """Two symbols of a syllable that the user wrote, as `hang2`."""
    return _with_tone(syllable[:-1].replace("ü", "v"), syllable[-1:], table)


def pairs_of(reading: tuple[str, ...], table: str) -> list[list[str]]:
    """Phones of each character if the reading is phone symbols, else nothing."""
    if reading[0] != PHONES:
        return []
    return [known(reading[i : i + 2], table) for i in range(1, len(reading), 2)]


def _with_tone(key: str, tone: str, table: str) -> list[str]:
    first, second = read_table("zh")["pinyin_symbols"].get(key, ("", ""))
    return known((first, second + tone), table)


def _bare_sign(text: str, sign: str) -> bool:
    """Whether a sign stands by itself, not beside a number or in a power."""
    return (BARE_SIGN if sign == "￥" else BARE_CARET).search(text) is not None
