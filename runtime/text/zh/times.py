"""Dates and times of day in Chinese words, and ratios and scores that look like them."""

import re

from runtime.text.zh.numbers import cardinal, digits
from runtime.text.zh.rules import Spelling

YEAR = r"((?:1[0-9]|20|21)[0-9]{2})"
MONTH = r"(0?[1-9]|1[0-2])"
DAY = r"(0?[1-9]|[12][0-9]|3[01])"
CLOCK = r"([01]?[0-9]|2[0-4]):([0-5][0-9])(?::([0-5][0-9]))?"
WINS = (
    "获胜|取胜|战胜|击败|领先|落后|大胜|完胜|险胜|小胜|惜败|战平|打平|平局|逆转|淘汰|力克|不敌|负于|横扫|告负"
    "|晋级|夺冠|拿下|胜出|战绩|大败|赢|输|胜|负"
)
SCORED = "比分|比数|总比分|大比分|赛果|比例|比率|配比|按|赔率"
SPAN = r"年(?![前后间间内里来以之多])"
NO_SPAN = "前后间内里来以之多历寿"


def times() -> list[Spelling]:
    """Rules for dates, scores, ratios and times, in order."""
    return [*_dates(), *_ratios(), *_clocks()]


def _dates() -> list[Spelling]:
    clock = r"(?=(?:[01]?[0-9]|2[0-4]):[0-5][0-9])"
    return [
        (rf"(?<![0-9.]){YEAR}([-/.]){MONTH}\2{DAY}(?![0-9]|\2)(?:[T ]+{clock}|日(?!期))?", _date),
        (rf"(?<![0-9.]){YEAR}[/]{MONTH}(?![0-9/])月?", lambda m: _year_month(m[1], m[2])),
        (rf"(?<![0-9.]){YEAR}-(0[1-9]|1[0-2])(?![0-9\-年])月?", lambda m: _year_month(m[1], m[2])),
        (rf"(?<![0-9]){YEAR}([-~到至]){YEAR}(?=年|财年|赛季|学年)", _years),
        (rf"(?<![0-9]){YEAR}[-/]([0-9]{{2}})(?=年|财年|赛季|学年)", _years_short),
        (r"(?<![0-9])([0-9]{4})(?=年代)", lambda m: digits(m[1])),
        (rf"(?<![0-9])([0-9]{{4}})年(?![{NO_SPAN}])", _year),
        (rf"(?<![0-9])([0-9]{{2}})年(?={MONTH}月)", lambda m: f"{digits(m[1])}年"),
        (r"(?<![0-9])((?:0[0-9]|[5-9][0-9]))年(?![代前后间内里来以之多历寿])", r"\1年"),
        (r"(?<![0-9])(0[0-9])年", lambda m: f"{digits(m[1])}年"),
        (rf"(?<=[日号])-(?=(?:{MONTH}月)?{DAY}[日号])|(?<=月)-(?={MONTH}月)", "到"),
        (rf"(?<![0-9]){MONTH}月{DAY}[-~到至]{DAY}([日号])", _days),
        (rf"(?<![0-9.]){MONTH}月(?:{DAY}(?=[日号]))?", _month),
        (r"(?<=周[一二三四五六日天])-(?=周?[一二三四五六日天])", "到"),
        (r"(?<=星期[一二三四五六日天])-(?=(?:星期)?[一二三四五六日天])", "到"),
        (rf"(?<![0-9])(20[0-4][0-9]|19[0-9]{{2}})(?={YEARLY})", lambda m: digits(m[1])),
    ]


YEARLY = (
    "春|夏|秋|冬|奥运|世界杯|欧洲杯|届|款|版|赛季|财年|全年|新年|级|毕业|考研|高考|亚运|双十|国庆"
    "|元旦"
)


