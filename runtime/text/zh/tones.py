"""Tones in context: how a Chinese syllable changes next to others."""

import re

from runtime.text.imports import once
from runtime.text.tables import table
from runtime.text.zh.polyphones import Polyphones
from runtime.text.zh.words import Word, halves, parts_of, words

NUMERAL = "几有两半多各整每做是"
PARTICLES = "吧呢哈啊呐噻嘛吖嗨哦哒额滴哩哟喽啰耶喔诶"
DIRECTIONS = "上下进出回过起开"


@once
def _words(name: str) -> frozenset[str]:
    return frozenset(table("zh")[name])


def syllables(
    sentence: str, erhua: bool, polyphones: Polyphones | None = None
) -> list[tuple[str, str]]:
    """Initial and final with tone of each character; a mark is both.

    Args:
        sentence: normalised text up to a mark.
        erhua: merge 儿 into the tone before it (v2 family).
        polyphones: chooses readings in context; None leaves all to the library.
    """
    sentence = re.sub("[A-Za-z]", "", sentence)
    said = polyphones.readings(sentence) if polyphones else []
    found: list[tuple[str, str]] = []
    for word in words(sentence):
        initials, finals = word.initials(), word.finals()
        if polyphones:
            here = said[len(found) : len(found) + len(word.text)]
            for i, reading in enumerate(polyphones.of_word(word.text, here)):
                if reading:
                    initials[i], finals[i] = parts_of(reading)
        for sandhi in (bu, yi, neutral, third):
            finals = sandhi(word, finals)
        if erhua:
            finals = with_er(word, finals)
        found += zip(initials, finals, strict=True)
    return found


def toned(final: str, tone: str) -> str:
    """The final with another tone."""
    return final[:-1] + tone


def bu(word: Word, finals: list[str]) -> list[str]:
    """不 is neutral between two characters, and second tone before a fourth."""
    finals = [*finals]
    if len(word.text) == 3 and word.text[1] == "不":
        finals[1] = toned(finals[1], "5")
        return finals
    for i, char in enumerate(word.text[:-1]):
        if char == "不" and finals[i + 1].endswith("4"):
            finals[i] = toned(finals[i], "2")
    return finals


def yi(word: Word, finals: list[str]) -> list[str]:
    """一 keeps its tone in numbers and ordinals, else follows the next syllable."""
    text, finals = word.text, [*finals]
    if "一" not in text or all(char.isnumeric() for char in text):
        return finals
    if len(text) == 3 and text[1] == "一" and text[0] == text[2]:
        finals[1] = toned(finals[1], "5")
    elif text.startswith("第一"):
        finals[1] = toned(finals[1], "1")
    else:
        for i, char in enumerate(text[:-1]):
            if char == "一" and finals[i + 1].endswith("4"):
                finals[i] = toned(finals[i], "2")
            elif char == "一" and text[i + 1] not in "!?…,.-":
                finals[i] = toned(finals[i], "4")
    return finals


def neutral(word: Word, finals: list[str]) -> list[str]:
    """Light syllables: repeated characters, particles, suffixes and listed words."""
    text, finals = word.text, [*finals]
    if word.tag[:1] in ("n", "v", "a") and text not in _words("not_neutral_tone_words"):
        for i in range(1, len(text)):
            if text[i] == text[i - 1]:
                finals[i] = toned(finals[i], "5")
    light = _light(word)
    if light is not None:
        finals[light] = toned(finals[light], "5")
    listed = _words("neutral_tone_words")
    end = 0
    for part in halves(text):
        end += len(part)
        if part and (part in listed or part[-2:] in listed):
            finals[end - 1] = toned(finals[end - 1], "5")
    return finals


def _light(word: Word) -> int | None:
    """Index of the one syllable that particles, suffixes, 个 or the list make light."""
    text, last = word.text, len(word.text) - 1
    if _light_ending(word):
        return last
    ge = text.find("个")
    if text == "个" or (ge > 0 and (text[ge - 1].isnumeric() or text[ge - 1] in NUMERAL)):
        return ge
    listed = _words("neutral_tone_words")
    return last if text in listed or text[-2:] in listed else None


def _light_ending(word: Word) -> bool:
    text, tag, end = word.text, word.tag, word.text[-1]
    if end in PARTICLES or end in "的地得":
        return True
    if len(text) == 1:
        return text in "了着过" and tag in ("ul", "uz", "ug")
    if end in "们子":
        return tag in ("r", "n") and text not in _words("not_neutral_tone_words")
    if end in "上下里":
        return tag in ("s", "l", "f")
    return end in "来去" and text[-2] in DIRECTIONS


def third(word: Word, finals: list[str]) -> list[str]:
    """A third tone before another becomes the second."""
    finals = [*finals]
    if len(finals) == 2 and _all_third(finals):
        finals[0] = toned(finals[0], "2")
    elif len(finals) == 3:
        _third_of_three(finals, len(halves(word.text)[0]))
    elif len(finals) == 4:
        for i in (0, 2):
            if _all_third(finals[i : i + 2]):
                finals[i] = toned(finals[i], "2")
    return finals


def _third_of_three(finals: list[str], cut: int) -> None:
    """Change three finals in place; `cut` is where the word falls in two."""
    if _all_third(finals):
        finals[1] = toned(finals[1], "2")
        if cut == 2:
            finals[0] = toned(finals[0], "2")
        return
    start = 0
    for part in (finals[:cut], finals[cut:]):
        if len(part) == 2 and _all_third(part):
            finals[start] = toned(finals[start], "2")
        elif start and part and not _all_third(part) and _all_third([part[0], finals[start - 1]]):
            finals[start - 1] = toned(finals[start - 1], "2")
        start += len(part)


def _all_third(finals: list[str]) -> bool:
    return all(final.endswith("3") for final in finals)


def with_er(word: Word, finals: list[str]) -> list[str]:
    """儿 as a suffix takes the tone of the syllable before it."""
    text, finals = word.text, [*finals]
    if text[-1] != "儿" or len(finals) != len(text):
        return finals
    if finals[-1] == "er1":
        finals[-1] = "er2"
    never = _words("erhua_never")
    if text not in _words("erhua_always") and (text in never or word.tag in ("a", "j", "nr")):
        return finals
    if finals[-1] in ("er2", "er5") and text[-2:] not in never and len(finals) > 1:
        finals[-1] = f"er{finals[-2][-1]}"
    return finals
