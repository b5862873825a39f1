"""Numbers with Latin letters, formulas, money and times: read as the words around them.

Such an expression is found before text is cut into languages, so that `180cm` is Chinese in a
Chinese sentence. Addresses and English ordinals are English wherever they stand.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from runtime.text.imports import once
from runtime.text.quantities import RANGE, local_units, operator_word, unit_pattern
from runtime.text.tables import table
from runtime.text.width import plain
from runtime.text.zh.numbers import digit_by_digit

ENGLISH = (
    r"https?://[^\s\u3000-\uffef]*[A-Za-z0-9/]|www\.[^\s\u3000-\uffef]*[A-Za-z0-9/]"
    r"|[A-Za-z0-9][\w.+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
    r"|(?:[A-Za-z0-9-]+\.)+(?:com|org|net|io|cn|jp|kr|hk|edu|gov|ai|dev)\b(?:/[A-Za-z0-9./?=&%-]*)?"
    r"|(?<![A-Za-z0-9])[0-9]*(?:1st|2nd|3rd|[0-9]th)(?![A-Za-z])"
    r"|(?<![A-Za-z])[Nn]o\. ?[0-9]+|(?<![A-Za-z])C\+\+|(?<![A-Za-z])[CF]#"
)
CLOCK = r"(?<![0-9:])([01]?[0-9])(?::([0-5][0-9]))? ?([AaPp])(?:\.[Mm]\.|[Mm])(?![A-Za-z])"
ROMAN = (
    r"第([IVX]+)(?=[章节部卷期届条编集回篇])"
    r"|(?<![A-Za-z])(?![VX](?![IVX]))([IVX]{1,4})(?=期|级(?!联)|型|类(?!似)|世(?![纪界代紀]))"
)
LATIN = re.compile("[A-Za-zＡ-Ｚａ-ｚ]")  # what every expression has
SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ"
TERM = rf"(?:[0-9.]+|[a-zA-Z]\([a-zA-Z]\)|(?:[0-9.]*[A-Za-z]{{1,2}}))[{SUPERSCRIPTS}]*"
OPERATORS = "+−=×÷*/<>≤≥≠≈-"
FORMULA = (
    rf"(?<![A-Za-z0-9.@/\-])-?{TERM}(?: ?[{OPERATORS}] ?-?{TERM})+(?![A-Za-z0-9{OPERATORS}])"
    rf"|(?<![A-Za-z0-9])(?:[0-9]*[A-Za-z]{{1,2}})[{SUPERSCRIPTS}]+(?![A-Za-z0-9])"
)
STRONG = re.compile(rf"[+=×÷*≤≥≠≈{SUPERSCRIPTS}]|[<>] ?-?[0-9]")
LETTERED = r"(?<![A-Za-z0-9.])[0-9]+(?:\.[0-9]+)?[A-Z]{1,3}(?![A-Za-z0-9])"
NAMED = r"(?<![A-Za-z0-9])[A-Za-z]+-?[0-9]{3,}(?![A-Za-z0-9.,])"

Say = Callable[[re.Match[str], str], str | None]


@dataclass(frozen=True)
class Expression:
    """A stretch of text that is read as a whole.

    Attributes:
        start, end: where it stands in the text.
        lang: the language of what is not a letter in `spoken`.
        spoken: what is read in its place; as long as the stretch or not.
        letters: whether Latin letters in `spoken` are English.
        formula: whether it is said without a pause before the letters.
    """

    start: int
    end: int
    lang: str
    spoken: str
    letters: bool
    formula: bool = False


@dataclass(frozen=True)
class _Kind:
    pattern: re.Pattern[str]
    say: Say | None  # None: English
    letters: bool = False


def expressions(text: str, around: Callable[[int, int], str]) -> list[Expression]:
    """Find the expressions of a text.

    Args:
        text: what is to be spoken.
        around: language of the words around the stretch from start to end.

    Returns:
        Expressions that do not overlap, in order.
    """
    if not LATIN.search(text):
        return []
    taken = [False] * len(text)
    found: list[Expression] = []
    for kind in _kinds():
        for match in kind.pattern.finditer(text):
            start, end = match.span()
            if any(taken[start:end]):
                continue
            lang = around(start, end) if kind.say else "en"
            said: str | None = match[0]
            if kind.say and lang != "en":
                said = kind.say(match, "zh" if lang == "yue" else lang)
            if said is None:
                continue
            formula = kind.say is _formula
            found.append(Expression(start, end, lang, said, kind.letters, formula))
            taken[start:end] = [True] * (end - start)
    return sorted(found, key=lambda one: one.start)


@once
def _kinds() -> tuple[_Kind, ...]:
    units = "|".join(unit_pattern(lang) for lang in ("zh", "ja"))
    money: dict[str, object] = table("quantities")["money"]
    codes = "|".join(code for code in money if code.isalpha())
    signs = "|".join(re.escape(sign) for sign in money if not sign.isalpha() and len(sign) > 1)
    scaled = rf"(?:{signs}|[$€£¥￥＄]) ?{RANGE} ?(?:bn|[kKmMbB](?![A-Za-z]))|(?:{signs}) ?{RANGE}"
    number = rf"[-±~+]?{RANGE}"
    return (
        _Kind(re.compile(ENGLISH, re.IGNORECASE), None),
        _Kind(re.compile(CLOCK), _clock),
        _Kind(re.compile(scaled), lambda m, _: m[0]),
        _Kind(re.compile(rf"(?<![A-Za-z])({codes}) ?({RANGE})(?![A-Za-z])"), _coded(2, 1)),
        _Kind(re.compile(rf"(?<![A-Za-z])({RANGE}) ?({codes})(?![A-Za-z])"), _coded(1, 2)),
        _Kind(re.compile(ROMAN), lambda m, _: f"第{roman(m[1])}" if m[1] else str(roman(m[2]))),
        _Kind(re.compile(FORMULA), _formula, letters=True),
        _Kind(
            re.compile(rf"(?<![A-Za-z0-9.]){number} ?(?:{units})(?![A-Za-z0-9²³])"),
            _measure,
        ),
        _Kind(re.compile(LETTERED), _lettered, letters=True),
        _Kind(re.compile(NAMED), _named, letters=True),
    )


def roman(numeral: str) -> int:
    """The value of a Roman numeral in capitals."""
    values = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
    found = [values[char] for char in numeral]
    return sum(
        -value if any(value < later for later in found[i + 1 : i + 2]) else value
        for i, value in enumerate(found)
    )


def _clock(match: re.Match[str], lang: str) -> str:
    hour, minute, late = int(match[1]), match[2], match[3] in "Pp"
    half = {"zh": ("上午", "下午"), "ja": ("午前", "午後"), "ko": ("오전 ", "오후 ")}[lang][late]
    if lang == "zh" and hour == 12:
        half = "中午" if late else "凌晨"
    if lang == "zh" and late and 6 <= hour < 12:
        half = "晚上"
    unit = {"zh": "点", "ja": "時", "ko": "시"}[lang]
    return f"{half}{hour}:{minute}" if minute else f"{half}{hour}{unit}"


def _measure(match: re.Match[str], lang: str) -> str | None:
    """A number and its unit; none where the language has no word for the unit."""
    said = local_units(plain(match[0]), lang, " " if lang == "ko" else "")
    return said if said != match[0] else None


def _lettered(match: re.Match[str], lang: str) -> str | None:
    """`5G` in Chinese: the number is Chinese, the letters are said by name."""
    return match[0] if lang == "zh" else None


def _coded(number: int, code: int) -> Say:
    def say(match: re.Match[str], lang: str) -> str:
        return f"{match[number]}{table('quantities')['money'][match[code]][lang]}"

    return say


def _named(match: re.Match[str], lang: str) -> str | None:
    """`abc123`: letters, then in Chinese the digits one by one."""
    if lang != "zh":
        return None
    return re.sub("-?[0-9]+", lambda digits: digit_by_digit(digits[0].lstrip("-")), match[0])


def _formula(match: re.Match[str], lang: str) -> str | None:
    """A formula in words, its letters apart and in capitals; none if it is something else."""
    if not re.search("[A-Za-z]", match[0]) or not STRONG.search(match[0]):
        return None
    if re.fullmatch(rf"-?[0-9.]+ ?(?:{unit_pattern('zh')})", match[0]):
        return None
    if re.search(rf"[0-9](?=[A-Za-z]{{2}})(?:{unit_pattern('zh')})(?![A-Za-z])", match[0]):
        return None
    said = ""
    for part in re.findall(rf"[0-9]+(?:\.[0-9]+)?|[A-Za-z]|[{SUPERSCRIPTS}]+|\S", match[0]):
        if part[0] in SUPERSCRIPTS:
            said += _power(part, lang)
        elif part in OPERATORS:
            sign = not said or said[-1] == "\0"
            said += _negative(lang) if sign and part in "-−" else f"{operator_word(part, lang)}\0"
        elif part.isalpha():
            said = (
                said + (" " if said[-1:].isascii() and said[-1:].isalnum() else "") + part.upper()
            )
        elif part not in "()":
            said += part
    return said.replace("\0", " " if lang == "ko" else "")


def _negative(lang: str) -> str:
    return {"zh": "负", "ja": "マイナス", "ko": "마이너스 "}[lang]


def _power(token: str, lang: str) -> str:
    exponent = "".join(str(SUPERSCRIPTS.index(char)) if char != "ⁿ" else "N" for char in token)
    return {"zh": f"的{exponent}次方", "ja": f"の{exponent}乗", "ko": f"의 {exponent}제곱"}[lang]
