"""Cut mixed text into runs of one language, by script.

No model decides: the same text gives the same runs everywhere. Nothing is lost, the runs joined
are the text.
"""

import re
import unicodedata
from itertools import groupby

Run = tuple[str, str]  # language (or kind of character), text

KANA = re.compile("[\u3005\u3040-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f]")
HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]")
HAN = re.compile("[\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
WIDE_LATIN = re.compile("[\uff21-\uff3a\uff41-\uff5a]")
SENTENCE_END = re.compile(r"[。！？!?\n]|\.(?![0-9])")
OPEN, DIGIT, HAN_KIND, WIDE = "open", "digit", "han", "wide"
PAUSES = ",.!?，。！？"


def segments(text: str, mode: str) -> list[Run]:
    """Language and text of each run.

    Args:
        text: what is to be spoken; may be empty.
        mode: a language mode in lower case.

    Returns:
        Runs that joined give `text`; neighbours differ in language. Text without any letter is
        the mode's language, or zh in `auto`.
    """
    if mode == "en" or not text:
        return [("en", text)] if text else []
    if not any(char.isalnum() for char in text) and _has_symbol(text):
        return [("en", text)]
    if mode.startswith("auto"):
        runs = _merged(_attach(_detected(text), "zh"))
        return [("yue" if mode == "auto_yue" and lang == "zh" else lang, t) for lang, t in runs]
    language = mode.removeprefix("all_")
    runs = [
        (kind if kind in ("en", DIGIT, OPEN) else language, part)
        for kind, part in _wide_as(_kinds(text), language)
    ]
    if mode.startswith("all_"):
        runs = [(language if kind == DIGIT else kind, part) for kind, part in runs]
    return _merged(_digits_placed(_merged(_attach(runs, language)), language))


def _has_symbol(text: str) -> bool:
    """Whether there is a sign, as an emoji, that no language but English passes over."""
    return any(unicodedata.category(char) == "So" for char in text)


def _kind(char: str) -> str:
    if char.isascii():
        return "en" if char.isalpha() else DIGIT if char.isdigit() else OPEN
    for pattern, kind in ((HAN, HAN_KIND), (KANA, "ja"), (HANGUL, "ko"), (WIDE_LATIN, WIDE)):
        if pattern.match(char):
            return kind
    if char.isdecimal():
        return DIGIT
    return "en" if unicodedata.name(char, "").startswith("LATIN") else OPEN


def _kinds(text: str) -> list[Run]:
    """Runs of one kind of character; decimal points and the C of °C are no letters or ends."""
    kinds = [_kind(char) for char in text]
    for match in re.finditer(r"(?<=\d)[.:,/](?=\d)", text):
        kinds[match.start()] = DIGIT
    for match in re.finditer(r"(?<=°)[CF](?![A-Za-z])", text):
        kinds[match.start()] = OPEN
    pairs = groupby(zip(kinds, text, strict=True), key=lambda pair: pair[0])
    return [(kind, "".join(char for _, char in group)) for kind, group in pairs]


def _wide_as(runs: list[Run], language: str) -> list[Run]:
    """Full-width Latin letters are read by Japanese and Korean themselves, else they are en."""
    own = language in ("ja", "ko")
    return [(language if own and kind == WIDE else "en" if kind == WIDE else kind, text)
            for kind, text in runs]  # fmt: skip


def _detected(text: str) -> list[Run]:
    """Runs with their language found by script; digits are open."""
    runs = _kinds(text)
    found: list[Run] = []
    for i, (kind, part) in enumerate(runs):
        if kind == HAN_KIND:
            kind = _han(runs, i)
        elif kind == WIDE:
            near = [k for k, _ in runs[i + 1 : i + 2] + runs[max(i - 1, 0) : i]]
            clause = [runs[j][0] for j in _clause(runs, i)]
            kind = "ko" if "ko" in near else "ja" if "ja" in clause else "en"
        elif kind == DIGIT:
            kind = OPEN
        found.append((kind, part))
    return found


def _han(runs: list[Run], i: int) -> str:
    """Whether a Han run is Chinese or Japanese, by its characters and its clause."""
    text = runs[i][1]
    if not _all_in(text, "shift_jis"):
        return "zh"
    if _only_japanese(text):
        return "ja"
    clause = _clause(runs, i)
    if not any(runs[j][0] == "ja" for j in clause):
        return "zh"
    touches = any(0 <= j < len(runs) and runs[j][0] == "ja" for j in (i - 1, i + 1))
    chinese = any(runs[j][0] == HAN_KIND and not _all_in(runs[j][1], "shift_jis") for j in clause)
    return "zh" if chinese and not touches else "ja"


def _all_in(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _only_japanese(text: str) -> bool:
    """Whether a character is in neither mainland nor traditional Chinese character sets."""
    return any(not _all_in(char, "gb2312") and not _all_in(char, "big5hkscs") for char in text)


def _clause(runs: list[Run], i: int) -> range:
    """Indices of the runs between the sentence ends around run `i`."""
    ends = [j for j, (kind, text) in enumerate(runs) if kind == OPEN and SENTENCE_END.search(text)]
    start = max((j for j in ends if j < i), default=-1)
    stop = min((j for j in ends if j > i), default=len(runs))
    return range(start + 1, stop)


def _attach(runs: list[Run], alone: str) -> list[Run]:
    """Open runs join the run before them, leading ones the run after; `alone` if all are open."""
    joined: list[Run] = []
    lead = ""
    for kind, text in runs:
        if kind != OPEN:
            joined.append((kind, lead + text))
            lead = ""
        elif joined:
            joined[-1] = (joined[-1][0], joined[-1][1] + text)
        else:
            lead += text
    return [*joined, (alone, lead)] if lead else joined


def _digits_placed(runs: list[Run], alone: str) -> list[Run]:
    """Give each run of digits the language of a neighbour."""
    placed: list[Run] = []
    for i, (kind, text) in enumerate(runs):
        after = runs[i + 1] if i + 1 < len(runs) else None
        before = placed[-1] if placed else None
        if kind == DIGIT:
            kind = _side(before, text, after) or alone
        placed.append((kind, text))
    return placed


def _side(before: Run | None, digits: str, after: Run | None) -> str | None:
    if before is None or after is None:
        near = before or after
        return near[0] if near else None
    if before[0] == after[0]:
        return before[0]
    if before[1].endswith(tuple(PAUSES)):
        return after[0]
    if after[1].startswith(tuple(PAUSES)) or digits.endswith(("。", ".")):
        return before[0]
    return before[0] if len(before[1]) >= len(after[1]) else after[0]


def _merged(runs: list[Run]) -> list[Run]:
    groups = groupby(runs, key=lambda run: run[0])
    return [(kind, "".join(text for _, text in group)) for kind, group in groups]
