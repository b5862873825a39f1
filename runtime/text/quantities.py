"""Units and money: how their signs are written in the words of each language."""

import re
from typing import Any

from runtime.text.imports import once
from runtime.text.tables import table

NUM = r"[0-9]+(?:[.,][0-9]+)*"
RANGE = rf"{NUM}(?: ?[-~到至] ?{NUM})?"
DEGREES = ("°C", "℃")
MONEY_SIGNS = (
    *("US$", "HK$", "NT$", "A$", "C$", "S$", "$", "€", "£", "¥", "₩", "₽", "₹", "฿", "₫"),
)


def money_word(sign: str, lang: str) -> str:
    """The currency that a sign or code names, in one of zh, ja and ko."""
    return str(table("quantities")["money"][sign][lang])


def english_unit(unit: str) -> tuple[str, str]:
    """The English word for one of a unit and for several."""
    one, many = table("quantities")["units"][unit]["en"]
    return one, many


@once
def unit_pattern(lang: str) -> str:
    """A pattern of the units that have a word in a language, the longest first."""
    units: dict[str, Any] = table("quantities")["units"]
    named = [re.escape(unit) for unit, words in units.items() if lang in words]
    return "|".join(sorted(named, key=len, reverse=True))


@once
def _measured(lang: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z])({RANGE}) ?({unit_pattern(lang)})(?![A-Za-z0-9²³])")


def local_units(text: str, lang: str, between: str = "") -> str:
    """Put words for the units behind numbers, and the numbers where the language wants them.

    Args:
        text: in half-width letters and digits.
        lang: zh, ja or ko.
        between: what stands between a number and the word.
    """

    def write(match: re.Match[str]) -> str:
        word = str(table("quantities")["units"][match[2]][lang])
        space = "" if match[2] in DEGREES else between
        return word.format(match[1]) if "{}" in word else match[1] + space + word

    return _measured(lang).sub(write, text)


def operator_word(sign: str, lang: str) -> str:
    """How an arithmetic sign is said, in one of zh, ja, ko and en."""
    word = str(table("quantities")["operators"][sign.replace("−", "-")][lang])
    return f" {word}" if lang == "ko" else word
