"""Random Unicode in every mode: no foreign exception, nothing that can be said lost in silence."""

import random
import re
import sys
import unicodedata
from collections.abc import Iterator

import pytest

from runtime.errors import FoundryError
from runtime.text import CUTS, MODES, phonemize, pieces, unread
from runtime.text.frontend import SILENT
from tests import languages

languages.need_all()

SEED = 14
RANGES = {
    "ascii": [(0x20, 0x7E)],
    "latin": [(0xA0, 0x24F)],
    "greek": [(0x370, 0x3FF)],
    "others": [(0x400, 0x45F), (0x600, 0x65F), (0x900, 0x97F), (0xE01, 0xE3F), (0x300, 0x36F)],
    "han": [(0x4E00, 0x9FA5)],
    "rare han": [(0x3400, 0x343F), (0xF900, 0xF93F), (0x20000, 0x2003F), (0x9FA6, 0x9FFF)],
    "kana": [(0x3041, 0x3096), (0x30A1, 0x30FC)],
    "wide": [(0xFF01, 0xFFEE)],
    "hangul": [(0xAC00, 0xD7A3)],
    "jamo": [(0x1100, 0x11FF), (0x3131, 0x318E), (0xA960, 0xA97C)],
    "signs": [(0x2010, 0x2BFF), (0x3000, 0x303F), (0x1F300, 0x1F64F)],
    "numbers": [(0x30, 0x39), (0x2150, 0x218B), (0x2460, 0x24FF), (0x3200, 0x33FF)],
    "styled": [(0x1D400, 0x1D7FF), (0x2C60, 0x2C7F), (0xA720, 0xA7FF)],
    "control": [(0x00, 0x1F), (0x7F, 0xA0), (0x200B, 0x200F), (0x2028, 0x202E), (0xFE00, 0xFE0F)],
    "private": [(0xD800, 0xDFFF), (0xE000, 0xE010), (0xFFFE, 0xFFFF), (0x10FFF0, 0x10FFFF)],
    "any": [(0x0, 0x10FFFF)],
}
WORDS = re.findall(
    r"\S+",
    "hello NASA 3.14 1,234.5 2024-01-02 https://a.b/c a@b.co 你好 世界 一不 銀行 東京 안녕 값이"
    " ます Ⅳ No.5 $5 10:30 1/2 -3 +7 [phones=HH [phones= 嗰 喺度 don't U.S.A. e.g. ℃ 5kg 100%"
    " 第1 二〇二四 -- ... <b> &amp; %s \\n NaN 1e10 0x1F x²+1=3 ≥60 HK$100 C++ 24/7 #1 1st 8点"
    " 20세기 3개 café",
)


def texts(seed: int, count: int) -> Iterator[tuple[str, str]]:
    """Modes and random texts, of one kind of character or of several."""
    draw = random.Random(seed)
    for _ in range(count):
        kinds = draw.sample([*RANGES, "words"], draw.randint(1, 4))
        length = draw.choice([1, 2, 3, 5, 8, 15, 30, 80])
        yield draw.choice(MODES), "".join(_drawn(draw, draw.choice(kinds)) for _ in range(length))


def _drawn(draw: random.Random, kind: str) -> str:
    if kind == "words":
        return draw.choice(WORDS)
    return chr(draw.randint(*draw.choice(RANGES[kind])))


def fault(text: str, mode: str, draw: random.Random) -> str:
    """What is wrong with how a text is read; empty if nothing is."""
    text = unicodedata.normalize("NFC", text)  # as readers take it: letters put together
    try:
        said = phones(text, mode)
        pieces(text, mode, draw.choice([*CUTS]), draw.choice([20, 60, 125]))
    except FoundryError:
        return ""
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    named = unread(text, mode)
    is_named = [any(char in named for char in unicodedata.normalize("NFC", one)) for one in text]
    places = [i for i, char in enumerate(text) if char.isalnum() and not is_named[i]]
    for i in draw.sample(places, min(3, len(places))):
        if lost(text, i, mode, said):
            return f"U+{ord(text[i]):04X} {unicodedata.name(text[i], '?')} is lost"
    return ""


def phones(text: str, mode: str) -> list[str]:
    return [phone for phone in phonemize(text, mode).phones if phone not in SILENT]


USED_TOGETHER = "ヵヶゕゖゝゞヽヾ々ーｰﾞﾟ゙゚ⁿ"  # nothing by themselves


def lost(text: str, i: int, mode: str, said: list[str]) -> bool:
    """Whether a character adds no sound, neither here nor between blanks."""
    if text[i].isascii() or text[i] in USED_TOGETHER or "[phones=" in text:
        return False
    try:
        alone = phones(text[i], mode)
    except FoundryError:
        alone = []
    without = phones(f"{text[:i]} {text[i + 1 :]}a", mode)
    return not alone and without == phones(f"{text}a", mode)


@pytest.mark.parametrize(
    "count", [150, pytest.param(20_000, marks=pytest.mark.full)], ids=["few", "many"]
)
def test_random_unicode_is_read_or_refused_and_nothing_is_lost(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["runtime.text.unread"], "MOST_NAMED", sys.maxsize)
    draw = random.Random(SEED)
    found = [(mode, text, fault(text, mode, draw)) for mode, text in texts(SEED, count)]
    assert not [one for one in found if one[2]]
