"""Text of any length to pieces that are spoken one after the other, and pauses between them.

The reference's cutting decides where it can; it is overruled where it would cut a decimal
number, an abbreviation, an address or an ellipsis in two, and where a piece has too many phones.
"""

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate

from runtime.errors import SettingError, TextError
from runtime.text.cut import LONGEST, lines
from runtime.text.frontend import INLINE, phonemize
from runtime.text.imports import once
from runtime.text.languages import mode_of
from runtime.text.lexicon import Lexicon
from runtime.text.phonemes import Piece
from runtime.text.symbols import ids_of
from runtime.text.tables import table
from runtime.text.unread import unread

Count = Callable[[str], int]

LONGEST_PAUSE_MS = 60_000
PAUSE = re.compile(r"\[pause=([^\[\]]*)\]")
MASKED = " !?….,-:：~—，。？！;；、"
ABBREVIATIONS = ("Dr", "St", "Mt", "Jr", "Sr", "vs", "approx", "et al", "Ph.D")
SHIELD = 0xE000  # private use: what is masked is no mark for any method, and no letter
WHOLE = re.compile(
    rf"{INLINE.pattern}"
    r"|https?://[^\s\u3000-\uffef]*[A-Za-z0-9/]"
    r"|(?<![\w.+-])[\w.+-]*\w@\w[\w-]*(?:\.\w+)+"
    r"|(?<![A-Za-z0-9-])(?:[A-Za-z0-9-]+\.)+(?:com|org|net|io|cn|jp|kr|hk|edu|gov|ai|dev)\b(?:/[\w./?=&%-]*\w)?"
    r"|\d+(?:[.,:]\d+)+%?"
    r"|\b(?:[A-Za-z]\.){2,}"
    r"|\.{2,}|…{2,}|。{2,}|—{2,}"
)
WORD = re.compile(r"\w")
CHARACTER = re.compile(rf"{INLINE.pattern}|.", re.DOTALL)
LEVELS = (
    re.compile(r"(?<=[。！？!?.…\n])"),
    re.compile(r"(?<=[，、；：,;:—~])"),
    re.compile(r"(?<=\s)|(?<=[\u3040-\u30ff\u3400-\u9fff])|(?=[\u3040-\u30ff\u3400-\u9fff])"),
    CHARACTER,
)
WORDS = 2  # the level at which words stay whole
UNEVEN = 1.2  # how much longer a part may be than its even share, so that no word is left over


def pieces(
    text: str,
    lang: str,
    cut: str,
    max_phones: int,
    *,
    table: str = "v2",
    lexicons: Mapping[str, Lexicon] | None = None,
) -> list[Piece]:
    """Cut text into what is spoken in one go.

    Args:
        text: of any length, with `[pause=500ms]` where silence is wanted.
        lang: a mode, in any case.
        cut: cut0 to cut5.
        max_phones: most phones of a piece; a longer one is cut at sentences, then at clauses,
            then at words.
        table: symbol table, to count phones.
        lexicons: the user's readings, to count phones.

    Returns:
        Pieces and pauses in order, at least one.

    Raises:
        SettingError: unknown mode, cut or table, or `max_phones` holds not even one word.
        TextError: nothing can be spoken, or a pause is malformed.
        BackendMissing: the packages of a language are not installed.
    """
    mode = mode_of(lang)
    ids_of(table)
    count = _counter(mode, max_phones, table, lexicons)
    found: list[Piece] = []
    for part, pause in _pauses(text):
        if pause:
            found.append(Piece(pause_ms=pause))
            continue
        for line in _lines(part, mode, cut):
            parts = _limited(line, count, max_phones) if line else ()
            found += [Piece(short) for short in parts if re.search(r"\w", short) and count(short)]
    if not found:
        hint = unread(text, mode) or "give words or numbers"
        raise TextError(f"text: there is nothing in it to speak; {hint}")
    return found


