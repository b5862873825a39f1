"""Korean numbers, dates, units and signs in hangul."""

import re
from collections.abc import Callable
from decimal import Decimal

from runtime.text.imports import once
from runtime.text.ko.numbers import decimal, digits, native, sino
from runtime.text.letters import greek_spelled
from runtime.text.quantities import MONEY_SIGNS, local_units, money_word
from runtime.text.width import CIRCLED, plain

Write = Callable[[re.Match[str]], str] | str
Spelling = tuple[str, Write]

NUM = r"[0-9]+(?:\.[0-9]+)?"
DATE = r"([12][0-9]{3})([-/.])(0?[1-9]|1[0-2])\2(0?[1-9]|[12][0-9]|3[01])"
CLOCK = r"([01]?[0-9]|2[0-4]):([0-5][0-9])(?::([0-5][0-9]))?"
NATIVE = (
    *(
        "시간",
        "개(?!월|국|년|소)",
        "마리",
        "명",
        "사람",
        "살",
        "시(?!즌|리즈)",
        "권",
        "장",
        "잔",
        "병",
    ),
    *(
        "채",
        "그루",
        "송이",
        "켤레",
        "벌",
        "자루",
        "척",
        "번째",
        "가지",
        "군데",
        "곳",
        "달(?!러)",
        "통",
    ),
    *(
        "판",
        "그릇",
        "컵",
        "조각",
        "쌍",
        "줄",
        "다발",
        "상자",
        "박스",
        "봉지",
        "포기",
        "접시",
        "발짝",
    ),
    *(
        "모금",
        "바퀴",
        "배(?!럴)",
        "걸음",
        "끼",
        "마디",
        "방울",
        "알",
        "톨",
        "큰술",
        "작은술",
        "차례",
    ),
    *(
        "묶음",
        "꾸러미",
        "움큼",
        "숟가락",
        "닢",
        "두름",
        "첩",
        "축",
        "뭇",
        "쌈",
        "돌",
        "세트",
        "스푼",
    ),
)
BUS = (
    " ?(?:출구|버스|국도|홈|타자|문제|선수|트랙|방|게이트|채널|노선|도로|승강장|창구|후보"
    "|이다|입니다)"
)
VEHICLES = re.compile(
    "(?:차|자동차|컴퓨터|트럭|버스|택시|기계|비행기|노트북|로봇|자전거|승용차)"
    "[가를은는이도와과]? ?$"
)
TWENTIES = re.compile(r"[1-9]0$")
WON = "승|패|이겼|이기|졌|앞서|앞섰|꺾|무승부|비겼|역전|리드"
POWERS = {"k": 3, "K": 3, "m": 6, "M": 6, "b": 9, "B": 9, "bn": 9}
SUMS = {"+": "더하기", "-": "빼기", "×": "곱하기", "*": "곱하기", "÷": "나누기", "/": "나누기"}
NEEDS_WORDS = re.compile(rf"[\d½¼¾²³¹⁰⁴-⁹₀-₉\u2150-\u217f%‰℃]|{CIRCLED}")


def spelled_out(text: str) -> str:
    """The text with numbers and their signs in words; the rest as it was."""
    if NEEDS_WORDS.search(text):
        text = plain(text)
        for pattern, write in _rules():
            text = pattern.sub(write, text)
    return greek_spelled(text, "ko")


@once
def _rules() -> tuple[tuple[re.Pattern[str], Write], ...]:
    spellings = (*_names(), *_times(), *_sums(), *_money(), *_units(), *_ranges(), *_numbers())
    return tuple((re.compile(pattern), write) for pattern, write in spellings)


def _names() -> list[Spelling]:
    return [
        ("24/7", "24시간 7일"),
        (
            r"(?<![0-9-])\+?0?[0-9]{1,4}-[0-9]{3,4}-[0-9]{3,4}(?![0-9-])",
            lambda m: digits(m[0].lstrip("+")),
        ),
        (r"(?<![0-9-])1[568][0-9]{2}-[0-9]{4}(?![0-9-])", lambda m: digits(m[0])),
        (r"(?<![0-9.])[0-9]+(?:\.[0-9]+){2,}(?![0-9])", _version),
        (r"(?<![0-9.])01[016789][0-9]{7,8}(?![0-9])", lambda m: digits(m[0])),
        (r"(?<![0-9.:/-])00[0-9]+(?![0-9.:/]|호)", lambda m: digits(m[0])),
        (r"#([0-9]+)", lambda m: f"{sino(m[1])}번"),
        (r"(?<![0-9.])([0-9])·([0-9]{1,2})(?![0-9])", lambda m: digits(m[1] + m[2])),
        (
            r"(?<![0-9.])(1[12][0-9])(?=(?:에|로|번으로|번에)? ?(?:전화|신고|구급|상담|연락))",
            lambda m: digits(m[1]),
        ),
        (r"№ ?|No\. ?(?=[0-9])", "넘버 "),
    ]


