"""Japanese numbers, dates, units and signs in the spelling that Open JTalk reads aright.

Amounts stay in digits: Open JTalk knows how counters change them.
"""

import re
from collections.abc import Callable
from decimal import Decimal

from runtime.text.imports import once
from runtime.text.letters import greek_spelled
from runtime.text.quantities import MONEY_SIGNS, local_units, money_word
from runtime.text.width import CIRCLED, plain

Write = Callable[[re.Match[str]], str] | str
Spelling = tuple[str, Write]

NUM = r"[0-9]+(?:\.[0-9]+)?"
DATE = r"([12][0-9]{3})([-/.])(0?[1-9]|1[0-2])\2(0?[1-9]|[12][0-9]|3[01])"
CLOCK = r"([01]?[0-9]|2[0-4]):([0-5][0-9])(?::([0-5][0-9]))?"
SCALE = "(?:[十百千]?[万億兆]|[百千])"
MONEY_UNIT = "円|ドル|ユーロ|ポンド|ウォン|元|米ドル"
POWERS = {"k": 3, "K": 3, "m": 6, "M": 6, "b": 9, "B": 9, "bn": 9}
WON = "勝|負|敗|破|下し|引き分け|リード|制し"
DIGITS = dict(
    zip(
        "0123456789",
        ["ゼロ", "イチ", "ニー", "サン", "ヨン", "ゴー", "ロク", "ナナ", "ハチ", "キュー"],
        strict=True,
    )
)
OTHER_KANA = str.maketrans(  # of Ainu and of old spelling, which the dictionary lacks
    dict(zip("ㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿ", "クシストヌハヒフヘホムラリルレロ", strict=True))
    | {
        "ヷ": "ヴァ",
        "ヸ": "ヴィ",
        "ヹ": "ヴェ",
        "ヺ": "ヴォ",
        "ゕ": "ヵ",
        "ゖ": "ヶ",
        "ゟ": "より",
        "ヿ": "コト",
    }
)
NEEDS_WORDS = re.compile(rf"[\d½¼¾²³¹⁰⁴-⁹₀-₉〇\u2150-\u217f≥≤≠±‰√％℃㈱㈲]|{CIRCLED}")
SUMS = {"+": "たす", "-": "ひく", "×": "かける", "*": "かける", "÷": "わる", "/": "わる", "=": "は"}


def spelled_out(text: str) -> str:
    """The text with what Open JTalk would misread or pass over in words; the rest as it was."""
    if NEEDS_WORDS.search(text):
        text = plain(text)
        for pattern, write in _rules():
            text = pattern.sub(write, text)
    return greek_spelled(text, "ja").translate(OTHER_KANA)


@once
def _rules() -> tuple[tuple[re.Pattern[str], Write], ...]:
    spellings = (*_names(), *_times(), *_sums(), *_money(), *_units(), *_numbers())
    return tuple((re.compile(pattern), write) for pattern, write in spellings)


def _names() -> list[Spelling]:
    """Telephones and other numbers that are read digit by digit, and versions."""
    return [
        ("24/7", "24時間7日"),
        ("㈱", "株式会社"),
        ("㈲", "有限会社"),
        ("[〇一二三四五六七八九]*〇[〇一二三四五六七八九]+|[一二三四五六七八九]+〇", _positional),
        ("〇", "まる"),
        (r"(?<![0-9-])\+?0?[0-9]{1,4}[-(][0-9]{1,4}[-)][0-9]{3,4}(?![0-9-])", _told),
        (r"(?<![0-9-])[0-9]{3,}(?:-[0-9]{3,}){2,}(?![0-9-])", _told),
        (r"〒?(?<![0-9-])([0-9]{3}-[0-9]{4})(?![0-9-])", _told),
        (r"(?<![0-9.])[0-9]+(?:\.[0-9]+){2,}(?![0-9])", _version),
        (r"#([0-9]+)", r"\1番"),
        ("№ ?|No[.] ?(?=[0-9])", "ナンバー"),
    ]


