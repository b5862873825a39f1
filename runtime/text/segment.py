"""Cut mixed text into runs of one language, by script.

No model decides: the same text gives the same runs everywhere. Nothing is lost, the runs joined
are the text.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from runtime.text.expressions import LATIN, Expression, expressions
from runtime.text.letters import latinised

Run = tuple[str, str]  # language (or kind of character), text

KANA = re.compile("[\u3005\u3040-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f]")
HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]")
HAN = re.compile("[\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
WIDE_LATIN = re.compile("[\uff21-\uff3a\uff41-\uff5a]")
SENTENCE_END = re.compile(r"[。！？!?\n]|\.(?![0-9])")
OPEN, DIGIT, HAN_KIND, WIDE = "open", "digit", "han", "wide"
PAUSES = ",.!?，。！？"


@dataclass(frozen=True)
class Spoken:
    """A run of one language.

    Attributes:
        lang: zh, en, ja, ko or yue.
        text: the run as it was written; an expression that is read in two languages, as `x=3` in
            Chinese, is the text of its first run, and that of the others is empty.
        spoken: what is read, expressions in words of the language.
        formula: whether it begins inside a formula, which is said without a pause.
    """

    lang: str
    text: str
    spoken: str
    formula: bool = False


def segments(text: str, mode: str) -> list[Spoken]:
    """Language, text and what is read of each run.

    Args:
        text: what is to be spoken; may be empty.
        mode: a language mode in lower case.

    Returns:
        Runs whose texts joined give `text`; neighbours differ in language. Text without any
        letter is the mode's language, or zh in `auto`.
    """
    if mode == "en" or not text:
        return [Spoken("en", text, text)] if text else []
    if not any(char.isalnum() for char in text) and _has_symbol(text):
        return [Spoken("en", text, text)]
    if not LATIN.search(text):
        return [Spoken(lang, run, run) for lang, run in _runs(text, _kinds(text), mode)]
    found = expressions(text, _Surroundings.of(_masked_labels(text, mode), mode).at)
    spoken, kinds, origins = _spelled_out(text, found)
    inside = {one.start for one in found if one.formula}
    return _with_origins(_runs(spoken, kinds, mode), text, origins, inside)


def _runs(text: str, kinds: list[str], mode: str) -> list[Run]:
    if mode.startswith("auto"):
        runs = _merged(_attach(_detected(_grouped(text, kinds)), "zh"))
        return [("yue" if mode == "auto_yue" and lang == "zh" else lang, t) for lang, t in runs]
    language = mode.removeprefix("all_")
    runs = [
        (kind if kind in ("en", DIGIT, OPEN) else language, part)
        for kind, part in _wide_as(_grouped(text, kinds), language)
    ]
    if mode.startswith("all_"):
        runs = [(language if kind == DIGIT else kind, part) for kind, part in runs]
    return _merged(_digits_placed(_merged(_attach(runs, language)), language))


def _masked_labels(text: str, mode: str) -> list[str]:
    """Language of each letter of the text without its expressions; empty for other characters."""
    inside = [False] * len(text)
    for one in expressions(text, lambda *_: "en"):
        inside[one.start : one.end] = [True] * (one.end - one.start)
    masked = "".join(" " if hidden else char for char, hidden in zip(text, inside, strict=True))
    runs = _runs(masked, _kinds(masked), "auto" if mode == "auto_yue" else mode)
    labels = [lang for lang, run in runs for _ in run]
    return [lang if char.isalpha() else "" for lang, char in zip(labels, masked, strict=True)]


@dataclass(frozen=True)
class _Surroundings:
    """Languages of the letters before and after each place of a text."""

    before: list[str]
    after: list[str]
    labels: list[str]
    mode: str

    @classmethod
    def of(cls, labels: list[str], mode: str) -> "_Surroundings":
        before, after = [""], [""]
        for label in labels:
            before.append(label or before[-1])
        for label in reversed(labels):
            after.append(label or after[-1])
        return cls(before, after[::-1], labels, mode)

    def at(self, start: int, end: int) -> str:
        """The language of what surrounds a stretch: English only among English words."""
        before, after = self.before[start], self.after[end]
        near = [lang for lang in (before, after) if lang]
        if self.labels[end : end + 1] == [after]:
            near.reverse()
        named = self.mode.removeprefix("all_")
        if not near:
            return "en" if named.startswith("auto") else named
        return next((lang for lang in near if lang != "en"), "en")


def _spelled_out(text: str, found: list[Expression]) -> tuple[str, list[str], list[int]]:
    """The text with its expressions in words; kind and origin of each of its characters."""
    spoken, kinds, origins = "", [], []
    end = 0
    plain = _kinds(text)
    for one in found:
        spoken += text[end : one.start] + one.spoken
        kinds += plain[end : one.start]
        kinds += [_kind_in(one, char) for char in one.spoken]
        origins += [*range(end, one.start), *[one.start] * len(one.spoken)]
        end = one.end
    return spoken + text[end:], kinds + plain[end:], [*origins, *range(end, len(text))]


def _kind_in(one: Expression, char: str) -> str:
    if one.letters and char.isascii():
        return "en" if char.isalpha() else OPEN if char == " " else one.lang
    return one.lang


def _with_origins(runs: list[Run], text: str, origins: list[int], inside: set[int]) -> list[Spoken]:
    """Each run with the stretch of the original text that it begins."""
    starts, at = [], 0
    for _, spoken in runs:
        starts.append(origins[at])
        at += len(spoken)
    ends, end = [], len(text)
    for start, later in zip(reversed(starts), reversed([*starts[1:], len(text)]), strict=True):
        end = later if later > start else end
        ends.append(end)
    found = []
    for i, ((lang, spoken), start, end) in enumerate(
        zip(runs, starts, reversed(ends), strict=True)
    ):
        own = "" if i and start == starts[i - 1] else text[start:end]
        found.append(Spoken(lang, own, spoken, start in inside))
    return found


def _has_symbol(text: str) -> bool:
    """Whether there is a sign, as an emoji, that no language but English passes over."""
    return any(unicodedata.category(char) == "So" for char in text)


@lru_cache(maxsize=2**16)
def _kind(char: str) -> str:
    if char.isascii():
        return "en" if char.isalpha() else DIGIT if char.isdigit() else OPEN
    for pattern, kind in ((HAN, HAN_KIND), (KANA, "ja"), (HANGUL, "ko"), (WIDE_LATIN, WIDE)):
        if pattern.match(char):
            return kind
    if char.isdecimal():
        return DIGIT
    return "en" if latinised(char) else OPEN


def _kinds(text: str) -> list[str]:
    """Kind of each character; decimal points and the C of °C are no letters or ends."""
    kinds = [_kind(char) for char in text]
    for match in re.finditer(r"(?<=\d)[.:,/](?=\d)", text):
        kinds[match.start()] = DIGIT
    for match in re.finditer(r"(?<=°)[CF](?![A-Za-z])", text):
        kinds[match.start()] = OPEN
    return kinds


def _grouped(text: str, kinds: list[str]) -> list[Run]:
    """Runs of one kind of character."""
    pairs = groupby(zip(kinds, text, strict=True), key=lambda pair: pair[0])
    return [(kind, "".join(char for _, char in group)) for kind, group in pairs]


def _wide_as(runs: list[Run], language: str) -> list[Run]:
    """Full-width Latin letters are read by Japanese and Korean themselves, else they are en."""
    own = language in ("ja", "ko")
    return [(language if own and kind == WIDE else "en" if kind == WIDE else kind, text)
            for kind, text in runs]  # fmt: skip


@dataclass(frozen=True)
class _Clause:
    """What the runs between two sentence ends hold.

    Attributes:
        kana: whether there is Japanese.
        chinese: whether there is Han that Japanese does not have.
    """

    kana: bool
    chinese: bool


def _detected(runs: list[Run]) -> list[Run]:
    """Runs with their language found by script; digits are open."""
    clauses = _clauses(runs)
    found: list[Run] = []
    for i, (kind, part) in enumerate(runs):
        near = [k for k, _ in runs[i + 1 : i + 2] + runs[max(i - 1, 0) : i]]
        if kind == HAN_KIND:
            kind = _han(part, near, clauses[i])
        elif kind == WIDE:
            kind = "ko" if "ko" in near else "ja" if clauses[i].kana else "en"
        elif kind == DIGIT:
            kind = OPEN
        found.append((kind, part))
    return found


def _han(text: str, near: list[str], clause: _Clause) -> str:
    """Whether a Han run is Chinese or Japanese, by its characters and its clause."""
    if not _all_in(text, "shift_jis"):
        return "zh"
    if _only_japanese(text):
        return "ja"
    if not clause.kana:
        return "zh"
    return "zh" if clause.chinese and "ja" not in near else "ja"


def _clauses(runs: list[Run]) -> list[_Clause]:
    """The clause around each run."""
    found: list[_Clause] = []
    start = 0
    for i, (kind, text) in enumerate([*runs, (OPEN, "\n")]):
        if kind == OPEN and SENTENCE_END.search(text):
            inside = runs[start:i]
            chinese = any(k == HAN_KIND and not _all_in(t, "shift_jis") for k, t in inside)
            clause = _Clause(any(k == "ja" for k, _ in inside), chinese)
            found += [clause] * (i + 1 - start)
            start = i + 1
    return found


def _all_in(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _only_japanese(text: str) -> bool:
    """Whether a character is in neither mainland nor traditional Chinese character sets."""
    return any(not _all_in(char, "gb2312") and not _all_in(char, "big5hkscs") for char in text)


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
