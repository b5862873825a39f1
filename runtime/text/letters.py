"""Letters that are plain letters in another dress, and Greek letters by their names."""

import re
import unicodedata
from functools import cache

from runtime.text.tables import table

GREEK = re.compile("[µ\u0370-\u03ff\u1d5d-\u1d61\u1d66-\u1d6a\u1dbf\u1f00-\u1fffℼ-ℿ𝚨-𝟋]")
FORMULAS = "ⁿ"  # letters that rules for formulas read
NAMED = re.compile("LATIN (?:CAPITAL|SMALL) (?:LETTER|LIGATURE) ([A-Z]{1,2})(?: WITH .*| DIGRAPH)?")


@cache
def latinised(char: str) -> str:
    """The letters a to z that a Latin letter stands for, in its case; empty for other characters.

    `é` is e, `ł` is l, `æ` is ae; letters of other widths and mathematical styles are themselves.
    """
    if not char.isalpha() or char.isascii() or char in FORMULAS:
        return char if char.isascii() and char.isalpha() else ""
    special: dict[str, str] = table("letters")["latin"]
    parts = special.get(char.lower()) or unicodedata.normalize("NFKD", char)
    plain = "".join(special.get(one.lower(), one) for one in parts if one.isalpha())
    if plain.isascii():
        return plain.upper() if char.isupper() else plain
    match = NAMED.fullmatch(unicodedata.name(char, ""))
    if not match:
        return ""
    return match[1] if char.isupper() else match[1].lower()


@cache
def greek_name(char: str, lang: str) -> str:
    """The name of a Greek letter, with accents or without, in en, ja, ko or zh; else empty."""
    base = unicodedata.normalize("NFKD", char)[0].lower().replace("ς", "σ")
    names = table("letters")["greek"].get(base)
    return names[lang] if names else ""


def greek_spelled(text: str, lang: str) -> str:
    """The text with each Greek letter as its name."""
    return GREEK.sub(lambda match: greek_name(match[0], lang) or match[0], text)
