"""Amounts in Chinese words: money, units, percentages, ranges, sums and what is counted."""

import re
from decimal import Decimal

from runtime.text.quantities import MONEY_SIGNS, local_units, money_word
from runtime.text.tables import table
from runtime.text.zh.numbers import amount, cardinal, digits
from runtime.text.zh.rules import NUM, SCALE, Spelling, either

GROUPED = rf"(?:{NUM})(?:[-~到至](?:{NUM}))?"
THOUSANDS = {"k": 3, "K": 3, "m": 6, "M": 6, "b": 9, "B": 9, "bn": 9}
NOT_PAIRS = (
    "两",
    "月",
    "日",
    "世",
    "代",
    "更",
    "伏",
    "丝",
    "号",
    "楼",
    "级",
    "程",
    "春",
    "夏",
    "秋",
)
MORE_COUNTED = (
    *(
        "点",
        "倍",
        "字",
        "遍",
        "种",
        "款",
        "样",
        "公里",
        "公斤",
        "公顷",
        "步",
        "楼梯",
        "声",
        "眼",
        "拳",
    ),
    *("下子", "者", "端", "边", "国", "种类", "部", "集", "门", "份", "节", "餐", "顿", "番", "趟"),
    *("平方米", "立方米", "平方千米", "平方公里", "毫升", "毫秒", "分钟", "美元", "欧元", "英镑"),
    *("日元", "港元", "韩元", "英里", "英尺", "英寸", "磅", "盎司", "吨", "瓦", "伏", "千瓦", "兆"),
    *("分贝", "像素", "亿", "星", "阶", "档", "格", "针", "组", "句", "行", "筐", "车", "船", "晚"),
)


def quantities() -> list[Spelling]:
    """Rules for money, units, percentages, ranges and sums, in order."""
    return [*_comparisons(), *_money(), *_units(), *_sums(), *_ranges(), *_shares()]


def _comparisons() -> list[Spelling]:
    return [
        (r"(?<![0-9]) ?[±] ?(?=[0-9])", "正负"),
        (r"(?<=[0-9]) ?± ?(?=[0-9])", "加减"),
        (r"≥|>=|⩾", "大于等于"),
        (r"≤|<=|⩽", "小于等于"),
        (r"≠|!=", "不等于"),
        (r"≈", "约等于"),
        (r">(?= ?[-0-9.])", "大于"),
        (r"<(?= ?[-0-9.])", "小于"),
        (r"∞", "无穷大"),
    ]


def _money() -> list[Spelling]:
    unit = "(?:元|美元|美金|块|欧元|英镑|日元|港元|港币|韩元|人民币)"
    sign = either(MONEY_SIGNS)
    return [
        (rf"(?<=[0-9万亿kKmMbB]) ?[-~] ?(?={sign} ?[0-9])", "到"),
        (rf"({sign}) ?({NUM})(bn|[kKmMbB])(?![A-Za-z])", _scaled),
        (rf"(-?)({sign}) ?({GROUPED})({SCALE}*)({unit})?", _signed_money),
        (
            rf"({GROUPED})({SCALE}*) ?({sign})",
            lambda m: f"{_short(m[1])}{m[2]}{money_word(m[3], 'zh')}",
        ),
    ]


def _units() -> list[Spelling]:
    ranged = either(table("zh")["range_units"])
    return [
        (rf"(血压[^0-9，。]{{0,3}}{NUM})/(?={NUM})", r"\1，"),
        (rf"(?<![0-9A-Za-z])\+({NUM}) ?(?:℃|°C|度)", r"零上\1度"),
        (rf"({NUM}{ranged}) ?~ ?({NUM}{ranged})", lambda m: f"{m[1]}至{m[2]}"),
        (r"[\s\S]+", lambda m: local_units(m[0], "zh")),
        (
            rf"(?<![0-9.])(-?){NUM_GROUP}(?:([-~到至])(-?){NUM_GROUP})?(华氏|摄氏)?度",
            _degrees,
        ),
        (
            rf"(?<![0-9A-Za-z.])(-?)({NUM})°(?![A-Za-z])",
            lambda m: f"{_minus(m[1])}{amount(m[2])}度",
        ),
    ]


NUM_GROUP = rf"({NUM})"


def _sums() -> list[Spelling]:
    tables = table("zh")
    words = {"+": "加", "-": "减", "×": "乘", "*": "乘", "÷": "除", "=": "等于"}
    powers = tables["superscripts"]
    operand = rf"(?:-?{NUM}|\.[0-9]+|[A-Za-z])"
    power = f"[{''.join(powers)}]"
    chain = rf"{operand}{power}*(?: ?[-+×÷*=/] ?{operand}{power}*)+"

    def spoken(match: re.Match[str]) -> str:
        if not re.search(r"[+×÷*=]", match[0]):
            return match[0]
        said = re.sub(
            rf"(?<=[0-9A-Za-z{''.join(powers)}]) ?([-+×÷*=]) ?(?=[-.0-9A-Za-z])",
            lambda m: words[m[1]],
            match[0],
        )
        return re.sub(rf"(?<=[加减乘除于])-(?={NUM})", "负", said)

    return [
        (chain, spoken),
        (f"{power}+", lambda m: f"的{''.join(powers[c] for c in m[0])}次方"),
        (r"\^(-?[0-9]+)", r"的\1次方"),
        (r"√(?=[0-9])", "根号"),
        (r"(?<![0-9A-Za-z+]) ?=(?= ?[-0-9.])", "等于"),
        (r"(?<![0-9A-Za-z+加减乘除于])\+(?=[0-9])", "正"),
        (r"(?:#|№|No\.) ?([0-9]+)(?!号)", r"\1号"),
    ]


