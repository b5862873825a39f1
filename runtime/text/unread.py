"""Which letters and digits of a text no reader of its mode can say, and which mode could."""

import re
import unicodedata
from collections.abc import Callable

from runtime.text.expressions import SUPERSCRIPTS
from runtime.text.imports import once
from runtime.text.languages import mode_of
from runtime.text.letters import FORMULAS, greek_name, latinised
from runtime.text.segment import HAN, HANGUL, KANA, segments
from runtime.text.symbols import UNKNOWN
from runtime.text.width import plain

MOST_NAMED = 10
USED_TOGETHER = "ヵヶゕゖゝゞヽヾ々ー"  # said with what stands beside them
DIRECTION = re.compile(r"\[(?:phones|pause)=[^\[\]]*\]")
SCRIPTS = (("ja", KANA), ("ko", HANGUL), ("zh", HAN))
OLD_HANGUL = re.compile(
    "[\u1113-\u1160\u1176-\u11a7\u11c3-\u11ff\u3164-\u318e\ua960-\ua97f\ud7b0-\ud7ff]"
)


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
    return bool(latinised(char) or greek_name(char, "en") or char == FORMULAS)


def _number(char: str) -> bool:
    return char in SUPERSCRIPTS or any(one.isascii() and one.isdigit() for one in plain(char))


def _english(char: str) -> bool:
    return _latin(char) or _number(char)


def _chinese(char: str) -> bool:
    from runtime.text.zh.normalise import simplified

    if not HAN.match(char):
        return _latin(char) or _number(char)
    return char == "〇" or "\u4e00" <= simplified(char) <= "\u9fa5"


@once
def _japanese(char: str) -> bool:
    if char in USED_TOGETHER:
        return True
    if HAN.match(char) and not _in_shift_jis(char):
        from runtime.text.ja import read

        alone = read(f"あ{char}", "v2").phones  # the library warns of text without any phone
        return any(map(str.isalpha, {*alone[1:]} - {UNKNOWN}))
    return bool(HAN.match(char) or KANA.match(char) or _latin(char) or _number(char))


@once
def _cantonese(char: str) -> bool:
    from runtime.text.yue import read

    return _chinese(char) and not (HAN.match(char) and UNKNOWN in read(char, "v2").phones)


def _in_shift_jis(char: str) -> bool:
    try:
        char.encode("shift_jis")
    except UnicodeEncodeError:
        return False
    return True


def _korean(char: str) -> bool:
    if HANGUL.match(char):
        return not OLD_HANGUL.match(char)
    return _latin(char) or _number(char)


READ: dict[str, Callable[[str], bool]] = {
    "zh": _chinese,
    "yue": _cantonese,
    "en": _english,
    "ja": _japanese,
    "ko": _korean,
}