def _times() -> list[Spelling]:
    return [
        (
            rf"(?<![0-9]){DATE}(?![0-9]|\2)(?:T(?=[0-9]))?",
            lambda m: f"{m[1]}년 {int(m[3])}월 {int(m[4])}일",
        ),
        (
            r"(?<![0-9])([12][0-9]{3})[-/](0[1-9]|1[0-2])(?![0-9/년-])",
            lambda m: f"{m[1]}년 {int(m[2])}월",
        ),
        (rf"(?<![0-9:])([0-9]+) ?[-:] ?([0-9]+)(?![0-9:-])(?=[^,.]{{0,5}}?(?:{WON}))", _versus),
        (r"(?<![0-9:])([0-9]+):([0-9])(?![0-9:])", _versus),
        (r"(?<![0-9:])([0-9]+):([0-9]{3,}|[6-9][0-9])(?![0-9:])", _versus),
        (rf"(?<![0-9:]){CLOCK}\s*[-~]\s*{CLOCK}(?![0-9:])", _clock_range),
        (rf"(?<![0-9:]){CLOCK}(?![0-9:])", lambda m: _clock(m[1], m[2], m[3])),
        (r"(?<![0-9.])6월", "유월"),
        (r"(?<![0-9.])10월", "시월"),
    ]


def _sums() -> list[Spelling]:
    chain = rf"(?<![0-9.-])-?{NUM}(?: ?[-+×÷*/=] ?-?{NUM})+(?![0-9])"
    counted = "[점원명개도세살%]?"
    return [
        (chain, _sum),
        (rf"(?:≥|>=) ?({NUM}{counted})", r"\1 이상"),
        (rf"(?:≤|<=) ?({NUM}{counted})", r"\1 이하"),
        (rf"> ?({NUM}{counted})", r"\1 초과"),
        (rf"< ?({NUM}{counted})", r"\1 미만"),
        (r"≈ ?(?=[0-9])|(?<![0-9])~ ?(?=[0-9])", "약 "),
        (r"√(?=[0-9])", "루트 "),
        (r"±", "플러스마이너스 "),
        (r"(?<![0-9A-Za-z])\+(?=[0-9])", "플러스 "),
        (r"(?<=[0-9])²", "의 제곱"),
        (r"(?<=[0-9])³", "의 세제곱"),
    ]


def _money() -> list[Spelling]:
    sign = "|".join(re.escape(one) for one in MONEY_SIGNS)
    scale = "(?: ?[십백천]?[만억조])"
    return [
        (rf"({sign}) ?({NUM})(bn|[kKmMbB])(?![A-Za-z])", _scaled),
        (rf"(-?)({sign}) ?({NUM}(?:[-~]{NUM})?)({scale}*)(?:원|달러|엔|유로)?", _amount_of_money),
        (rf"({NUM}{scale}*) ?({sign})", lambda m: f"{_short(m[1])} {money_word(m[2], 'ko')}"),
    ]


def _units() -> list[Spelling]:
    return [
        (rf"(?<![0-9A-Za-z.])-({NUM}) ?(?:℃|°C|도)", r"영하 \1도"),
        (r"[\s\S]+", lambda m: local_units(m[0], "ko", " ")),
        ("([시초]속) ?\\1", r"\1"),
        (r"(?<=[0-9]) ?(?:℃|°C|°)", "도"),
        (r"(?<=[0-9])%p", "퍼센트포인트"),
        (r"(?<=[0-9])%", "퍼센트"),
        (r"(?<=[0-9])‰", "퍼밀"),
    ]


def _ranges() -> list[Spelling]:
    native_counter = "|".join(NATIVE)
    after = "[0-9만억천백십트도원년월일시분초점세명개살미그터램]"
    return [
        (r"제 ?([0-9]+) ?[-~] ?([0-9]+)", lambda m: f"제{sino(m[1])}에서 {sino(m[2])}"),
        (
            rf"(?<![0-9.제])([0-9]{{1,2}}) ?[-~] ?([0-9]{{1,2}})( ?)({native_counter})",
            lambda m: f"{native(m[1])} {m[4]}에서 {native(m[2])}{m[3]}{m[4]}",
        ),
        (r"(?<![0-9.])([0-9]+) ([0-9]+)/([0-9]+)(?![0-9/])", _mixed),
        (r"(?<![0-9./])([0-9]+)/([0-9]+)(?![0-9/])", lambda m: f"{sino(m[2])}분의 {sino(m[1])}"),
        (rf"(?<={after}) ?[~〜] ?(?=-?[0-9])", "에서 "),
        (rf"(?<={after}) ?- ?(?=[0-9])", "에서 "),
        (r"(?<![0-9A-Za-z가-힣])-(?=[0-9])", "마이너스 "),
        (r"(?<![0-9A-Za-z])-(?=[0-9])", " 마이너스 "),
    ]