def finer(
    text: str,
    lang: str,
    max_phones: int,
    *,
    table: str = "v2",
    lexicons: Mapping[str, Lexicon] | None = None,
) -> list[str]:
    """A piece in parts of at most `max_phones`, about as long as each other.

    Words and phones that were given stay whole, whatever they have.
    """
    count = _counter(mode_of(lang), max_phones, table, lexicons)
    whole = count(text)
    share = math.ceil(UNEVEN * whole / math.ceil(whole / max_phones))
    parts = _limited(text, count, min(max_phones, share), finest=WORDS)
    return [part for part in parts if re.search(r"\w", part) and count(part)]


def behind(
    text: str,
    lang: str,
    spoken: int,
    *,
    table: str = "v2",
    lexicons: Mapping[str, Lexicon] | None = None,
) -> str:
    """What is left of a piece when its first phones are spoken, from a word on.

    Args:
        text: the piece.
        lang: a mode, in any case.
        spoken: how many phones are; the first word counts as spoken in any case.
        table: symbol table, to count phones.
        lexicons: the user's readings, to count phones.

    Returns:
        The rest; empty where the piece is a single word.
    """
    count = _counter(mode_of(lang), spoken, table, lexicons)
    words = _atoms(text, WORDS)
    rest = "".join(words[max(1, _fitting(words, count, spoken)) :])
    return rest if re.search(r"\w", rest) and count(rest) else ""


def _counter(
    mode: str, max_phones: int, table: str, lexicons: Mapping[str, Lexicon] | None
) -> Count:
    """Counts phones; what is too long for RoBERTa has more than `max_phones`."""

    def count(part: str) -> int:
        try:
            read = phonemize(part, mode, table, lexicons=lexicons)
        except TextError:
            if INLINE.search(part):
                raise
            return 0
        short = len(read.norm_text) <= LONGEST
        return len(read.ids) if short else max(len(read.ids), max_phones + 1)

    return count


def _pauses(text: str) -> Iterator[tuple[str, int]]:
    """Stretches of text with 0, and pauses as milliseconds."""
    end = 0
    for match in PAUSE.finditer(text):
        yield text[end : match.start()], 0
        if not re.fullmatch(r"[0-9]{1,6}ms", match[1]) or int(match[1][:-2]) > LONGEST_PAUSE_MS:
            raise TextError(
                f"text: '{match[0]}' is no pause; write [pause=500ms], at most {LONGEST_PAUSE_MS}ms"
            )
        if int(match[1][:-2]):
            yield "", int(match[1][:-2])
        end = match.end()
    yield text[end:], 0


def _lines(text: str, mode: str, cut: str) -> list[str]:
    """The reference's lines, with what must stay whole put back together."""
    try:
        if INLINE.search(text):
            return _shielded_lines(text, mode, cut)
        found = lines(text, mode, cut)
        found[:1] = [_apart(line, text) for line in found[:1]]
        return _shielded_lines(text, mode, cut) if _cuts_in_two(text, found) else found
    except TextError:
        return []


def _apart(line: str, text: str) -> str:
    """The first line; a dot that the short-text rule put before a number is apart from it."""
    added = line.startswith(".") and not text.lstrip().startswith(".")
    return f". {line[1:]}" if added and line[1:2].isdigit() else line


def _cuts_in_two(text: str, found: list[str]) -> bool:
    """Whether an end of a line lies inside something whole; both counted in letters and digits."""
    ends = [*accumulate(_letters(line) for line in found[:-1])]
    if not ends:
        return False
    before = [0, *accumulate(WORD.match(char) is not None for char in text)]
    return any(
        bisect_right(ends, before[match.start()]) < bisect_left(ends, before[match.end()])
        for match in _whole().finditer(text)
    )


