"""Signs, letters and digits of other widths and forms as their plain counterparts."""

import re
import unicodedata
from functools import cache

SIGNS = {
    **dict(zip("％＋－＝．＄￥￡￦＆＃＊／～＜＞＠｜＾", "%+-=.$¥£₩&#*/~<>@|^", strict=True)),
    **dict(zip("−﹣∼〜﹪﹢⁄∕∶﹩", "--~~%+//:$", strict=True)),
}
FRACTIONS = "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"
THOUSANDS = re.compile(r"(?<![0-9,.])[0-9]{1,3}(?:,[0-9]{3})+(?!,?[0-9])")
DIGIT = re.compile("[0-9]")
ENCLOSED = re.compile("CIRCLED|PARENTHESIZED (?:DIGIT|NUMBER)|DIGIT .* (?:FULL STOP|COMMA)")
CIRCLED = "[①-⒛⓪⓫-⓿❶-➓㈠-㈩㉈-㉏㉑-㉟㊀-㊉㊱-㊿🄀-🄌]"
BESIDE = re.compile(f"(?<={CIRCLED})(?={CIRCLED}|[0-9])")
ALONE = re.compile(r"(?<![\w)])[²³¹⁰⁴-⁹]+")  # a power of nothing is a number
SQUARED = ("\u3371", "\u33df")


def plain(text: str) -> str:
    """Half-width letters and digits, plain signs, numbers in the digits 0 to 9.

    Marks that punctuate stay as they are, except between digits, where they belong to a number.
    """
    if not text.isascii():
        text = BESIDE.sub(" ", text)
        text = ALONE.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
        text = re.sub("(?<=[０-９])，(?=[０-９]{3}(?![０-９]))", ",", text)
        text = "".join(map(_plain_char, unicodedata.normalize("NFC", text)))
        text = re.sub(r"(?<=[0-9])：(?=[0-9])", ":", text)
        text = re.sub(r"(?<=[0-9%°℃]) ?[–—―] ?(?=[0-9$¥€£])", "-", text)
    if not DIGIT.search(text):
        return text
    text = re.sub(r"(?<=[0-9]) (?=000(?![0-9]))", "", text)
    return THOUSANDS.sub(lambda match: match[0].replace(",", ""), text)


@cache
def _plain_char(char: str) -> str:
    if char.isascii():
        return char
    if char in SIGNS:
        return SIGNS[char]
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    if unicodedata.decomposition(char).startswith("<font>"):
        return unicodedata.normalize("NFKC", char)
    code = ord(char) - 0xFEE0
    if 0 <= code < 128 and chr(code).isalpha():
        return chr(code)
    if "₀" <= char <= "₉":
        return unicodedata.normalize("NFKC", char)
    return _compatible(char)


def _compatible(char: str) -> str:
    """Roman numerals, circled numbers, fractions and squared units, taken apart."""
    if "\u2160" <= char <= "\u217f" or ENCLOSED.search(unicodedata.name(char, "")):
        value = unicodedata.numeric(char, None)
        return str(int(value)) if value is not None else char
    if char in FRACTIONS:
        return " " + unicodedata.normalize("NFKC", char).replace("\u2044", "/")
    if SQUARED[0] <= char <= SQUARED[1]:
        return unicodedata.normalize("NFKC", char).replace("2", "²").replace("3", "³")
    return char
