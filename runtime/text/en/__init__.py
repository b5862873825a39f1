"""English: text to normalised text and phones."""

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping

from runtime.text.en.normalise import normalise
from runtime.text.en.tags import tag_of
from runtime.text.en.words import dictionary, homographs, look_up
from runtime.text.lexicon import PHONES, Lexicon
from runtime.text.phonemes import Reading
from runtime.text.symbols import known
from runtime.text.tables import table as read_table

Own = Mapping[str, tuple[str, ...]]

TOKEN = re.compile(r"[A-Za-z][A-Za-z'\-]+[A-Za-z]|[A-Za-z]+|\S")
WORD = re.compile(r"[^\W_][\w'+#-]*")
FEWEST_PHONES = 4


def read(text: str, table: str, lexicon: Lexicon | None = None) -> Reading:
    """Read one English segment.

    Args:
        text: the segment; letters of other scripts have no reading and are dropped.
        table: symbol table.
        lexicon: the user's readings, ARPAbet with stress.

    Returns:
        Phones with a comma before them if they are fewer than four; no `word2ph`.
    """
    lexicon = lexicon or Lexicon("en")
    sure = {w.lower(): tuple(p for p in said if p != PHONES) for w, said in lexicon.words.items()}
    own = ChainMap(sure, lexicon.dictionary)
    norm_text = ""
    phones: list[str] = []
    for part, is_own in _parts(text, lexicon):
        norm = part if is_own else normalise(part)
        phones += sure[part.lower()] if is_own else _phones(norm, sure, own)
        norm_text += norm
    tables = read_table("en")
    phones = [
        tables["phone_rewrites"].get(phone, phone)
        for phone in phones
        if phone not in tables["dropped_phones"]
    ]
    if len(phones) < FEWEST_PHONES:
        phones.insert(0, ",")
    return Reading(norm_text, known(phones, table))


def _parts(text: str, lexicon: Lexicon) -> Iterator[tuple[str, bool]]:
    """Stretches of text, and words of the lexicon that normalisation would take apart."""
    end = 0
    for match in WORD.finditer(text) if lexicon.words else ():
        word = match[0]
        if word in lexicon.words and not re.fullmatch("[A-Za-z]?[a-z'-]*", word):
            if match.start() > end:
                yield text[end : match.start()], False
            yield word, True
            end = match.end()
    if end < len(text) or not end:
        yield text[end:], False


def _phones(norm_text: str, sure: Own, own: Own) -> list[str]:
    tokens = TOKEN.findall(norm_text)
    return [phone for i in range(len(tokens)) for phone in _said(tokens, i, sure, own)]


def _said(tokens: list[str], i: int, sure: Own, own: Own) -> list[str]:
    """How one token is said; of `own`, only `sure` settles words that are said in two ways."""
    word = tokens[i].lower()
    if word in sure or (word in own and word not in homographs() and len(word) > 1):
        return list(own[word])
    if not re.search("[a-z]", word):
        return [word]
    if len(word) == 1:
        return ["EY1"] if tokens[i] == "A" else dictionary()[word].split()
    if word not in homographs():
        return look_up(word, own)
    one, two, prefix = homographs()[word]
    tag = tag_of(tokens, i)
    first = tag.startswith(prefix) or (len(tag) < len(prefix) and prefix.startswith(tag))
    return (one if first else two).split()
