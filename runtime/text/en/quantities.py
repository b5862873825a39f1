"""Amounts in English words: money, units, percentages, ranges, sums and plain numbers."""

import re

from runtime.text.en.numbers import cardinal, fraction, integer, ordinal, year
from runtime.text.en.rules import NUM, Spelling, either
from runtime.text.quantities import english_unit, unit_pattern
from runtime.text.tables import table

SIZED = "x|by|long|wide|tall|high|deep|thick"
SCALES = r"hundred|thousand|million|billion|trillion"
SUFFIXES = {"k": "thousand", "m": "million", "b": "billion", "t": "trillion", "bn": "billion"}
POWERS = {"²": "squared", "³": "cubed"}
SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ"
OPERATORS = {"+": "plus", "×": "times", "÷": "divided by", "=": "Equals", "*": "times"}
SIGNED = {
    "≥": "greater than or equal to",
    ">=": "greater than or equal to",
    "≤": "less than or equal to",
    "<=": "less than or equal to",
    "≠": "not equal to",
    "!=": "not equal to",
    "≈": "about",
    ">": "greater than",
    "<": "less than",
    "~": "about",
    "±": "plus or minus",
    "√": "square root of",
    "№": "number",
    "#": "number",
}
COUNTED = (
    r"(?= (?:people|men|women|children)\b"
    r"| [a-z]+(?<!ss)(?<! was)(?<! is)(?<! has)(?<! its)(?<! as)(?<! this)s\b)"
)
YEARLY = (
    r"\b(?:[Ii]n|[Ss]ince|[Bb]y|[Ff]rom|[Uu]ntil|[Tt]ill|[Oo]f|[Tt]he|[Yy]ear|[Cc]irca|[Ee]arly"
    r"|[Ll]ate|[Mm]id|and|to|between) "
)


def quantities() -> list[Spelling]:
    """Rules for telephones, sums, ranges, money and units, in order."""
    return [*_told(), *_sums(), *_money(), *_units(), *_shares()]


def _told() -> list[Spelling]:
    """Numbers that are read digit by digit."""
    return [
        (r"(^|[.!?]\s+)([0-9]{1,3})\. (?=\S)", lambda m: f"{m[1]}{ordinal(m[2])}, "),
        (r"\+[0-9]{1,3}(?:[ -]?\(?[0-9]{1,4}\)?){2,5}\b", lambda m: _groups("plus ", m[0])),
        (r"\b1-[0-9]{3}-[0-9]{3}-[0-9]{4}\b", lambda m: _groups("", m[0])),
        (r"(?<![0-9])([0-9]{3}) *[ -] *([0-9]{3})-([0-9]{4})\b", lambda m: _groups("", m[0])),
        (r"(?<![0-9-])([0-9]{3})-([0-9]{4})\b(?!-)", lambda m: _groups("", m[0])),
        (r"(?<![0-9.-])[0-9]{2,}(?:[ -][0-9]{2,}){2,}(?![0-9.-]|\s*[A-Za-z%])", _chain),
        (r"(?<![0-9.,])0[0-9]+(?![0-9]*[.:/,][0-9])", lambda m: spelled(m[0])),
        (r"(?<![.0-9])[0-9]+(?:\.[0-9]+){2,}", lambda m: m[0].replace(".", " point ")),
        (r"(?<=[0-9]) (?=[0-9]{1,3}(?![0-9/]))(?<=[0-9]{4} )", ", "),
    ]


