"""Japanese: text to phones with accent marks, by Open JTalk's full-context labels."""

import re
import unicodedata
from pathlib import Path
from types import ModuleType
from typing import Any

from runtime.errors import BackendMissing
from runtime.text.imports import once, quietly
from runtime.text.ja.normalise import spelled_out
from runtime.text.lexicon import Lexicon
from runtime.text.phonemes import Reading
from runtime.text.symbols import UNKNOWN, known
from runtime.text.tables import table as read_table

LETTER = "[A-Za-z\\d\u3005\u3040-\u30ff\u4e00-\u9fff\uff21-\uff3a\uff41-\uff5a\uff66-\uff9d]"
WORDS = re.compile(rf"(?:{LETTER}|(?<=\d)．(?=\d))+")
RUNS_OF_MARKS = re.compile(r"([!?…,.\-])[!?…,.\-]+")
PHONE = re.compile(r"-([A-Za-z]+)\+")
ACCENT = re.compile(r"/A:(-?\d+|xx)\+(-?\d+|xx)\+(-?\d+|xx)")
MORAE = re.compile(r"/F:(\d+|xx)_")
MISSING = -50

Accent = tuple[int, int, int]  # distance to the nucleus, place forward, place backward

BORDER_PHONES = "aeiouAEIOUNcl"


def read(text: str, table: str, lexicon: Lexicon | None = None) -> Reading:
    """Read one Japanese segment.

    Args:
        text: the segment.
        table: symbol table; under v1 the accent marks are UNK.
        lexicon: the user's readings in kana, put in place of the words.

    Returns:
        Phones with `[`, `]` and UNK (accent phrase border) among them; no `word2ph`.
    """
    norm_text = RUNS_OF_MARKS.sub(r"\1", text)
    spoken = spelled_out(unicodedata.normalize("NFC", text))
    spoken = RUNS_OF_MARKS.sub(r"\1", spoken)
    phones: list[str] = []
    for stretch, given in (lexicon or Lexicon("ja")).stretches(spoken):
        phones += given or _runs(stretch.lower())
    return Reading(norm_text, known(phones, table))


def _runs(spoken: str) -> list[str]:
    """Phones of words and of the marks between them."""
    phones: list[str] = []
    end = 0
    for match in WORDS.finditer(spoken):
        phones += _marks(spoken[end : match.start()])
        phones += _phones(match[0])
        end = match.end()
    return phones + _marks(spoken[end:])


def _marks(text: str) -> list[str]:
    marks = read_table("ja")["punctuation_map"]
    said = (marks.get(char, char) for char in text if char != " ")
    return [UNKNOWN if char.isalpha() else char for char in said]


def _phones(words: str) -> list[str]:
    labels: list[str] = _backend().extract_fullcontext(words)
    accents = [*map(_accent, labels)]
    return [phone for i in range(1, len(labels) - 1) for phone in _with_accent(labels, accents, i)]


@once
def _backend() -> ModuleType:
    """Open JTalk with a dictionary that is already there; one to be downloaded is refused."""
    backend = quietly("pyopenjtalk")
    folder = getattr(backend, "OPEN_JTALK_DICT_DIR", b"")
    path = Path(folder.decode() if isinstance(folder, bytes) else str(folder))
    if not path.is_dir():
        raise BackendMissing(
            f"Japanese: pyopenjtalk has no dictionary at '{path}'; set OPEN_JTALK_DICT_DIR to"
            " one, or pip install '.[ja]' in the checkout"
        )
    return backend


def _with_accent(labels: list[str], accents: list[Accent], i: int) -> list[str]:
    """The phone of label `i`, and the accent mark after it if there is one."""
    phone = _group(PHONE, labels[i])
    if phone == "pau":
        return ["_"]
    symbol = phone.lower() if phone in "AEIOU" else phone
    nucleus, forward, backward = accents[i]
    following = accents[i + 1][1]
    if backward == 1 and following == 1 and phone in BORDER_PHONES:
        return [symbol, "#"]
    if nucleus == 0 and following == forward + 1 and forward != _number(MORAE, labels[i]):
        return [symbol, "]"]
    return [symbol, "["] if forward == 1 and following == 2 else [symbol]


def _accent(label: str) -> Accent:
    match = ACCENT.search(label)
    if not match:
        return MISSING, MISSING, MISSING
    return _value(match[1]), _value(match[2]), _value(match[3])


def _value(digits: str) -> int:
    return MISSING if digits == "xx" else int(digits)


def _group(pattern: re.Pattern[str], label: str) -> str:
    match: Any = pattern.search(label)
    return str(match[1]) if match else ""


def _number(pattern: re.Pattern[str], label: str) -> int:
    value = _group(pattern, label)
    return int(value) if value.isdigit() else MISSING
