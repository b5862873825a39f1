"""English text to words: numbers, times, money, units and signs; the six marks stay."""

import re
import unicodedata
from collections.abc import Callable
from functools import cache

from runtime.text.en.numbers import cardinal, fraction, integer, ordinal, year
from runtime.text.tables import table

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str] | str]

MARKS = r"!?…,.\-"
NUM = r"[0-9]+(?:\.[0-9]+)?"
MONEY = {"£": ("pound", "pounds", "pence", "pence"), "$": ("dollar", "dollars", "cent", "cents")}
NAMED_MONEY = {"€": "euros", "¥": "yen"}
SCALES = r"hundred|thousand|million|billion|trillion"


def normalise(text: str) -> str:
    """English `norm_text`: words and marks, blanks between."""
    text = _plain(text)
    for pattern, write in _rules():
        text = pattern.sub(write, text)
    return text


@cache
def _rules() -> tuple[Rule, ...]:
    rules = (*_typography(), *_signs(), *_times(), *_amounts(), *_last())
    return tuple((re.compile(pattern), write) for pattern, write in rules)


Spelling = tuple[str, Callable[[re.Match[str]], str] | str]


def _plain(text: str) -> str:
    """Full-width letters, digits and signs to ASCII; marks of other scripts to ours."""
    for mark, own in table("en")["effective_punctuation_map"].items():
        text = re.sub(rf"{mark}(?=\w)", f"{own} ", text).replace(mark, own)
    return "".join(_half_width(char) for char in text)


def _half_width(char: str) -> str:
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    code = ord(char) - 0xFEE0
    return chr(code) if 0 <= code < 128 and chr(code).isalpha() else char


def _typography() -> list[Spelling]:
    """Marks that the six do not hold; one at the end of the text says nothing."""
    return [
        (r"(?<=[A-Za-z])[’‘](?=[A-Za-z])", "'"),
        (r"https?://\S+|\bwww\.\S+|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+", _address),
        (r"\s*(?:;|，|；|：|、|:(?![0-9]))+(?=\s*$)", ""),
        (r"\s*(?:;|，|；|：|、|:(?![0-9]))(?=\s)", ","),
        (r"\s*(?:;|，|；|：|、|:(?![0-9]))(?=\S)", ", "),
        (r"(?<=[0-9])\s*[–—]\s*(?=[0-9])", " to "),
        (r"\s*(?:[–—]+|(?<=\s)--+)\s*(?=[^\s!?…,.])", ", "),
        (r"\s+([!?,.])(?=\s|$)", r"\1"),
        (r"…+", "..."),
        (r"\s*&\s*", " and "),
        (r"\band/or\b", "and or"),
        (r"(?<=[A-Za-z])/(?=[A-Za-z])(?<!km/)", " or "),
    ]


def _signs() -> list[Spelling]:
    words = table("en")["arithmetic_words"]
    return [
        (r"(^|[.!?]\s+)([0-9]{1,3})\. (?=\S)", lambda m: f"{m[1]}{m[2]}{_suffix(m[2])}, "),
        (r"(?<=\w) +([+\-×÷=]) +(?=-?\w)", lambda m: f" {words[m[1]]} "),
        (r"(^|\s)-(?=[0-9])", r"\1negative "),
        (r"(?<=[0-9]),(?=[0-9])", ""),
    ]


def _times() -> list[Spelling]:
    return [
        (
            r"\b([01]?[0-9]|2[0-3]):([0-5][0-9])(?: ?([AaPp])\.?[Mm]\b\.?)?(?![0-9:])",
            _time,
        ),
        (r"(?<![0-9/])([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})(?![0-9/])", r"\1, \2, \3"),
        (r"\(?\b([0-9]{3})\)?[ -]([0-9]{3})-([0-9]{4})\b", _digits),
        (r"\b([0-9]{3})-([0-9]{4})\b", _digits),
        (r"\b([0-9]{4}|[0-9]0)s\b", lambda m: _decade(m[1])),
    ]


def _amounts() -> list[Spelling]:
    units = table("en")["unit_words"]
    names = "|".join(re.escape(unit) for unit in sorted(units, key=len, reverse=True))
    return [
        (rf"({NUM})({names})(?![\w/])", lambda m: f"{m[1]} {units[m[2]][m[1] != '1']}"),
        (rf"([£$])({NUM}) ({SCALES})\b", lambda m: f"{m[2]} {m[3]} {MONEY[m[1]][1]}"),
        (rf"([£$])({NUM})", lambda m: _money(m[1], m[2])),
        (rf"({NUM})([£$])", lambda m: _money(m[2], m[1])),
        (rf"([€¥])({NUM}(?: (?:{SCALES})\b)?)", lambda m: f"{m[2]} {NAMED_MONEY[m[1]]}"),
        (r"[0-9]+(?:\.[0-9]+){2,}", lambda m: m[0].replace(".", " point ")),
        (r"([0-9]*)\.([0-9]+)", lambda m: f"{m[1] or 0} point {_spelled(m[2])}"),
        (r"([0-9]+)/([0-9]+)", lambda m: fraction(m[1], m[2])),
        (r"([0-9]+)(?:st|nd|rd|th)\b", lambda m: ordinal(m[1])),
        (r"([0-9])-(?=[0-9])", r"\1 to "),
        (r"[0-9]+", lambda m: integer(m[0])),
    ]


def _last() -> list[Spelling]:
    return [
        (r"[\s\S]+", lambda m: _without_accents(m[0])),
        (r"%", " percent"),
        (r"\s*\n\s*|[^\S ]", " "),
        (rf"[^A-Za-z '{MARKS}]", ""),
        (r"(?i)\bi\.e\.", "that is"),
        (r"(?i)\be\.g\.", "for example"),
        (r"(?<=[^ ])(?=[A-Z])", " "),
        (rf"([ {MARKS}])[{MARKS}]+", r"\1"),
    ]


def _without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def _address(match: re.Match[str]) -> str:
    """A web or mail address as one says it; a mark at its end is not part of it."""
    body = match[0].rstrip(".,!?;:)")
    rest = match[0][len(body) :]
    said = re.sub(r"^https?://", "", body)
    for sign, word in ((".", " dot "), ("@", " at "), ("/", " slash ")):
        said = said.replace(sign, word)
    return re.sub(r"[^\w]+", " ", said).strip() + rest


def _suffix(number: str) -> str:
    teen = number[-2:-1] == "1"
    return "th" if teen else {"1": "st", "2": "nd", "3": "rd"}.get(number[-1], "th")


def _time(match: re.Match[str]) -> str:
    hour, minute, half = int(match[1]), match[2], match[3]
    suffix = (half or ("a" if hour < 12 else "p")).lower()
    shown = cardinal(str(hour if hour <= 12 else hour - 12))
    past = "o'clock" if minute == "00" else cardinal(minute)
    return f"{shown} {past} {suffix}.m."


def _decade(number: str) -> str:
    words = year(number) if len(number) == 4 else cardinal(number)
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


def _digits(match: re.Match[str]) -> str:
    return ", ".join(_spelled(group) for group in match.groups())


def _spelled(number: str) -> str:
    return " ".join(cardinal(digit) for digit in number)


def _money(sign: str, number: str) -> str:
    one, many, cent, cents = MONEY[sign]
    whole, _, part = number.partition(".")
    small = int(part[:2].ljust(2, "0")) if part else 0
    named = []
    if int(whole) or not small:
        named.append(f"{whole} {one if int(whole) == 1 else many}")
    if small:
        named.append(f"{small} {cent if small == 1 else cents}")
    return " and ".join(named)