def _ranges() -> list[Spelling]:
    between = r"(?<=[0-9%‰度年月日号点分秒元米克升斤万亿千百里岁倍])"
    ascending = rf"(?<![0-9.\-])({NUM})-({NUM})(?![0-9.\-])"
    return [
        (ascending, _range),
        (rf"{between} ?[-~] ?(?=-?[0-9])", "到"),
        (rf"{between} ?[~] ?(?=[{SIGNS}])", "到"),
        (r"(?<=[0-9])([十百千万亿]*)[多余几]?~(?=[零一二三四五六七八九十])", r"\1到"),
    ]


SIGNS = "".join(sorted({sign[-1] for sign in MONEY_SIGNS if not sign.isalpha()}))


def _shares() -> list[Spelling]:
    return [
        (r"(?<![0-9.])([0-9]+) ([0-9]+)/([0-9]+)(?![0-9/])", _mixed),
        (rf"(-?)({NUM})%", lambda m: f"{_minus(m[1])}百分之{amount(m[2])}"),
        (rf"(-?)({NUM})‰", lambda m: f"{_minus(m[1])}千分之{amount(m[2])}"),
        (rf"(-?)({NUM})‱", lambda m: f"{_minus(m[1])}万分之{amount(m[2])}"),
        (
            r"(?<![0-9.])(-?)([0-9]+)/([0-9]+)(?![0-9/])",
            lambda m: f"{_minus(m[1])}{cardinal(m[3])}分之{cardinal(m[2])}",
        ),
    ]


def numbers() -> list[Spelling]:
    """Rules for every number that is still in digits."""
    counted = either([*table("zh")["classifiers"], *MORE_COUNTED])
    return [
        (r"(?<=[0-9]) +(?=[0-9])", "，"),
        (r"(?<![0-9A-Za-z])-([0-9]+(?:\.[0-9]+)?)", lambda m: amount(m[0])),
        (r"[0-9]+\.[0-9]+|(?<![0-9])\.[0-9]+", lambda m: amount(m[0])),
        (rf"(第?)([0-9]+)([多余几+]?)({counted})", _counted),
        (r"([0-9]+)\+(?![0-9])", lambda m: f"{cardinal(m[1])}多"),
        (r"[0-9]+", lambda m: _integer(m[0])),
    ]


def _integer(number: str) -> str:
    return cardinal(number) if len(number) <= LONGEST else digits(number)


LONGEST = 16


def _minus(sign: str | None) -> str:
    return "负" if sign else ""


def _short(number: str) -> str:
    """An amount of money without zeros at the end of its decimals."""
    return re.sub(r"\.([0-9]*?)0+(?![0-9])", lambda m: f".{m[1]}" if m[1] else "", number)


def _signed_money(match: re.Match[str]) -> str:
    minus, sign, number, scale, unit = match.groups()
    return f"{_minus(minus)}{_short(number)}{scale}{unit or money_word(sign, 'zh')}"


def _scaled(match: re.Match[str]) -> str:
    value = Decimal(match[2]).scaleb(THOUSANDS[match[3]])
    for power, word in ((8, "亿"), (4, "万")):
        if value >= 10**power:
            return f"{_plain(value.scaleb(-power))}{word}{money_word(match[1], 'zh')}"
    return f"{_plain(value)}{money_word(match[1], 'zh')}"


def _plain(value: Decimal) -> str:
    return _short(f"{value:f}")


def _degrees(match: re.Match[str]) -> str:
    low, first, to, high, last, scale = match.groups()
    kind = scale if scale == "华氏" else ""
    said = f"{'零下' if low else ''}{kind}{amount(first)}"
    if to:
        said += f"{'至' if to == '至' else '到'}{'零下' if high else ''}{amount(last)}"
    return said + "度"


def _range(match: re.Match[str]) -> str:
    """Upwards from one to the other; what falls is a subtraction."""
    falls = Decimal(match[1]) > Decimal(match[2])
    after = match.string[match.end() : match.end() + 1]
    between = "减" if falls and not after.isalpha() else "到"
    return f"{match[1]}{between}{match[2]}"


def _mixed(match: re.Match[str]) -> str:
    return f"{cardinal(match[1])}又{cardinal(match[3])}分之{cardinal(match[2])}"


def _counted(match: re.Match[str]) -> str:
    ordinal, number, more, counted = match.groups()
    after = match.string[match.end() : match.end() + 1]
    grade = (counted == "年" and after == "级") or (counted == "点" and after.isdigit())
    pair = number == "2" and not ordinal and counted not in NOT_PAIRS and not grade
    words = "两" if pair else _integer(number)
    return f"{ordinal}{words}{more.replace('+', '多')}{counted}"
