"""Dates and times of day in English words."""

import re

from runtime.text.en.numbers import cardinal, ordinal, year
from runtime.text.en.rules import Spelling, either

YEAR = "((?:1[0-9]|20|21)[0-9]{2})"
MONTH = "(0?[1-9]|1[0-2])"
DAY = "(0?[1-9]|[12][0-9]|3[01])"
HOUR = "([01]?[0-9]|2[0-4])"
CLOCK = rf"{HOUR}:([0-5][0-9])(?::([0-5][0-9])(?:\.[0-9]+)?)?Z?(?: ?([AP]) M\b)?"
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
SCORED = (
    "won|win|wins|beat|beats|lost|lose|loses|led|leads?|score|ratio|odds|tied|drew|defeated|scale"
)
DATED = "on|by|since|until|till|from|before|after|dated|due|to"


def times() -> list[Spelling]:
    """Rules for dates, scores, times and decades, in order."""
    return [*_dates(), *_named_months(), *_scores(), *_clocks(), *_decades()]


def _dates() -> list[Spelling]:
    end = r"(?![0-9/-]|\.[0-9])"
    return [
        (rf"(?<![0-9./-]){YEAR}([-/.]){MONTH}\2{DAY}(?:T(?=[0-9])|{end})", _iso),
        (rf"(?<![0-9./-]){YEAR}[-/](0[1-9]|1[0-2]){end}", _year_month),
        (rf"(?<![0-9./-])(1[3-9]|2[0-9]|3[01])([-/.]){MONTH}\2{YEAR}{end}", _day_first),
        (rf"(?<![0-9./-]){DAY}\.{MONTH}\.{YEAR}{end}", lambda m: _date(m[2], m[1], m[3])),
        (rf"(?<![0-9./-]){MONTH}([-/]){DAY}\2{YEAR}{end}", _month_first),
        (
            rf"(?<![0-9./-]){MONTH}/{DAY}/([0-9]{{2}}){end}",
            lambda m: _date(m[1], m[2], _full(m[3])),
        ),
        (rf"\b({DATED}) {MONTH}/{DAY}{end}", lambda m: f"{m[1]} {_date(m[2], m[3], None)}"),
        (r"\b24/7\b", "twenty-four seven"),
        (r"\b9/11\b", "nine eleven"),
        (r"\b50/50\b", "fifty fifty"),
    ]


def _named_months() -> list[Spelling]:
    months = either(MONTHS)
    end = "(?![0-9/:%]|[.,][0-9])"
    return [
        (
            rf"\b({months}) {DAY}(?:st|nd|rd|th)? ?[-–] ?{DAY}(?:st|nd|rd|th)?\b{end}",
            lambda m: f"{m[1]} {ordinal(m[2])} to {ordinal(m[3])}",
        ),
        (rf"\b({months}) {DAY}\b(?!st|nd|rd|th){end}", lambda m: f"{m[1]} {ordinal(m[2])}"),
        (
            rf"(?<![0-9./,:-])\b{DAY}(?:st|nd|rd|th)? (?=(?:{months})\b)",
            lambda m: f"the {ordinal(m[1])} of ",
        ),
        (r"\b(the) the (?=\w+ of)", r"\1 "),
    ]


def _scores() -> list[Spelling]:
    score = r"([0-9]{1,3})[:-]([0-9]{1,3})"
    return [
        (rf"\b({SCORED})\b((?:\s+[A-Za-z']+){{0,3}}?)\s+{score}(?![0-9:-])", _scored),
        (r"(?<![0-9:])([0-9]+):([0-9])(?![0-9:])", r"\1 to \2"),
        (r"(?<![0-9:])([0-9]+):([0-9]{3,}|[6-9][0-9])(?![0-9:])", r"\1 to \2"),
        (r"(?<![0-9:])(2[5-9]|[3-9][0-9]):([0-9]+)(?![0-9:])", r"\1 to \2"),
    ]


def _clocks() -> list[Spelling]:
    return [
        (r"\b([01][0-9]|2[0-3]):([0-5][0-9]) hours\b", _military),
        (r"(?<=[AP] M) ?[-–] ?(?=[0-9])", " to "),
        (rf"(?<![0-9:.]){CLOCK}\s*[-–~]\s*{CLOCK}(?![0-9:])", _clock_range),
        (rf"(?<![0-9:.]){CLOCK}(?![0-9:])", lambda m: _clock(m[1], m[2], m[3], m[4])),
        (r"\b([0-9]{1,2})\s*[-–]\s*([0-9]{1,2}) ([AP]) M\b", r"\1 to \2 \3 M"),
        (r"\b(0[0-9])([0-5][0-9]) hours\b", _military),
    ]


def _decades() -> list[Spelling]:
    return [
        (r"(?<![0-9.,$£€])([0-9]{4})s?[-–]([0-9]{4}|[0-9]0)s\b", _decade_range),
        (r"(?<![0-9.,$£€])'?\b([0-9]{4}|[0-9]0)'?s\b", lambda m: _decade(m[1])),
    ]


def _date(month: str, day: str, in_year: str | None) -> str:
    said = f"{MONTHS[int(month) - 1]} {ordinal(str(int(day)))}"
    return f"{said}, {year(in_year)}" if in_year else said


def _iso(match: re.Match[str]) -> str:
    return _date(match[3], match[4], match[1]) + (", " if match[0].endswith("T") else "")


def _year_month(match: re.Match[str]) -> str:
    return f"{MONTHS[int(match[2]) - 1]} {year(match[1])}"


def _day_first(match: re.Match[str]) -> str:
    return _date(match[3], match[1], match[4])


def _month_first(match: re.Match[str]) -> str:
    return _date(match[1], match[3], match[4])


def _full(short: str) -> str:
    return f"20{short}" if int(short) < 50 else f"19{short}"


def _scored(match: re.Match[str]) -> str:
    return f"{match[1]}{match[2]} {match[3]} to {match[4]}"


def _clock_range(match: re.Match[str]) -> str:
    first = _clock(match[1], match[2], match[3], match[4] or match[8])
    return f"{first} to {_clock(match[5], match[6], match[7], match[8])}"


def _clock(hour: str, minute: str, second: str | None, half: str | None) -> str:
    hours = int(hour) % 24
    late = half or ("A" if hours < 12 else "P")
    said = cardinal(str((hours - 1) % 12 + 1))
    if minute != "00":
        said += f" {'oh ' if minute[0] == '0' else ''}{cardinal(str(int(minute)))}"
    if second and second != "00":
        said += f" and {cardinal(str(int(second)))} seconds"
    return f"{said} {late} M"


def _military(match: re.Match[str]) -> str:
    hours = f"oh {cardinal(match[1][1])}" if match[1][0] == "0" else cardinal(match[1])
    return f"{hours} {'hundred' if match[2] == '00' else cardinal(match[2])} hours"


def _decade(number: str) -> str:
    words = year(number) if len(number) == 4 else cardinal(number)
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


def _decade_range(match: re.Match[str]) -> str:
    return f"{_decade(match[1])} to {_decade(match[2])}"
