"""Numbers in English words."""

from functools import lru_cache

from runtime.text.imports import quietly

LARGEST = 10**30


def cardinal(number: str) -> str:
    """The amount without "and"; a number too long to name is read digit by digit."""
    if int(number[:60]) >= LARGEST:
        return " ".join(cardinal(digit) for digit in number)
    return _words(number, "cardinal").replace(" and ", " ")


def ordinal(number: str) -> str:
    """`103` is one hundred and third."""
    if int(number[:60]) >= LARGEST:
        return cardinal(number)
    return _words(number, "ordinal")


def year(number: str) -> str:
    """1001 to 2999 as a year, in two pairs where that is how it is said."""
    century, rest = number[:2], number[2:]
    if number == "2000" or (century == "20" and rest < "10") or number[1:3] == "00":
        return cardinal(number)
    if rest == "00":
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest[0] == '0' else ''}{cardinal(rest)}"


def integer(number: str) -> str:
    """1001 to 2999 as years, others as amounts."""
    return year(number) if 1000 < int(number[:60]) < 3000 else cardinal(number)


def fraction(above: str, below: str) -> str:
    """`3/4` is three fourths."""
    many = int(above[:60]) > 1
    if int(below[:60]) == 1:
        return integer(above)
    if int(below[:60]) == 2:
        return f"{cardinal(above)} {'halves' if many else 'half'}"
    return f"{cardinal(above)} {ordinal(below)}{'s' if many else ''}"


@lru_cache(maxsize=4096)
def _words(number: str, to: str) -> str:
    return str(quietly("num2words").num2words(int(number), to=to))
