"""Which letters and digits of a text no reader of its mode can say, and which mode could."""

import re
import unicodedata
from collections.abc import Callable

from runtime.text.languages import mode_of
from runtime.text.segment import HAN, HANGUL, KANA, segments

MOST_NAMED = 10
DIRECTION = re.compile(r"\[(?:phones|pause)=[^\[\]]*\]")
SCRIPTS = (("ja", KANA), ("ko", HANGUL), ("zh", HAN))
OLD_HANGUL = re.compile("[\u1113-\u1160\u1176-\u11a7\u11c3-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]")


def unread(text: str, lang: str) -> str:
    """What is left out when a text is spoken.

    Args:
        text: what is to be spoken.
        lang: a mode, in any case.

    Returns:
        The letters and digits that have no reading, and the mode that could read them, in one
        line; empty if every one is read. Emoji and other decoration have no reading in any mode.
    """
    mode = mode_of(lang)
    plain = unicodedata.normalize("NFC", DIRECTION.sub(" ", text))
    lost = dict.fromkeys(
        char
        for run in segments(plain, mode)
        for char in run.spoken
        if char.isalnum() and not READ[run.lang](char)
    )
    if not lost:
        return ""
    named = "".join([*lost][:MOST_NAMED]) + ("…" if len(lost) > MOST_NAMED else "")
    alone = all(char in lost for char in plain if char.isalpha())
    return f"'{named}' cannot be read as {mode} and is left out; {_advice(lost, mode, alone)}"


def _advice(lost: dict[str, None], mode: str, alone: bool) -> str:
    could = [lang for lang, script in SCRIPTS if any(map(script.match, lost))]
    if not could or mode.startswith("auto"):
        return "write it in another way"
    return f"--lang {could[0] if alone and len(could) == 1 else 'auto'} could"


def _latin(char: str) -> bool:
    return unicodedata.name(char, "").startswith(("LATIN", "GREEK", "FULLWIDTH LATIN"))


def _number(char: str) -> bool:
    return char.isdecimal() or char in "²³¹⁰⁴⁵⁶⁷⁸⁹ⁿ½¼¾" or "\u2160" <= char <= "\u217f"


def _english(char: str) -> bool:
    return _latin(char) or _number(char) or not char.isalpha()


def _chinese(char: str) -> bool:
    from runtime.text.zh.normalise import simplified

    if not HAN.match(char):
        return not char.isalpha() or _number(char) or _latin(char)
    return char == "〇" or "\u4e00" <= simplified(char) <= "\u9fa5"


def _japanese(char: str) -> bool:
    if HAN.match(char):
        try:
            char.encode("euc_jis_2004")
        except UnicodeEncodeError:
            return False
        return True
    return bool(KANA.match(char)) or _latin(char) or not char.isalpha()


def _korean(char: str) -> bool:
    if HANGUL.match(char):
        return not OLD_HANGUL.match(char)
    return _latin(char) or not char.isalpha()


READ: dict[str, Callable[[str], bool]] = {
    "zh": _chinese,
    "yue": _chinese,
    "en": _english,
    "ja": _japanese,
    "ko": _korean,
}