def _sums() -> list[Spelling]:
    left = rf"(?<=[0-9A-Za-z)²³{SUPERSCRIPTS}])"
    operand = r"(?=-?(?:\.?[0-9]|[A-Za-z](?![A-Za-z]{2})))"
    return [
        (r"(?<=[0-9])x(?=\s*[-+=×÷*^])", " X"),
        (r"(?<=[0-9]) ?x ?(?=[0-9])(?<!\b0x)", " by "),
        (r"([0-9] ?[a-z]{1,2}) x (?=[0-9])", r"\1 by "),
        (r"(?<=[0-9]) +/ +(?=[0-9.]+ *=)", " divided by "),
        (r"(?<![\w'])(?<![0-9] )([a-z])(?=\^|[²³])", _capital),
        (r"(?<=[=+×÷*])([a-z]{2})(?=[²³^])", lambda m: " ".join(m[1].upper())),
        (
            r"(?<=[A-Za-z)])\^([23])(?![0-9])",
            lambda m: f" {'squared' if m[1] == '2' else 'cubed'}",
        ),
        (r"(?<=[0-9/]) ?([kc]?m)([²³])", _squared),
        (r"(?<![\w'])([a-z])(?= [+×÷=*-] )|(?<= [+×÷=*-] )([a-z])(?![\w'])", _capital),
        (rf"{left} +([+×÷=*]) +(?=-?\w)", lambda m: f" {OPERATORS[m[1]]} "),
        (r"(?<=\w) +- +(?=-?\w)", " minus "),
        (r"(?<![\w.-])[0-9]+(?:[-+×÷*/][0-9.]+)+=(?=[0-9-])", _left_side),
        (rf"(?<=[0-9)²³])([+×÷=*]){operand}", lambda m: f" {OPERATORS[m[1]]} "),
        (rf"(?<![A-Za-z])([A-Za-z]{{1,2}})([+×÷=*]){operand}", _lettered),
        (r"(?<=[A-Za-z0-9])([²³])", lambda m: f" {POWERS[m[1]]}"),
        (rf"(?<=[A-Za-z0-9])([{SUPERSCRIPTS}]+)", _power),
        (r"(?<=[A-Za-z0-9])\^(-?[0-9]+|[a-z]\b)", lambda m: f" to the power of {m[1]}"),
        (rf" ?({either(SIGNED)}) ?(?=-?[0-9.$£€])", lambda m: f" {SIGNED[m[1]]} "),
        (r"(?<=\w) ?(≥|≤|≠|≈|>=|<=|!=|[<>]) ?(?=\w)", lambda m: f" {SIGNED[m[1]]} "),
        (r"(?<![\w.])\+(?=[0-9])", "plus "),
        (r"(?<![\w)%°.])-(?=[$£€¥]?\.?[0-9])", "negative "),
    ]


def _money() -> list[Spelling]:
    signs: dict[str, dict[str, list[str]]] = table("quantities")["money"]
    sign = either(one for one in signs if not one.isalpha())
    code = either(one for one in signs if one.isalpha())
    suffix = rf"(?: ?({SCALES})\b|(bn|[kKmMbBtT])\b)?"
    return [
        (r"(?<=[0-9]),(?=[0-9]{2} ?€)", "."),
        (r"(?<=[0-9][kKmMbB]) ?- ?(?=[$£€¥0-9])", " to "),
        (rf"({NUM}) ?¢", lambda m: f"{_amount(m[1])} {'cent' if m[1] == '1' else 'cents'}"),
        (rf"({sign}) ?({NUM}) ?- ?(?:{sign})?({NUM}){suffix}", _money_range),
        (rf"({sign}) ?({NUM}){suffix}", lambda m: money(m[1], m[2], m[3] or _suffix(m[4]))),
        (rf"\b({code}) ?({NUM}){suffix}", lambda m: money(m[1], m[2], m[3] or _suffix(m[4]))),
        (
            rf"({NUM}){suffix} ?({sign}|{code}\b)",
            lambda m: money(m[4], m[1], m[2] or _suffix(m[3])),
        ),
        (r"\b(dollars?|euros?|pounds?|cents|pence|yen|won|yuan)/(?=[a-z])", r"\1 per "),
    ]