@once
def _whole() -> re.Pattern[str]:
    """What must stay whole, with the abbreviations that the English reader knows."""
    from runtime.text.en.normalise import FILES
    from runtime.text.en.rules import either, not_lettered  # with numpy, if at the top

    tables = table("en")
    known = either(
        {*tables["titles"], *tables["months"], *tables["before_numbers"], *ABBREVIATIONS}
    )
    going_on = either({*tables["abbreviations"], *tables["units_with_dots"]})
    initials = rf"{not_lettered()}\b(?:[A-Z]\. ?)+[A-Z][a-z]+"
    first = (
        rf"\b(?:[A-Z]\.){{2,}}(?:\s+{known}\.)*\s+[a-z0-9]\w*|\b[ap]\.m\.\s+[a-z0-9]\w*"
        rf"|\b(?:e\.g|i\.e)\.\s*\w+|{initials}|\w\.{FILES}\b"
    )
    last = rf"\b(?:{known}\.\s*)+\w+|(?<=[A-Za-z0-9 ]){going_on}\.\s+[a-z]\w*"
    return re.compile(f"{first}|{WHOLE.pattern}|{last}")


def _letters(text: str) -> int:
    return len(WORD.findall(text))


def _shielded_lines(text: str, mode: str, cut: str) -> list[str]:
    found = [_bared(line) for line in lines(_shielded(text), mode, cut)]
    return [_apart(line, text) for line in found[:1]] + found[1:]


def _shielded(text: str) -> str:
    """Marks inside what must stay whole become private-use characters, one each."""
    code = {mark: chr(SHIELD + i) for i, mark in enumerate(MASKED)}

    def shield(match: re.Match[str]) -> str:
        whole = match[0]
        open_end = 1 if whole.strip(whole[0]) == "" else 0  # one may cut after an ellipsis
        closed = whole[: len(whole) - open_end]
        return "".join(code.get(char, char) for char in closed) + whole[len(closed) :]

    return _whole().sub(shield, text)


def _bared(text: str) -> str:
    last = SHIELD + len(MASKED)
    return "".join(MASKED[ord(c) - SHIELD] if SHIELD <= ord(c) < last else c for c in text)


def _limited(
    line: str, count: Count, most: int, level: int = 0, finest: int = len(LEVELS)
) -> Iterator[str]:
    """The line, or parts of at most `most` phones, cut at the first level that is fine enough.

    With `finest`, a level, what it leaves too long is left so.
    """
    whole = count(line)
    if whole <= most or finest < level:
        yield line
        return
    if level == len(LEVELS):
        raise SettingError(
            f"max_phones: {most} is too few for '{line[:20]}'; give at least {whole}"
        )
    atoms = _atoms(line, level)
    likely = len(atoms) * most // whole
    start = 0
    while start < len(atoms):
        size = _fitting(atoms[start:], count, most, likely)
        part = "".join(atoms[start : start + max(size, 1)])
        start += max(size, 1)
        if size:
            yield part
        else:
            yield from _limited(part, count, most, level + 1, finest)


def _atoms(line: str, level: int) -> list[str]:
    """The line cut at every place of a level; only the last level cuts what should stay whole."""
    if level == len(LEVELS) - 1:
        return [match[0] for match in CHARACTER.finditer(line)]
    return [_bared(atom) for atom in LEVELS[level].split(_shielded(line)) if atom]


def _fitting(atoms: list[str], count: Count, most: int, likely: int = 1) -> int:
    """How many of the first atoms fit together; 0 if not even one does.

    Counting is costly, so the search begins where it is likely to end.
    """
    fits, too_many = 0, len(atoms) + 1
    size, step = min(max(likely, 1), len(atoms)), max(likely // 8, 1)
    while too_many - fits > 1:
        if count("".join(atoms[:size])) <= most:
            fits, size, step = size, size + step, step * 2
        else:
            too_many, size, step = size, size - step, step * 2
        if not fits < size < too_many:
            size = (fits + too_many) // 2
    return fits
