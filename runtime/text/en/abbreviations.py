"""Titles, abbreviations, Roman numerals and shouted words in English."""

import re
from collections.abc import Callable

from runtime.text.en.numbers import cardinal, ordinal
from runtime.text.en.rules import Family, Spelling, either, not_lettered
from runtime.text.expressions import roman
from runtime.text.tables import table

NUMERAL = r"(?:X{0,3})(?:IX|IV|V?I{0,3})"
CAPITALS = "[IVXLCDM]"
LARGE = r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
CAPITAL = r"(?=\s+[A-Z])"


def capitals() -> list[Spelling]:
    """A sentence that is all in capitals is words, not letters."""
    return [(r"(?<![^\s])[A-Z][A-Z' ,!\-]*[ ][A-Z' ,!\-]*(?:[.!?]|$)(?![a-z])", _unshouted)]


def abbreviations() -> list[Family]:
    """Rules for titles, other abbreviations and Roman numerals, in order."""
    tables = table("en")
    titles = either((*tables["titles"], "Dr", "St", "Jr", "Sr", "COVID", "vs", "Ph"))
    ended, days = either((*tables["abbreviations"], "v")), either(tables["days"])
    counted = either((*tables["before_numbers"], *tables["months"]))
    return [
        Family.of(r"[0-9] ?[AaPp][Mm]|[AaPp]\.[Mm]", _times_of_day()),
        Family.of(rf" {CAPITALS}+\b", _numerals()),
        Family.of(rf"\b{titles}\b", _titles()),
        Family.of(
            rf"COVID|[A-Z]\. ?[A-Z]|[0-9] {counted}"
            rf"|\b(?:vs?\b|{ended}\.|{days}\.? ?[-–]|{counted}\.?\s*[0-9]|et al|Rs)",
            _others(),
        ),
    ]


def _times_of_day() -> list[Spelling]:
    return [
        (r"(?<=[0-9]) ?([AaPp])\.[Mm]\.?(?=\s+[a-z0-9(]|\s?[-–,;:!?)])", _half),
        (r"(?<=[0-9]) ?([AaPp])\.[Mm]\.(?=\s+[A-Z]|\s*$)", lambda m: f"{_half(m)}."),
        (r"(?<=[0-9]) ?([AaPp])[Mm]\b", _half),
        (r"\b([AaPp])\.[Mm]\.(?=\s+[a-z0-9(]|[,;:!?)])", _half),
        (r"\b([AaPp])\.[Mm]\.(?=\s|$)", lambda m: f"{_half(m)}."),
    ]


def _half(match: re.Match[str]) -> str:
    return f" {match[1].upper()} M"


def _numerals() -> list[Spelling]:
    tables = table("en")
    counted, reigns = either(tables["counted_by_numerals"]), either(tables["reigning_names"])
    return [
        (
            rf"\b((?i:{counted})s?) ({LARGE})\b(?!')",
            lambda m: f"{m[1]} {_value(m, cardinal)}",
        ),
        (rf"\b({reigns}) ({NUMERAL})\b(?!')", lambda m: f"{m[1]} {_reign(m)}"),
        (rf"\b((?:King|Queen|Pope|Emperor|Tsar|Czar) [A-Z]\w+) ({NUMERAL})\b", _ruler),
        (rf"\b(the) ({NUMERAL})(?= [Cc]entur)", lambda m: f"{m[1]} {_value(m, ordinal)}"),
        (rf"(?<=[A-Za-z]) (?=[IVX]{{2}})({NUMERAL})\b(?!\.?[A-Z])", _bare),
    ]


def _value(match: re.Match[str], say: Callable[[str], str], group: int = 2) -> str:
    return say(str(roman(match[group]))) if match[group] else match[group]


def _reign(match: re.Match[str]) -> str:
    if match[2] == "I" and re.match(r"\s+[a-z]", match.string[match.end() :]):
        verb = re.match(r"\s+(\w+)", match.string[match.end() :])
        if verb and verb[1] in table("en")["after_i"]:
            return match[2]
    return f"the {_value(match, ordinal)}" if match[2] else ""


def _ruler(match: re.Match[str]) -> str:
    return f"{match[1]} the {_value(match, ordinal)}" if match[2] else match[0]


def _bare(match: re.Match[str]) -> str:
    return f" {_value(match, cardinal, 1)}" if match[1] else match[0]