def _units() -> list[Spelling]:
    names = unit_pattern("en")
    spaced = "|".join(name for name in names.split("|") if name not in ("s", "m", "t", "V", "W"))
    end = r"(?![\w/°²³]|'[a-z])"
    return [
        (r"\b([0-9]+)'([0-9]{1,2})(?:\"|''|(?=[ ,.;:!?)]|$))", r"\1 foot \2"),
        (rf"(?<=[0-9]) in(?=[,;.!?)]|\s*$|\s+(?:{SIZED})\b)", " inches"),
        (rf"(?<![\w.])([0-9]+) ([0-9]+)/([0-9]+) ?({spaced}){end}", _mixed_unit),
        (rf"(?<![\w./])([0-9]+)/([0-9]+) ?({spaced}){end}", _part_of_unit),
        (rf"(?<![\w./])({NUM}) ?({spaced}|m)/({names}){end}", _unit_per_unit),
        (rf"(?<![\w./])({NUM})(?:-| to )({NUM}) ?({names}){end}", _unit_range),
        (rf"(?<![\w./])({NUM})-({spaced}){end}(?!-)", _unit_before_noun),
        (rf"(?<![\w./])({NUM})({names})\.(?=\s+[a-z])", _unit),
        (rf"(?<![\w./])({NUM}) ({spaced})\.(?=\s+[a-z])", _unit),
        (rf"(?<![\w./])({NUM})({names}){end}", _unit),
        (rf"(?<![\w./])({NUM}) (?={names})({spaced}|m|W|V){end}", _unit),
        (rf"({NUM}) ?°", r"\1 degrees"),
        (r"(?<=[0-9])(?: ?)'(?=\s)", " feet"),
        (r"(?<![\w.])([248])K\b", lambda m: f"{cardinal(m[1])} K"),
        (r"(?<![\w.])(5|10)[Kk](?= (?:run|race|walk)\b)", lambda m: f"{cardinal(m[1])} K"),
        (r"(?<=[0-9])[x×](?=\s|$|[.,])", " times"),
        (r"\b([2-7])D\b", lambda m: f"{cardinal(m[1])} D"),
        (rf"(?<![\w.])({NUM})(k|K|M|B|bn)\b", lambda m: f"{m[1]} {_suffix(m[2])}"),
    ]


def _shares() -> list[Spelling]:
    return [
        (r"(?<![0-9.])([0-9]+) ([0-9]+)/([0-9]+)(?![0-9/])", _mixed),
        (rf"({NUM})%? ?(?:-|–) ?({NUM})%", r"\1 to \2%"),
        (r"(?<=[0-9])‰", " per mille"),
        (r"(?<![\w/])([0-9]+)/([0-9]+)(?![\w/])", lambda m: fraction(m[1], m[2])),
        (r"(?<=[0-9])/(?=[a-z]{2})", " per "),
        (r"(?<=[0-9])\+(?=\s|$|[,.])", " plus"),
    ]


def numbers() -> list[Spelling]:
    """Rules for every number that is still in digits."""
    return [
        (r"([0-9]*)\.([0-9]+)", lambda m: f"{m[1] or 0} point {spelled(m[2])}"),
        (r"([0-9]+)(?:st|nd|rd|th)\b", lambda m: ordinal(m[1])),
        (rf"({YEARLY})?\b((?:1[0-9]|2[0-9])[0-9]{{2}})-((?:1[0-9]|2[0-9])?[0-9]{{2}})\b", _years),
        (r"([0-9])-(?=[0-9])", r"\1 to "),
        (r"(?<=[0-9]),(?=[0-9])", ", "),
        (r"(?<=[A-Za-z])-?(?=[0-9])", " "),
        (rf"(?<!in )\b(1[0-9]|2[0-9])([0-9]{{2}})\b{COUNTED}", _amount_of),
        (r"[0-9]+(?=[A-Za-z])(?!st|nd|rd|th)", lambda m: f"{integer(m[0])} "),
        (r"[0-9]+", lambda m: integer(m[0])),
    ]


def spelled(number: str) -> str:
    """Digit by digit."""
    return " ".join(cardinal(digit) for digit in number)


def _squared(match: re.Match[str]) -> str:
    """`m²` with a plain digit, which no rule for formulas takes."""
    blank = " " if match.string[match.start() - 1] != "/" else ""
    return f"{blank}{match[1]}{'2' if match[2] == '²' else '3'}"