def _times() -> list[Spelling]:
    return [
        (
            rf"(?<![0-9]){DATE}(?![0-9]|\2)(?:[T ](?=[0-9]))?",
            lambda m: f"{int(m[1])}年{int(m[3])}月{int(m[4])}日",
        ),
        (r"(?<![0-9])([12][0-9]{3})/(0?[1-9]|1[0-2])(?![0-9/])", _year_month),
        (r"(?<![0-9])([12][0-9]{3})-(0[1-9]|1[0-2])(?![0-9年-])", _year_month),
        (r"(?<![0-9/])(1[0-2]|0?[1-9])/(3[01]|[12][0-9]|0?[1-9])(?=[(（][月火水木金土日])", _day),
        (r"(?<![0-9/])(1[0-2]|0?[1-9])/(3[01]|2[0-9]|1[3-9])(?=に|から|まで|は|の)", _day),
        (rf"(?<![0-9:])([0-9]+)[-:]([0-9]+)(?![0-9:-])(?=[^。、]{{0,4}}?(?:{WON}))", r"\1タイ\2"),
        (r"(?<![0-9:])([0-9]+):([0-9])(?![0-9:])", r"\1タイ\2"),
        (r"(?<![0-9:])([0-9]+):([0-9]{3,}|[6-9][0-9])(?![0-9:])", r"\1タイ\2"),
        (rf"(?<![0-9:]){CLOCK}\s*[-~]\s*{CLOCK}(?![0-9:])", _clock_range),
        (rf"(?<![0-9:]){CLOCK}(?![0-9:])", lambda m: _clock(m[1], m[2], m[3])),
    ]


def _sums() -> list[Spelling]:
    chain = rf"(?<![0-9.-])-?{NUM}(?: ?[-+×÷*/=] ?-?{NUM})+(?![0-9])"
    return [
        (chain, _sum),
        (r"(?<=[0-9]) ?([+×÷]) ?(?=[0-9])", lambda m: SUMS[m[1]]),
        (rf"(?:≥|>=) ?({NUM}[点円人個度歳%]?)", r"\1以上"),
        (rf"(?:≤|<=) ?({NUM}[点円人個度歳%]?)", r"\1以下"),
        (rf"> ?({NUM}[点円人個度歳%]?)", r"\1より大きい"),
        (rf"< ?({NUM}[点円人個度歳%]?)", r"\1未満"),
        (r"≈ ?(?=[0-9])|(?<![0-9年月日時分秒点円度歳人個本枚回章話巻])~ ?(?=[0-9])", "約"),
        (r"(?<=[円時日分年歳])~(?=$|[。、\s])", "から"),
        (r"≠", "ノットイコール"),
        (r"√(?=[0-9])", "ルート"),
        (r"±", "プラスマイナス"),
        (r"(?<![0-9A-Za-z])\+(?=[0-9])", "プラス"),
        (r"(?<=[0-9])²", "の2乗"),
        (r"(?<=[0-9])³", "の3乗"),
        (r"(?<=[0-9]) ?=(?= ?[0-9])", "は"),
        (r"([0-9]+)\+(?=人|名|個|件|点|年|$)", r"\1以上の"),
    ]


def _money() -> list[Spelling]:
    sign = "|".join(re.escape(one) for one in MONEY_SIGNS)
    grouped = rf"{NUM}(?:[-~]{NUM})?"
    return [
        (rf"({sign}) ?({NUM})(bn|[kKmMbB])(?![A-Za-z])", _scaled),
        (rf"(-?)({sign}) ?({grouped})({SCALE}*)({MONEY_UNIT})?", _amount_of_money),
        (rf"({grouped}{SCALE}*) ?({sign})", lambda m: f"{_short(m[1])}{money_word(m[2], 'ja')}"),
    ]


def _units() -> list[Spelling]:
    return [
        (r"[\s\S]+", lambda m: local_units(m[0], "ja")),
        ("([時秒]速) ?\\1", r"\1"),
        (r"(?<=[0-9]) ?(?:℃|°C|°)", "度"),
        (r"(?<=[0-9])%(?=増[えやし])", "パーセント "),  # else Open JTalk takes it for a suffix
        (r"(?<=[0-9])%", "パーセント"),
        (r"(?<=[0-9])‰", "パーミル"),
    ]


