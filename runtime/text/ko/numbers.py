"""Numbers in Korean words: Sino-Korean, native before counters, and digit by digit."""

SINO = "영일이삼사오육칠팔구"
SMALL = ("", "십", "백", "천")
LARGE = ("", "만", "억", "조", "경")
TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")
ONES = ("", "한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉")
LONGEST = 4 * len(LARGE)


def digits(number: str) -> str:
    """Digit by digit; other characters stay."""
    return "".join(
        SINO[int(char)] if char.isascii() and char.isdigit() else char for char in number
    )


def sino(number: str) -> str:
    """The amount in Sino-Korean; one that is too long is read digit by digit."""
    if len(number) > LONGEST:
        return digits(number)
    number = number.lstrip("0")
    groups = [number[max(end - 4, 0) : end] for end in range(len(number), 0, -4)]
    said = ""
    for power, group in enumerate(groups):
        words = _thousand(group)
        if words:
            one = power == 1 and words == "일"  # 만, not 일만
            said = ("" if one and power == len(groups) - 1 else words) + LARGE[power] + said
    return said or SINO[0]


def native(number: str) -> str:
    """The amount before a counter: native below 100, Sino-Korean hundreds before it."""
    value = int(number)
    if value == 0 or value > 999:
        return sino(number)
    hundreds, rest = divmod(value, 100)
    head = sino(str(hundreds * 100)) if hundreds else ""
    if rest == 20:
        return head + "스무"
    return head + TENS[rest // 10] + ONES[rest % 10]


def decimal(number: str) -> str:
    """An amount that may have decimals; the point is said 쩜, as it sounds."""
    whole, point, part = number.partition(".")
    return sino(whole or "0") + (f"쩜{digits(part)}" if point else "")


def _thousand(group: str) -> str:
    said = ""
    for place, char in enumerate(reversed(group)):
        if char != "0":
            one = char == "1" and place > 0
            said = ("" if one else SINO[int(char)]) + SMALL[place] + said
    return said