def _groups(before: str, number: str) -> str:
    return before + ", ".join(spelled(group) for group in re.findall("[0-9]+", number))


def _chain(match: re.Match[str]) -> str:
    """Three groups and more of digits: a telephone, a card, a book number."""
    return _groups("", match[0]) if len(re.sub(r"\D", "", match[0])) > 7 else match[0]


def _left_side(match: re.Match[str]) -> str:
    words = OPERATORS | {"-": "minus", "/": "divided by"}
    return re.sub(r"[-+×÷*/=]", lambda sign: f" {words[sign[0]]} ", match[0])


def _capital(match: re.Match[str]) -> str:
    """A letter of a formula, said by its name."""
    return match[0].upper()


def _lettered(match: re.Match[str]) -> str:
    return f"{' '.join(match[1].upper())} {OPERATORS[match[2]]} "


def _power(match: re.Match[str]) -> str:
    value = "".join(str(SUPERSCRIPTS.index(c)) if c != "ⁿ" else "N" for c in match[1])
    return f" to the power of {value}"


def _suffix(letters: str | None) -> str:
    return SUFFIXES[letters.lower()] if letters else ""


def money(sign: str, number: str, scale: str = "") -> str:
    """An amount of money, in two coins where it has two decimals.

    Args:
        sign: a key of the table of money.
        number: digits with an optional decimal point.
        scale: thousand, million, ... or empty.
    """
    one, many, *coins = table("quantities")["money"][sign]["en"]
    whole, _, part = number.partition(".")
    if scale:
        return f"{_amount(number)} {scale} {many}"
    if not coins and part:
        return f"{_amount(number)} {many}"
    small = int(part[:2].ljust(2, "0")) if part else 0
    named = []
    if int(whole) or not small:
        named.append(f"{cardinal(whole)} {one if int(whole) == 1 else many}")
    if small:
        named.append(f"{cardinal(str(small))} {coins[0] if small == 1 else coins[1]}")
    return " and ".join(named)


def _amount(number: str) -> str:
    whole, point, part = number.partition(".")
    return cardinal(whole) + (f" point {spelled(part)}" if point else "")


def _money_range(match: re.Match[str]) -> str:
    sign, low, high, scale, suffix = match.groups()
    return f"{_amount(low)} to {money(sign, high, scale or _suffix(suffix))}"


def _unit(match: re.Match[str]) -> str:
    one, many = english_unit(match[2])
    return f"{_amount(match[1])} {one if match[1] == '1' else many}"


def _unit_before_noun(match: re.Match[str]) -> str:
    return f"{_amount(match[1])} {english_unit(match[2])[0]}"


def _unit_per_unit(match: re.Match[str]) -> str:
    one, many = english_unit(match[2])
    return f"{_amount(match[1])} {one if match[1] == '1' else many} per {english_unit(match[3])[0]}"


def _part_of_unit(match: re.Match[str]) -> str:
    one = english_unit(match[3])[0]
    article = "an" if one[0] in "aeiou" or one == "hour" else "a"
    return f"{fraction(match[1], match[2])} of {article} {one}"


def _mixed_unit(match: re.Match[str]) -> str:
    return f"{_mixed(match)} {english_unit(match[4])[1]}"


def _unit_range(match: re.Match[str]) -> str:
    return f"{_amount(match[1])} to {_amount(match[2])} {english_unit(match[3])[1]}"


def _mixed(match: re.Match[str]) -> str:
    part = "a half" if (match[2], match[3]) == ("1", "2") else fraction(match[2], match[3])
    return f"{cardinal(match[1])} and {part}"


def _years(match: re.Match[str]) -> str:
    last = match[3]
    return f"{match[1] or ''}{year(match[2])} to {year(last) if len(last) == 4 else cardinal(last)}"


def _amount_of(match: re.Match[str]) -> str:
    """A four-digit number of things is an amount, unless it ends in hundreds."""
    number = match[1] + match[2]
    return (
        number
        if match[2] == "00" or re.search(YEARLY + "$", match.string[: match.start()])
        else cardinal(number)
    )
