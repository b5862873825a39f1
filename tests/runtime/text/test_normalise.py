"""Numbers and signs in words, beyond what the goldens hold."""

import pytest

from runtime.text.zh.numbers import amount, cardinal, digit_by_digit, digits


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("0", "零"),
        ("10", "十"),
        ("110", "一百一十"),
        ("1001", "一千零一"),
        ("10086", "一万零八十六"),
        ("100010", "十万零一十"),
        ("1234567", "一百二十三万四千五百六十七"),
        ("100000000", "一亿"),
        ("007", "七"),
    ],
)
def test_chinese_amounts(number: str, words: str) -> None:
    assert cardinal(number) == words


def test_chinese_decimals_keep_one_of_their_last_zeros() -> None:
    assert amount("-3.1400") == "负三点一四零"
    assert amount(".5") == "零点五"


def test_chinese_digits_are_told_with_yao() -> None:
    assert digit_by_digit("110") == "幺幺零"
    assert digits("110") == "一一零"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("水温36~38度", "水温三十六到三十八度"),
        ("共1,234,567人", "共一百二十三万四千五百六十七人"),
        ("500年历史", "五百年历史"),
        ("学了10年前的课", "学了十年前的课"),
        ("速度120km/h", "速度每小时一百二十千米"),
        ("气温-3.5度", "气温零下三点五度"),
        ("第2名得2分", "第二名得两分"),
        ("2月14日", "二月十四日"),
        ("价格$5.5", "价格五点五美元"),
        ("￥12.5元", "十二点五元"),
        ("圆周率3.1415926", "圆周率三点一四一五九二六"),
        ("1～2天", "一到两天"),
        ("二〇二四年", "二零二四年"),
        ("电话010-62345678", "电话零幺零,六二三四五六七八"),
        ("拨打+8613812345678", "拨打八六,幺三八幺二三四五六七八"),
        ("8:30到站", "八点半到站"),
        ("喝5-8杯水", "喝五到八杯水"),
    ],
)
def test_chinese_text_in_words(text: str, words: str) -> None:
    pytest.importorskip("opencc")
    from runtime.text.zh.normalise import normalise

    assert normalise(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("at 5:30 pm", "at five thirty P M"),
        ("in 1987. She left", "in nineteen eighty-seven. She left"),
        ("the 1990s", "the nineteen nineties"),
        ("It’s fine; really", "It's fine, really"),
        ("$5.5 million", "five point five million dollars"),
        ("€12", "twelve euros"),
        ("pages 10-20", "pages ten to twenty"),
        ("The reading was -7", "The reading was negative seven"),
        ("see a.b@c.org", "see A dot B at C dot org"),
        ("AT&T and rock & roll", "A T and T and rock and roll"),
        ("5kg", "five kilograms"),
        ("Ｈｉ１", "Hi one"),
        ("First line\nsecond line", "First line second line"),
        ("9" * 70, " ".join(["nine"] * 70)),
    ],
)
def test_english_text_in_words(text: str, words: str) -> None:
    pytest.importorskip("num2words")
    from runtime.text.en.normalise import normalise

    assert normalise(text) == words
