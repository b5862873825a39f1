"""Chinese text to characters that have a reading: numbers, dates, units and signs in words.

Cantonese shares it. The order of the rules matters: each sees what those before it left.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any

from runtime.text.imports import quietly
from runtime.text.tables import table
from runtime.text.zh.numbers import amount, cardinal, digits, told

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

NUM = r"[0-9]+(?:\.[0-9]+)?"
MONTH = r"(0?[1-9]|1[0-2])"
DAY = r"(0?[1-9]|[12][0-9]|3[01])"
CLOCK = r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?"
NOT_HAN = re.compile(r"[^\u4e00-\u9fa5!?…,.\-]")
RUNS_OF_MARKS = re.compile(r"([!?…,.\-])[!?…,.\-]+")
CURRENCIES = {"¥": "元", "￥": "元", "$": "美元", "€": "欧元", "£": "英镑"}


def sentences(text: str) -> str:
    """Write a whole segment in words, clause by clause; marks are still as they were written."""
    tables = table("zh")
    text = unicodedata.normalize("NFC", text)
    text = re.sub(r"(?<=[0-9])：(?=[0-5][0-9])", ":", text)
    text = re.sub(r"(?<![0-9,])[0-9]{1,3}(?:,[0-9]{3})+(?![0-9,])", _without_commas, text)
    text = re.sub(r"(?<=[0-9])～(?=[0-9])", "~", text)
    text = re.sub(rf"([¥￥$€£])({NUM})(元)?", _currency, text)
    kept = re.sub(rf"[{re.escape(tables['deleted_before_sentence_split'])}\s]", "", text)
    clauses = re.findall(rf"[^{tables['sentence_breaks']}]*[{tables['sentence_breaks']}]?", kept)
    return "".join(map(_in_words, clauses))


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


@cache
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


def _in_words(clause: str) -> str:
    clause = "".join(map(_half_width, simplified(clause)))
    for pattern, write in _rules():
        clause = pattern.sub(write, clause)
    return clause


def _half_width(char: str) -> str:
    """Full-width letters to ASCII and decimal digits of any script to 0-9."""
    if char.isascii():
        return char
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    code = ord(char) - 0xFEE0
    return chr(code) if 0 <= code < 128 and chr(code).isalpha() else char


@cache
def _rules() -> tuple[Rule, ...]:
    spellings = (*_dates(), *_units(), *_sums(), *_telephones(), *_numbers(), *_signs())
    return tuple((re.compile(pattern), write) for pattern, write in spellings)


Spelling = tuple[str, Callable[[re.Match[str]], str]]


def _dates() -> list[Spelling]:
    return [
        (
            rf"(?<![0-9])([0-9]{{4}}|[0-9]{{2}})年(?![前后間间内里来以之多])(?:{MONTH}月)?"
            rf"(?:{DAY}([日号]))?",
            lambda m: (
                digits(m[1])
                + "年"
                + (f"{cardinal(m[2])}月" if m[2] else "")
                + (f"{cardinal(m[3])}{m[4]}" if m[3] else "")
            ),
        ),
        (rf"(?<![0-9])([0-9]{{4}})([-/]){MONTH}\2{DAY}(?![0-9])", _date),
        (r"(?<![0-9.])([0-9]{4})(\.)(0[1-9]|1[0-2])\.(0[1-9]|[12][0-9]|3[01])(?![0-9])", _date),
        (
            rf"(?<![0-9]){CLOCK}[-~]{CLOCK}(?![0-9])",
            lambda m: f"{_clock(m[1], m[2], m[3])}至{_clock(m[4], m[5], m[6])}",
        ),
        (rf"(?<![0-9]){CLOCK}(?![0-9])", lambda m: _clock(m[1], m[2], m[3])),
    ]


def _units() -> list[Spelling]:
    tables = table("zh")
    ranged = _either(tables["range_units"])
    spellings: list[Spelling] = [
        (rf"({NUM})km/h(?![A-Za-z])", lambda m: f"每小时{m[1]}千米"),
        (rf"({NUM}{ranged})~({NUM}{ranged})", lambda m: f"{m[1]}至{m[2]}"),
        (rf"(-?{NUM})~(-?{NUM})(?=°C|℃|度|摄氏度)", _range),
        (
            rf"(-?)({NUM})(?:°C|℃|度|摄氏度)",
            lambda m: f"{'零下' if m[1] else ''}{amount(m[2])}度",
        ),
    ]
    words = [("ms", "毫秒"), ("mm", "毫米"), ("mg", "毫克"), *tables["unit_words_in_order"]]
    for unit, word in words:
        spellings.append((rf"(?<![A-Za-z]){re.escape(unit)}(?![A-Za-z])", _always(word)))
    spellings.append((rf"({NUM})g(?![A-Za-z])", lambda m: f"{m[1]}克"))
    return spellings


def _sums() -> list[Spelling]:
    tables = table("zh")
    operators = tables["arithmetic_words"]
    powers = tables["superscripts"]
    power = f"[{''.join(powers)}]"
    operand = rf"(?:-?{NUM}|\.[0-9]+|[A-Za-z])"
    left = rf"(?:(?<=[0-9A-Za-z])|(?<=[0-9A-Za-z]{power}))"
    counted = rf"{_either(tables['classifiers'])}|{_either(tables['range_units'])}|杯"
    return [
        (rf"(?<![0-9.+×÷=-])({NUM})-({NUM})(?=(?!度){counted})", _range),
        (r"(?<![0-9])(0(?:10|2[1-3]|[3-9][0-9]{2}))-([1-9][0-9]{6,7})(?![0-9=])", _paused),
        (r"(?<![0-9])(400)-([0-9]{3})-?([0-9]{4})(?![0-9=])", _paused),
        (rf"{left}([-+×÷=])(?={operand})", lambda m: operators[m[1]]),
        (
            f"{power}+",
            lambda m: f"的{''.join(powers[c] for c in m[0])}次方",
        ),
        (
            r"(-?)([0-9]+)/([0-9]+)",
            lambda m: f"{'负' if m[1] else ''}{cardinal(m[3])}分之{cardinal(m[2])}",
        ),
        (rf"(-?)({NUM})%", lambda m: f"{'负' if m[1] else ''}百分之{amount(m[2])}"),
    ]


def _telephones() -> list[Spelling]:
    counted = _either(["人", "个", "元", "名", "位", "次", "件", "米", "吨", "块", "户", "千克"])
    return [
        (
            r"(?<![0-9])(\+?86)?(1(?:[38][0-9]|5[0-35-9]|7[678]|9[89])[0-9]{8})(?![0-9])",
            lambda m: f"{told(m[1].lstrip('+'))}，{told(m[2])}" if m[1] else told(m[2]),
        ),
        (
            r"(?<![0-9.])(?:(0(?:10|2[1-3]|[3-9][0-9]{2}))(-?))?([1-9][0-9]{6,7})"
            rf"(?![0-9.]|{counted})",
            lambda m: told((m[1] or "") + ("，" if m[2] else "") + m[3]),
        ),
        (r"(?<![0-9])400-?[0-9]{3}-?[0-9]{4}(?![0-9])", lambda m: told(m[0].replace("-", "，"))),
    ]


def _numbers() -> list[Spelling]:
    classifiers = _either(table("zh")["classifiers"])
    return [
        (rf"(?<![0-9+\-×÷=.])(-?{NUM})[-~](-?{NUM})(?![0-9+\-×÷=])", _range),
        (r"(?<![0-9])-([0-9]+(?:\.[0-9]+)?)", lambda m: amount(m[0])),
        (r"[0-9]+(?:\.[0-9]+){2,}", lambda m: digits(m[0]).replace(".", "点")),
        (r"[0-9]+\.[0-9]+|(?<![0-9])\.[0-9]+", lambda m: amount(m[0])),
        (rf"(第?)([0-9]+)([多余几+]?)((?!分机){classifiers})", _counted),
        (r"[0-9]{3,}", lambda m: told(m[0])),
        (r"[0-9]+", lambda m: cardinal(m[0])),
    ]


def _signs() -> list[Spelling]:
    words = dict(table("zh")["late_replacements"])
    return [
        (r"[〇○]", lambda _: "零"),
        (_either(words), lambda m: words[m[0]]),
        (r"[-—《》【】<=>{}()（）#&@“”^_|\\]", lambda _: ""),
    ]


def _either(words: Any) -> str:
    longest_first = sorted(words, key=len, reverse=True)
    return f"(?:{'|'.join(map(re.escape, longest_first))})"


def _always(word: str) -> Callable[[re.Match[str]], str]:
    return lambda _: word


def _without_commas(match: re.Match[str]) -> str:
    return match[0].replace(",", "")


def _currency(match: re.Match[str]) -> str:
    return match[2] + (match[3] or CURRENCIES[match[1]])


def _date(match: re.Match[str]) -> str:
    return f"{digits(match[1])}年{cardinal(match[3])}月{cardinal(match[4])}日"


def _clock(hour: str, minute: str, second: str | None) -> str:
    words = f"{cardinal(hour)}点"
    if minute == "30":
        words += "半"
    elif minute != "00":
        words += f"{_padded(minute)}分"
    return words + (f"{_padded(second)}秒" if second and second != "00" else "")


def _padded(number: str) -> str:
    return ("零" if number.startswith("0") else "") + cardinal(number)


def _range(match: re.Match[str]) -> str:
    return f"{amount(match[1])}到{amount(match[2])}"


def _paused(match: re.Match[str]) -> str:
    return "，".join(told(group) for group in match.groups())


def _counted(match: re.Match[str]) -> str:
    ordinal, number, more, classifier = match.groups()
    pair = number == "2" and not ordinal and classifier not in ("两", "月", "日")
    words = "两" if pair else cardinal(number)
    return f"{ordinal}{words}{more.replace('+', '多')}{classifier}"
