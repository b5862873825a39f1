"""English: text to normalised text and phones."""

import re

from runtime.text.en_normalise import normalise
from runtime.text.en_tags import tag_of
from runtime.text.en_words import dictionary, homographs, look_up
from runtime.text.lexicon import Lexicon
from runtime.text.phonemes import Reading
from runtime.text.symbols import known
from runtime.text.tables import table as read_table

TOKEN = re.compile(r"[A-Za-z][A-Za-z'\-]+[A-Za-z]|[A-Za-z]+|\S")
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
    norm_text = normalise(text)
    tokens = TOKEN.findall(norm_text)
    own = lexicon.words if lexicon else {}
    tables = read_table("en")
    phones: list[str] = []
    for i, token in enumerate(tokens):
        given = own.get(token) or own.get(token.lower())
        phones += given or _phones(tokens, i)
    phones = [
        tables["phone_rewrites"].get(phone, phone)
        for phone in phones
        if phone not in tables["dropped_phones"]
    ]
    if len(phones) < FEWEST_PHONES:
        phones.insert(0, ",")
    return Reading(norm_text, known(phones, table))


def _phones(tokens: list[str], i: int) -> list[str]:
    word = tokens[i].lower()
    if not re.search("[a-z]", word):
        return [word]
    if len(word) == 1:
        return ["EY1"] if tokens[i] == "A" else dictionary()[word].split()
    if word not in homographs():
        return look_up(word)
    one, two, prefix = homographs()[word]
    tag = tag_of(tokens, i)
    first = tag.startswith(prefix) or (len(tag) < len(prefix) and prefix.startswith(tag))
    return (one if first else two).split()