def _ratios() -> list[Spelling]:
    score = r"([0-9]{1,3})[-:]([0-9]{1,3})"
    return [
        (rf"(?<=[以队]){score}(?![0-9:-])(?=[^，。]{{0,6}}队|[^，。]{{0,3}}(?:{WINS}))", _ratio),
        (rf"(?<=以){score}(?![0-9:])", _ratio),
        (rf"(?<![0-9:\-]){score}(?![0-9:\-])(?=[^，。！？,!?]{{0,6}}?(?:{WINS}))", _ratio),
        (
            rf"((?:{SCORED})[^，。！？,!?0-9]{{0,4}}){score}(?![0-9:\-])",
            lambda m: m[1] + _ratio(m, 2),
        ),
        (r"(?<![0-9:.])[0-9]+(?::[0-9]+){2,}(?![0-9:])", _many_ratio),
        (r"(?<![0-9:.])([0-9]+(?:\.[0-9]+)?):([0-9]|[0-9]{3,}|[0-9]+\.[0-9]+)(?![0-9:])", _ratio),
        (r"(?<![0-9:.])(2[5-9]|[3-9][0-9]|[0-9]{3,}):([0-9]+)(?![0-9:])", _ratio),
        (r"(?<![0-9:.])([0-9]+):([6-9][0-9])(?![0-9:])", _ratio),
    ]


def _clocks() -> list[Spelling]:
    return [
        (rf"(?<=[用时长历耗][了时为是])\s?{CLOCK}(?![0-9])", _duration),
        (
            rf"(?<![0-9]){CLOCK} ?[-~到至] ?{CLOCK}(?![0-9])",
            lambda m: f"{_clock(m[1], m[2], m[3])}至{_clock(m[4], m[5], m[6])}",
        ),
        (rf"(?<![0-9]){CLOCK}(?:Z|\.[0-9]+Z?)?(?![0-9])", lambda m: _clock(m[1], m[2], m[3])),
    ]


def _date(match: re.Match[str]) -> str:
    return f"{digits(match[1])}年{cardinal(match[3])}月{cardinal(match[4])}日"


def _year_month(year: str, month: str) -> str:
    return f"{digits(year)}年{cardinal(month)}月"


def _year(match: re.Match[str]) -> str:
    return f"{digits(match[1])}年"


def _years(match: re.Match[str]) -> str:
    return f"{digits(match[1])}{'至' if match[2] == '至' else '到'}{digits(match[3])}"


def _years_short(match: re.Match[str]) -> str:
    return f"{digits(match[1])}到{digits(match[2])}"


def _month(match: re.Match[str]) -> str:
    return f"{cardinal(match[1])}月{cardinal(match[2]) if match[2] else ''}"


def _days(match: re.Match[str]) -> str:
    return f"{cardinal(match[1])}月{cardinal(match[2])}到{cardinal(match[3])}{match[4]}"


def _ratio(match: re.Match[str], first: int = 1) -> str:
    return f"{match[first]}比{match[first + 1]}"


def _many_ratio(match: re.Match[str]) -> str:
    """`1:2:3` as a ratio; a time with seconds stays for the rules of times."""
    return match[0] if re.fullmatch(CLOCK, match[0]) else match[0].replace(":", "比")


def _duration(match: re.Match[str]) -> str:
    if match[3] is None:
        return f"{cardinal(match[1])}分{_padded(match[2])}秒"
    hours = "两" if int(match[1]) == 2 else cardinal(match[1])
    return f"{hours}小时{_padded(match[2])}分{_padded(match[3])}秒"


def _clock(hour: str, minute: str, second: str | None) -> str:
    words = f"{'两' if int(hour) == 2 else cardinal(hour)}点"
    if minute == "30" and not (second and second != "00"):
        words += "半"
    elif minute != "00":
        words += f"{_padded(minute)}分"
    return words + (f"{_padded(second)}秒" if second and second != "00" else "")


def _padded(number: str) -> str:
    return ("零" if number.startswith("0") else "") + cardinal(number)
