"""Numbers in Chinese words: as amounts, digit by digit, and as phone numbers are read."""

DIGITS = "零一二三四五六七八九"
UNITS = ((8, "亿"), (4, "万"), (3, "千"), (2, "百"), (1, "十"))


def digits(number: str) -> str:
    """Digit by digit; other characters stay."""
    return "".join(DIGITS[int(c)] if c in "0123456789" else c for c in number)


def digit_by_digit(number: str) -> str:
    """Digit by digit as telephone numbers are read: 1 is 幺."""
    return digits(number).replace("一", "幺")


def cardinal(number: str) -> str:
    """The amount; leading zeros are ignored, 10 to 19 start with 十."""
    words = _amount(number.lstrip("0")) or DIGITS[0]
    return words[1:] if words.startswith("一十") else words


def amount(number: str) -> str:
    """An amount with an optional sign and decimals, as `-3.50` or `.5`.

    Trailing zeros of the decimals are dropped, but one zero shows that there were some.
    """
    sign = "负" if number.startswith("-") else ""
    whole, point, decimals = number.lstrip("-").partition(".")
    words = sign + cardinal(whole)
    if not point:
        return words
    short = decimals.rstrip("0")
    zero = DIGITS[0] if len(short) < len(decimals) else ""
    return f"{words}点{digits(short)}{zero}"


def _amount(number: str) -> str:
    """Words of digits without leading zeros; empty for none."""
    if len(number) < 2:
        return digits(number)
    power, unit = next((p, u) for p, u in UNITS if p < len(number))
    head, tail = number[:-power], number[-power:]
    rest = tail.lstrip("0")
    gap = DIGITS[0] if rest and len(rest) < len(tail) else ""
    return _amount(head) + unit + gap + _amount(rest)
