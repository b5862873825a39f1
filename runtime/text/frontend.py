"""One piece of text in a language mode to phones and ids."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from runtime.errors import TextError
from runtime.text.languages import mode_of, reader
from runtime.text.lexicon import Lexicon
from runtime.text.phonemes import Phonemes, Reading, Segment
from runtime.text.segment import segments
from runtime.text.symbols import MARKS, encode, ids_of
from runtime.text.unread import unread
from runtime.text.zh.polyphones import Polyphones

FEWEST_IDS = 6
INLINE = re.compile(r"\[phones=([^\[\]]*)\]")
GIVEN = "phones"
SILENT = frozenset({*MARKS, "UNK", "SP", "SP2", "SP3", "_", "[", "]", "空", "停"})
LONGEST_STRETCH = 250  # characters
AFTER = re.compile(r"[。！？!?\n]|[.,;](?=\s)|[，；]")
MOST_BEFORE_COMMA = 2  # phones of an English segment that gets a comma with the dot
ONE_MARK = ("zh",)  # languages whose runs of marks are one mark


def phonemize(
    text: str,
    lang: str,
    table: str = "v2",
    *,
    lexicons: Mapping[str, Lexicon] | None = None,
    polyphones: Polyphones | None = None,
) -> Phonemes:
    """Read one piece of text.

    Args:
        text: one piece, with `[phones=…]` where phones are given. Runs of blanks count as one.
        lang: a mode, in any case.
        table: symbol table of the checkpoint, v1 or v2.
        lexicons: the user's readings, by language.
        polyphones: chooses readings of Chinese characters in context; as many phones with or
            without.

    Returns:
        Its segments. If they hold fewer than six ids the text was read with a dot before it.

    Raises:
        SettingError: unknown mode or table, or the table lacks the language's phones.
        TextError: nothing in the text can be spoken, or an inline phone is unknown.
        BackendMissing: the packages of a language are not installed.
    """
    mode = mode_of(lang)
    ids_of(table)
    if re.search("[\ud800-\udfff]", text):
        raise TextError("text: it holds half a character (a surrogate); give valid Unicode")
    text = re.sub(" {2,}", " ", text)
    if mode != "en" and not text.strip():
        raise TextError("text: it is empty; give something to speak")
    found = _read(text, mode, table, lexicons or {}, polyphones)
    if not found:
        found = _read(".", mode, table, {}, None)
    elif sum(len(segment.ids) for segment in found) < FEWEST_IDS:
        found[0] = _with_dot(found[0], table)
    spoken = any(not SILENT.issuperset(segment.phones) for segment in found)
    if not spoken and (any(map(str.isalnum, text)) or not any(segment.ids for segment in found)):
        hint = unread(text, mode) or "give words or numbers"
        raise TextError(f"text: nothing in '{_short(text)}' can be spoken as {mode}; {hint}")
    return Phonemes(tuple(found))


def parse_phones(text: str, table: str) -> Phonemes:
    """Take phone symbols, split by blanks, as they are.

    Raises:
        SettingError: there is no such table.
        TextError: there is none, or one is not in the table; names the nearest.
    """
    segment = _given(text, text, table)
    if not segment.ids:
        raise TextError("phones: none are given; give symbols split by blanks")
    return Phonemes((segment,))


def _read(
    text: str,
    mode: str,
    table: str,
    lexicons: Mapping[str, Lexicon],
    polyphones: Polyphones | None,
) -> list[Segment]:
    found: list[Segment] = []
    for part, phones in _parts(text):
        if phones is not None:
            found.append(_given(part, phones, table))
            continue
        for stretch in _stretches(part):
            for run in segments(stretch, mode):
                read = reader(run.lang, table, polyphones)
                reading = read(run.spoken, table, lexicons.get(run.lang))
                if run.formula and reading.phones[:1] == [","]:
                    del reading.phones[0]
                found.append(_segment(run.lang, run.text, table, reading))
    return found


def _stretches(text: str) -> Iterator[str]:
    """The text in stretches that take a time in proportion to their length.

    It is cut after a mark, else after a blank, else by force; what is cut for pieces is shorter.
    """
    start = 0
    while len(text) - start > LONGEST_STRETCH:
        room = text[start : start + LONGEST_STRETCH]
        end = next((at for at in (_last(AFTER, room), room.rfind(" ") + 1) if at), len(room))
        yield room[:end]
        start += end
    yield text[start:]


def _last(pattern: re.Pattern[str], text: str) -> int:
    """Where the last match ends; 0 if there is none."""
    return max((match.end() for match in pattern.finditer(text)), default=0)


def _with_dot(first: Segment, table: str) -> Segment:
    """A dot before a short text, as models expect; it is a phone, never part of a number."""
    phones = first.phones
    if first.lang == "en":
        own = phones[1:] if phones[:1] == (",",) and first.norm_text[:1] != "," else phones
        phones = (".", *own) if len(own) > MOST_BEFORE_COMMA else (",", ".", *own)
    elif first.lang in ONE_MARK and first.norm_text[:1] in tuple(MARKS):
        phones = (".", *phones[1:])
    else:
        phones = (".", *phones)
    counts = first.word2ph
    if counts is not None and len(phones) > len(first.phones):
        counts = (1, *counts)
    dotted = "" if len(phones) == len(first.phones) and first.lang in ONE_MARK else "."
    return replace(
        first,
        text=f".{first.text}",
        norm_text=f"{dotted}{first.norm_text}" if dotted else f".{first.norm_text[1:]}",
        phones=phones,
        ids=encode(phones, table),
        word2ph=counts,
    )


def _segment(code: str, run: str, table: str, reading: Reading) -> Segment:
    counts = reading.word2ph
    return Segment(
        lang=code,
        text=run,
        norm_text=reading.norm_text,
        phones=tuple(reading.phones),
        ids=encode(reading.phones, table),
        word2ph=None if counts is None else tuple(counts),
    )


def _parts(text: str) -> Iterator[tuple[str, str | None]]:
    """Stretches of text, and inline phones with what stands between their brackets."""
    end = 0
    for match in INLINE.finditer(text):
        if match.start() > end:
            yield text[end : match.start()], None
        yield match[0], match[1]
        end = match.end()
    if end < len(text) or not end:
        yield text[end:], None


def _given(text: str, phones: str, table: str) -> Segment:
    symbols = tuple(phones.split())
    return Segment(GIVEN, text, "", symbols, encode(symbols, table), None)


def _short(text: str) -> str:
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= 20 else f"{text[:20]}…"