def _numbers() -> list[Spelling]:
    return [
        (rf"(?<![0-9.제])([0-9]+)( ?)({'|'.join(NATIVE)})", _counted),
        (rf"(?<![0-9.])([0-9]+)( ?)번(?!째|호)(?!{BUS})", lambda m: f"{native(m[1])}{m[2]}번"),
        (r"(?<![0-9.])([0-9]+) ?대 ?([0-9]+)(?=의|로|이|[,.。!?]|$)", _versus),
        (r"(?<![0-9.])([0-9]+)( ?)대(?![0-9])", _many_or_decade),
        (r"(?<![0-9])1(?=만(?![0-9]))", ""),
        (r"([0-9]*\.[0-9]+)", lambda m: decimal(m[1])),
        (r"[0-9]+", lambda m: sino(m[0])),
        (r"(?<=[가-힣]),(?=[가-힣])", ", "),
    ]


def _version(match: re.Match[str]) -> str:
    if re.fullmatch(DATE, match[0]):
        return match[0]
    return "쩜".join(sino(part) for part in match[0].split("."))


def _versus(match: re.Match[str]) -> str:
    return f"{sino(match[1])} 대 {sino(match[2])}"


def _clock(hour: str, minute: str, second: str | None) -> str:
    said = f"{native(hour) if int(hour) else '영'}시"
    if minute != "00":
        said += f" {sino(minute)}분"
    return said + (f" {sino(second)}초" if second and second != "00" else "")


def _clock_range(match: re.Match[str]) -> str:
    return f"{_clock(match[1], match[2], match[3])}에서 {_clock(match[4], match[5], match[6])}"


def _sum(match: re.Match[str]) -> str:
    """A sum in words; ranges, dates and fractions are none."""
    if not re.search(r"[+×÷*=]", match[0]):
        return match[0]
    said = ""
    for token in re.findall(rf"(?<=[0-9]) ?[-+×÷*/=] ?(?=-?[0-9])|-?{NUM}", match[0]):
        sign = token.strip()
        if sign == "=":
            said += f"{_topic(said)} "
        elif sign in SUMS:
            said += f" {SUMS[sign]} "
        else:
            said += ("마이너스 " if sign[0] == "-" else "") + decimal(sign.lstrip("-"))
    return said


def _topic(word: str) -> str:
    """The topic particle that fits the last syllable."""
    closed = "가" <= word[-1:] <= "힣" and (ord(word[-1]) - 0xAC00) % 28
    return "은" if closed else "는"


def _short(number: str) -> str:
    return re.sub(r"\.([0-9]*?)0+(?![0-9])", lambda m: f".{m[1]}" if m[1] else "", number)


def _amount_of_money(match: re.Match[str]) -> str:
    minus, sign, number, scale = match.groups()
    joined = "" if sign in ("₩", "¥") else " "
    return f"{minus}{_short(number)}{scale}{joined}{money_word(sign, 'ko')}"


def _scaled(match: re.Match[str]) -> str:
    value = Decimal(match[2]).scaleb(POWERS[match[3]])
    for power, word in ((8, "억"), (4, "만")):
        if value >= 10**power:
            return f"{_short(f'{value.scaleb(-power):f}')}{word} {money_word(match[1], 'ko')}"
    return f"{_short(f'{value:f}')} {money_word(match[1], 'ko')}"


def _mixed(match: re.Match[str]) -> str:
    whole = sino(match[1])
    joined = "과" if _topic(whole) == "은" else "와"
    return f"{whole}{joined} {sino(match[3])}분의 {sino(match[2])}"


def _counted(match: re.Match[str]) -> str:
    number, blank, counter = match.groups()
    value = int(number)
    if counter == "번째" and value == 1:
        return f"첫{blank or ' '}번째"
    formal = (counter == "명" and value >= 100) or (counter == "시간" and value > 20)
    return f"{sino(number) if formal else native(number)}{blank}{counter}"


def _many_or_decade(match: re.Match[str]) -> str:
    """`20대` is an age, `차 20대` is twenty of them."""
    number, blank = match.groups()
    decade = TWENTIES.fullmatch(number) and not VEHICLES.search(match.string[: match.start()])
    return f"{sino(number) if decade or int(number) > 99 else native(number)}{blank}대"