def _titles() -> list[Spelling]:
    tables = table("en")
    titles: dict[str, str] = tables["titles"]
    return [
        (r"(?<=[A-Z][a-z]) Dr\.(?!\s+[A-Z])|(?<=[a-z]{2}) Dr\.(?=[,;]|\s+[a-z])", " drive"),
        (rf"\bDr\.?{CAPITAL}|^Dr\.?$", "doctor"),
        (r"\bLt\.? (Col|Gen|Cmdr)\b\.?", lambda m: f"lieutenant {titles[m[1]]}"),
        (r"(?<![A-Z][a-z])(?<![a-z]{2})(?<![a-z]{2} )\bSt\.?(?=\s+[A-Z])", "saint"),
        (
            r"\b([Tt]o|[Aa]t|[Ii]n|[Oo]f|[Nn]ear|[Ff]rom|[Tt]he|and|by) St\.?(?=\s+[A-Z])",
            r"\1 saint",
        ),
        (r"\bSt\.(?=\s+[A-Z][a-z]+'s)", "saint"),
        (r"\bSt\.(?=\s*$|\s+[A-Z])", "street."),
        (r"\bSt\.", "street"),
        (rf"\b({either(titles)})\.?{CAPITAL}", lambda m: titles[m[1]]),
        (r"\b(Mr|Mrs|Ms)\.", lambda m: titles[m[1]]),
        (r",? \b([JS])r\.(?=\s+[a-z]|,)", lambda m: f" {_generation(m)}"),
        (r",? \b([JS])r\.", lambda m: f" {_generation(m)}."),
        (r"\bPh\.D\.?(?=\s+[a-z]|[,;:)])", "Ph D"),
        (r"\bPh\.D\.(?=\s*$|\s+[A-Z])", "Ph D."),
    ]


def _generation(match: re.Match[str]) -> str:
    return "junior" if match[1] == "J" else "senior"


def _others() -> list[Spelling]:
    tables = table("en")
    words: dict[str, str] = tables["abbreviations"]
    months: dict[str, str] = tables["months"]
    numbered: dict[str, str] = tables["before_numbers"]
    days: dict[str, str] = tables["days"]
    return [
        (
            rf"\b({either(days)})\.?(?: ?[-–] ?)({either(days)})\b\.?",
            lambda m: f"{days[m[1]]} to {days[m[2]]}",
        ),
        (r"\bCOVID\b", "covid"),
        (r"\bet al\.(?=\s+[a-z(]|,)", "et al"),
        (r"\bRs\.? ?(?=[0-9])", "₹"),
        (rf"\b({either(numbered)})\.? ?(?=[0-9])", lambda m: f"{numbered[m[1]]} "),
        (rf"\b({either(months)})\.(?=\s*[0-9])", lambda m: months[m[1]]),
        (
            rf"(?<=[0-9] )({either(months)})\b\.?(?=,? [0-9]{{4}}|\s*$|[.,;])",
            lambda m: months[m[1]],
        ),
        (rf"\b({either(months)})(?=\s[0-9]{{1,2}}\b)", lambda m: months[m[1]]),
        (r"\bCo\.,? Ltd\b", "company limited"),
        (rf"\b({either(words)})\.(?=\s+[a-z0-9]|[,;:)])", lambda m: words[m[1]]),
        (rf"\b({either(words)})\.(?=\s|$)", lambda m: f"{words[m[1]]}."),
        (r"\bvs?\b\.?(?=\s+[A-Za-z])(?<=vs)|\bvs\.|(?<=[A-Za-z] )v\.(?= [A-Z])", "versus"),
        (r"\b((?:[A-Z]\.){2,})(?=\s+[a-z0-9]|,)", lambda m: m[1].replace(".", " ").strip()),
        (r"\b((?:[A-Z]\.){2,})(?=\s+[A-Z])", _initials),
        (r"\b((?:[A-Z]\.)+[A-Z])(?=\.+\s*$)", _initials),
        (rf"{not_lettered()}\b((?:[A-Z]\. )*[A-Z])\.(?= [A-Z][a-z])", _initials),
    ]


def _initials(match: re.Match[str]) -> str:
    """`U.S. Army` and `J.R. Smith` go on; the last dot of others may end the sentence."""
    return match[1].replace(".", " ").strip()


def _unshouted(match: re.Match[str]) -> str:
    from runtime.text.en.words import dictionary

    found = re.findall(r"[A-Z']+", match[0])
    known = [word for word in found if word.lower() in dictionary() and len(word) > 1]
    long = [word for word in known if len(word) > 3]
    if len(found) < 2 or not long or len(known) * 3 < len(found) * 2:
        return match[0]
    return re.sub(
        r"[A-Z']{2,}",
        lambda word: word[0].lower() if word[0].lower() in dictionary() else word[0],
        match[0],
    )
