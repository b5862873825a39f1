"""Numbers in Chinese text that name something: telephones, rooms, codes, versions.

They are read digit by digit.
"""

import re

from runtime.text.zh.numbers import digit_by_digit, digits
from runtime.text.zh.rules import Spelling, either

NAMED_BEFORE = (
    *("电话", "手机", "手机号", "热线", "短信", "传真", "分机", "拨打", "请拨", "致电", "拨"),
    *("号码", "编号", "考号", "学号", "工号", "卡号", "账号", "帐号", "单号", "房号", "尾号"),
    *("房间号", "订单号", "门牌号", "序列号", "密码", "验证码", "邮编", "邮政编码", "代码", "车牌"),
    *("航班", "房间", "证号", "准考证", "股票代码", "编码", "口令", "取件码", "提取码", "工牌"),
    *("微信", "微信号", "群号", "车次", "转"),
)
NAMED_AFTER = (
    *("分机", "房间", "号房", "室", "号楼", "次列车", "次航班", "国道", "省道", "路公交", "路车"),
    *("号公路", "次高铁", "急救", "救护", "报警", "火警", "客服", "高校", "院校", "工程大学"),
)
AREA = "0(?:10|2[0-9]|[3-9][0-9]{2})"
MOBILE = r"(?<![0-9])(?:(\+?86|0086)[ -]?)?(1[3-9][0-9])([ -]?)([0-9]{4})\3([0-9]{4})(?![0-9])"
LANDLINE = rf"(?<![0-9])[(（]?({AREA})(?:[)）]|[ -])+([1-9][0-9]{{2,3}})[ -]?([0-9]{{4}})(?![0-9=])"
COUNTED = (
    "人|个|元|名|位|次|件|米|吨|块|户|千克|克|年|岁|条|本|辆|台|只|分|秒|点|倍|字|步|公里|千米|平"
)


def identifiers() -> list[Spelling]:
    """Rules for numbers that are read digit by digit."""
    joined = r"[0-9]{3,}(?:[- ]?[0-9]+)*"
    return [
        ("24/7", "七天二十四小时"),
        (MOBILE, _mobile),
        (LANDLINE, lambda m: _paused(m[1], m[2] + m[3])),
        (r"(?<![0-9])([48]00)[- ]([0-9]{3})[- ]?([0-9]{4})(?![0-9=])", _groups),
        (r"(?<![0-9])([48]00)([0-9]{3})([0-9]{4})(?![0-9=])", lambda m: digit_by_digit(m[0])),
        (r"(?<![0-9-])[0-9]{3}-[0-9]{4}(?![0-9=年-])", _groups_of),
        (r"(?<![0-9])[0-9]{4}(?: [0-9]{4})+(?: [0-9]{1,3})?(?![0-9])", _groups_of),
        (r"(?<![0-9])[0-9]{3,}(?:-[0-9]{3,}){2,}(?![0-9])", _groups_of),
        (
            rf"({either(NAMED_BEFORE)})((?:[是为系:：]|号[是为系]?)? ?)({joined})"
            r"(?![0-9]*[.年月日%/]|[0-9]*:[0-9])",
            _named,
        ),
        (rf"(?<![0-9.\-])([0-9]{{3,}})(?={either(NAMED_AFTER)})", lambda m: digit_by_digit(m[1])),
        (r"(?<![0-9.])(985|211)(?=和|及|、|/|高校|大学|院校|工程)", lambda m: digits(m[1])),
        (r"315(?=晚会)|618(?=大促|活动|购物)|996(?!年|个|元|人)", lambda m: digit_by_digit(m[0])),
        (r"(?<=[打叫拨按])(?:11[0249]|12[02])(?![0-9])", lambda m: digit_by_digit(m[0])),
        (
            rf"(?<![0-9.])(?:123(?:06|15)|100(?:86|10)|955[0-9]{{2}})(?![0-9.万亿多]|{COUNTED})",
            lambda m: digit_by_digit(m[0]),
        ),
        (r"(?<![0-9.])([0-9]{3})(?=路(?![程人口]))", lambda m: digit_by_digit(m[1])),
        (r"(?<![0-9.])([0-9][05])(?=后(?![面来天台果的退]))", lambda m: digits(m[1])),
        (r"双(11|12)(?![0-9])", lambda m: "双" + "".join(digits(c) for c in m[1])),
        (
            r"(?<![0-9.,:/-])0[0-9]+(?![0-9]*(?:[.:/%‰月日点时分秒]|-[0-9]))",
            lambda m: digit_by_digit(m[0]),
        ),
        (r"(?<![0-9])[0-9]+(?:\.[0-9]+){2,}(?![0-9])", _version),
        (rf"(?<![0-9.])[0-9]*[1-9][0-9]{{0,2}}(?<=[0-9]{{7}})(?![0-9.]|{COUNTED}|[万亿])", _long),
    ]


def _mobile(match: re.Match[str]) -> str:
    number = digit_by_digit(match[2] + match[4] + match[5])
    return f"{digit_by_digit(match[1].lstrip('+'))}，{number}" if match[1] else number


def _paused(*groups: str) -> str:
    return "，".join(digit_by_digit(group) for group in groups)


def _groups(match: re.Match[str]) -> str:
    return _paused(*match.groups())


def _groups_of(match: re.Match[str]) -> str:
    return _paused(*re.findall("[0-9]+", match[0]))


def _named(match: re.Match[str]) -> str:
    return match[1] + match[2] + _paused(*re.findall("[0-9]+", match[3]))


def _version(match: re.Match[str]) -> str:
    """`2.10.3`, but a date with dots stays for the rules of dates."""
    if re.fullmatch(
        r"(?:19|20)[0-9]{2}\.(?:0?[1-9]|1[0-2])\.(?:0?[1-9]|[12][0-9]|3[01])", match[0]
    ):
        return match[0]
    return digits(match[0]).replace(".", "点")


def _long(match: re.Match[str]) -> str:
    """Seven digits and more that end in no round number and count nothing."""
    return digit_by_digit(match[0])
