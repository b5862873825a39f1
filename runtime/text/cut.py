"""Cut long text the way users of the reference know it: cut0 to cut5, then the short-text rules.

Each method gives lines; `lines` is the whole chain of one method, as the reference's API runs it.
"""

import re
from collections.abc import Callable

from runtime.errors import SettingError, TextError
from runtime.text.tables import table

LONGEST = 510  # characters; RoBERTa has 512 positions, two of them for its own tokens
SHORTEST = 5
SHORTEST_HEAD = 4
LONG_ENOUGH = 50
PIECES_PER_GROUP = 4


def _marks(name: str) -> str:
    return "".join(table("cut")[name])


def lines(text: str, lang: str, cut: str) -> list[str]:
    """Lines to speak one after the other.

    Args:
        text: any text.
        lang: a mode in lower case; `en` gets ASCII dots.
        cut: cut0 to cut5.

    Returns:
        Lines of at most 510 characters, except where a longer run has no mark at all; a line
        may be empty. None for text without letters or digits.

    Raises:
        SettingError: there is no such method.
        TextError: no line holds anything.
    """
    text = _once(text).strip("\n")
    if not text:
        return []
    dot = "." if lang == "en" else "。"
    head = re.split(f"[{re.escape(_marks('sentence_marks'))}]", text)[0].strip()
    if text[0] not in _marks("sentence_marks") and len(head) < SHORTEST_HEAD:
        text = dot + text
    cut_lines = "\n".join(method(cut)(text)).split("\n")
    if all(line in ("", " ") for line in cut_lines):
        raise TextError("text: there is nothing in it to speak; give words or numbers")
    merged = _merge_short([line for line in cut_lines if line not in ("", " ")])
    return [part for line in merged for part in _finished(line, dot)]


def method(cut: str) -> Callable[[str], list[str]]:
    """The cutting method of that name; its result joined by newlines is the reference's.

    Raises:
        SettingError: there is none.
    """
    if cut not in CUTS:
        raise SettingError(f"cut: '{cut}' is unknown; choose one of {', '.join(CUTS)}")
    return CUTS[cut]


def _once(text: str) -> str:
    """Each run of half-width marks reduced to its first."""
    marks = re.escape(_marks("collapse_set"))
    return re.sub(rf"([{marks}])[{marks}]+", r"\1", text)


def _merge_short(found: list[str]) -> list[str]:
    if len(found) < 2:
        return found
    merged: list[str] = []
    line = ""
    for part in found:
        line += part
        if len(line) >= SHORTEST:
            merged.append(line)
            line = ""
    if line and merged:
        merged[-1] += line
        line = ""
    return [*merged, line] if line else merged


def _finished(line: str, dot: str) -> list[str]:
    """The line with a mark at its end, in parts if it is long; none if nothing can be spoken."""
    if not re.search(r"\w", line):
        return []
    if line[-1] not in _marks("sentence_marks"):
        line += dot
    return [line] if len(line) <= LONGEST else _short_parts(line)


def _short_parts(line: str) -> list[str]:
    parts: list[str] = []
    part = ""
    for bit in re.split(f"([{re.escape(_marks('sentence_marks'))}])", line):
        if len(part) + len(bit) > LONGEST:
            parts.append(part)
            part = ""
        part += bit
    return [*parts, part] if part else parts


def _sentences(text: str) -> list[str]:
    """Text cut after each sentence mark; long dashes and ellipses are marks themselves."""
    marks = _marks("sentence_marks")
    text = text.replace("……", "。").replace("——", "，")
    if text[-1:] not in tuple(marks):
        text += "。"
    return re.findall(f"[^{re.escape(marks)}]*[{re.escape(marks)}]", text)


def _spoken(found: list[str], silent: str) -> list[str]:
    return [line for line in found if not set(line) <= set(silent)]


def cut0(text: str) -> list[str]:
    """No cut."""
    return ["\n"] if set(text) <= set(_marks("blank_set")) else [text]


def cut1(text: str) -> list[str]:
    """Four sentences or clauses at a time."""
    text = text.strip("\n")
    found = _sentences(text)
    starts = list(range(0, len(found), PIECES_PER_GROUP))[:-1]
    if not starts:
        return _spoken([text], _marks("blank_set"))
    ends = [*starts[1:], len(found)]
    groups = ["".join(found[a:b]) for a, b in zip(starts, ends, strict=True)]
    return _spoken(groups, _marks("blank_set"))


def cut2(text: str) -> list[str]:
    """Sentences and clauses until there are more than 50 characters."""
    text = text.strip("\n")
    found = _sentences(text)
    if len(found) < 2:
        return [text]
    groups: list[str] = []
    group = ""
    for part in found:
        group += part
        if len(group) > LONG_ENOUGH:
            groups.append(group)
            group = ""
    if group and groups and len(group) < LONG_ENOUGH:
        groups[-1] += group
    elif group:
        groups.append(group)
    return _spoken(groups, _marks("blank_set"))


def cut3(text: str) -> list[str]:
    """At 。, which is dropped."""
    return _spoken(text.strip("\n").strip("。").split("。"), _marks("blank_set"))


def cut4(text: str) -> list[str]:
    """At each dot that is not beside a digit; the dot is dropped."""
    return _spoken(re.split(r"(?<!\d)\.(?!\d)", text.strip("\n").strip(".")), _marks("blank_set"))


def cut5(text: str) -> list[str]:
    """After each mark, but not inside a decimal number."""
    marks = re.escape(_marks("cut5_marks"))
    kept = re.sub(r"(?<=\d)\.(?=\d)", "\0", text.strip("\n"))
    found = re.findall(f"[^{marks}]*[{marks}]|[^{marks}]+", kept)
    return _spoken([part.replace("\0", ".") for part in found], _marks("cut5_marks"))


CUTS: dict[str, Callable[[str], list[str]]] = {
    "cut0": cut0,
    "cut1": cut1,
    "cut2": cut2,
    "cut3": cut3,
    "cut4": cut4,
    "cut5": cut5,
}