def _numbers() -> list[Spelling]:
    after = "[0-9万億千百十パ度円年月日時分秒点歳人個本枚回章話巻キメグセミリト]"
    return [
        (r"(?<![0-9.])([0-9]+) ([0-9]+)/([0-9]+)(?![0-9/])", r"\1と\3分の\2"),
        (r"(?<![0-9./])([0-9]+)/([0-9]+)(?![0-9/])", r"\2分の\1"),
        (rf"(?<={after}) ?[~〜] ?(?=-?[0-9¥$])", "から"),
        (r"(?<=[ント度円年月日時分秒点歳人個本枚回章話巻ムルロ])-(?=[0-9])", "から"),
        (rf"({NUM})-({NUM})(?=は)", _falling),
        (r"(?<=[0-9])-(?=[0-9])", "から"),
        (r"(?<![0-9A-Za-z])-(?=[0-9])", "マイナス"),
        (r"(?<![0-9])\.(?=[0-9])", "0．"),
        (r"(?<=[0-9])\.(?=[0-9])", "．"),
        (r"(?<=[0-9]),(?=[0-9])", "、"),
    ]


def _positional(match: re.Match[str]) -> str:
    """`二〇二四` in digits, which Open JTalk reads as one number."""
    return "".join(str("〇一二三四五六七八九".index(char)) for char in match[0])


def _told(match: re.Match[str]) -> str:
    groups = re.findall("[0-9]+", match[0])
    return "、".join("".join(DIGITS[digit] for digit in group) for group in groups)


def _falling(match: re.Match[str]) -> str:
    """`10-3は` is a subtraction, `3-5は` a range."""
    falls = Decimal(match[1]) > Decimal(match[2])
    return f"{match[1]}{'ひく' if falls else 'から'}{match[2]}"


def _version(match: re.Match[str]) -> str:
    return match[0] if re.fullmatch(DATE, match[0]) else match[0].replace(".", "点")


def _year_month(match: re.Match[str]) -> str:
    return f"{match[1]}年{int(match[2])}月"


def _day(match: re.Match[str]) -> str:
    return f"{int(match[1])}月{int(match[2])}日"


def _clock(hour: str, minute: str, second: str | None) -> str:
    said = f"{int(hour)}時" + (f"{int(minute)}分" if minute != "00" else "")
    return said + (f"{int(second)}秒" if second and second != "00" else "")


def _clock_range(match: re.Match[str]) -> str:
    return f"{_clock(match[1], match[2], match[3])}から{_clock(match[4], match[5], match[6])}"


def _sum(match: re.Match[str]) -> str:
    """A sum in words; ranges, dates and fractions are none."""
    if not re.search(r"[+×÷*=]", match[0]):
        return match[0]
    said = re.sub(r"(?<=[0-9]) ?([-+×÷*/=]) ?(?=-?[0-9])", lambda sign: SUMS[sign[1]], match[0])
    return re.sub("(?<=[たひかわは])-|(?<=[すくる])-", "マイナス", said)


def _short(number: str) -> str:
    return re.sub(r"\.([0-9]*?)0+(?![0-9])", lambda m: f".{m[1]}" if m[1] else "", number)


def _amount_of_money(match: re.Match[str]) -> str:
    minus, sign, number, scale, unit = match.groups()
    return f"{minus}{_short(number)}{scale}{unit or money_word(sign, 'ja')}"


def _scaled(match: re.Match[str]) -> str:
    value = Decimal(match[2]).scaleb(POWERS[match[3]])
    for power, word in ((8, "億"), (4, "万")):
        if value >= 10**power:
            return f"{_short(f'{value.scaleb(-power):f}')}{word}{money_word(match[1], 'ja')}"
    return f"{_short(f'{value:f}')}{money_word(match[1], 'ja')}"
