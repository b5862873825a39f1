"""Chinese text to characters that have a reading: numbers, dates, units and signs in words.

Cantonese shares it. The order of the rules matters: each sees what those before it left.
"""

import re
from typing import Any

from runtime.text.imports import once, quietly
from runtime.text.letters import GREEK, greek_name
from runtime.text.tables import table
from runtime.text.width import plain
from runtime.text.zh.identifiers import identifiers
from runtime.text.zh.quantities import numbers, quantities
from runtime.text.zh.rules import Rule, either, written
from runtime.text.zh.times import times

NOT_HAN = re.compile(r"[^\u4e00-\u9fa5!?…,.\-]")
RUNS_OF_MARKS = re.compile(r"([!?…,.\-])[!?…,.\-]+")
NEEDS_WORDS = re.compile(r"[^\u4e00-\u9fa5，。！？、；：,.!?;:…\"'“”‘’ ]")


def sentences(text: str) -> str:
    """Write a whole segment in words; marks are still as they were written."""
    text = simplified(plain(text))
    if NEEDS_WORDS.search(text):
        for pattern, write in _rules():
            text = pattern.sub(write, text)
    return re.sub(r"\s", "", text)


def marks(text: str, punctuation: dict[str, str]) -> str:
    """Replace marks by those of the symbol table; keep Han and marks only."""
    keys = re.compile("|".join(map(re.escape, punctuation)))
    return NOT_HAN.sub("", keys.sub(lambda match: punctuation[match[0]], text))


def normalise(text: str) -> str:
    """Chinese `norm_text`: U+4E00-U+9FA5 and the six marks, no two marks in a row."""
    tables = table("zh")
    words = sentences(text)
    for char, other in tables["char_rewrites_before_filter"].items():
        words = words.replace(char, other)
    return RUNS_OF_MARKS.sub(r"\1", marks(words, tables["punctuation_map"]))


@once
def _converter() -> Any:
    return quietly("opencc").OpenCC("t2s")


def simplified(text: str) -> str:
    """Traditional characters to simplified ones, except where none is in U+4E00-U+9FA5."""
    other = _converter().convert(text)
    if len(other) != len(text):
        return "".join(map(_simplified_character, text))
    return "".join(
        new if "\u4e00" <= new <= "\u9fa5" else old for old, new in zip(text, other, strict=True)
    )


def _simplified_character(char: str) -> str:
    new: str = _converter().convert(char)
    return new if len(new) == 1 and "\u4e00" <= new <= "\u9fa5" else char


@once
def _rules() -> tuple[Rule, ...]:
    return written((*identifiers(), *times(), *quantities(), *numbers(), *_signs()))


def _signs() -> list[tuple[str, Any]]:
    words = dict(table("zh")["late_replacements"])
    return [
        (r"[〇○]", "零"),
        (r"(?<=[\u4e00-\u9fa5])-(?=[\u4e00-\u9fa5])", "，"),
        (r"\^(?=[一二三四五六七八九十零])", "的"),
        (GREEK.pattern, lambda m: greek_name(m[0], "zh")),
        (either(words), lambda m: words[m[0]]),
        (r"[-—《》【】<=>{}()（）#&@“”^_|\\*`•]", ""),
    ]
