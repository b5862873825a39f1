"""Tell verbs from other words by their neighbours, for words that are said in two ways.

Stands in for a part-of-speech tagger: only the difference that a second pronunciation hangs on.
"""

import re

from runtime.text.imports import once
from runtime.text.tables import table


@once
def _classes() -> dict[str, frozenset[str]]:
    return {name: frozenset(words) for name, words in table("en")["word_classes"].items()}


def tag_of(tokens: list[str], i: int) -> str:
    """A Penn tag for token `i`: VB, VBP, VBD, VBN, VBG, VBZ, JJ or NN."""
    classes = _classes()
    word = tokens[i].lower()
    after = tokens[i + 1].lower() if i + 1 < len(tokens) else ""
    start = i
    while start and tokens[start - 1].lower() in classes["adverbs"]:
        start -= 1
    before = tokens[start - 1].lower() if start else ""
    if word.endswith("ed") or word == "read":
        return _past(word, before, after)
    if word.endswith("ing"):
        return "NN" if before in classes["determiners"] else "VBG"
    if _is_verb(tokens, start, before, after):
        return "VBZ" if word.endswith("s") else "VB"
    if before in classes["be"] or before in classes["degrees"]:
        return "JJ"
    if after.isalpha() and not _opens_phrase(after) and after not in classes["be"]:
        return "JJ"
    return "NN"


def _past(word: str, before: str, after: str) -> str:
    """Words that may be past forms, `read` among them."""
    classes = _classes()
    if before in classes["be"] | classes["have"]:
        return "VBN"
    if word != "read":
        if before in classes["determiners"]:
            return "JJ"
        return "VBN" if after in classes["prepositions"] - {"to"} else "VBD"
    if before in classes["modals"] or before.endswith(("'ll", "'d")):
        return "VB"
    return "VBP" if before in ("i", "you", "we", "they", "people", "") else "VBD"


def _is_verb(tokens: list[str], start: int, before: str, after: str) -> bool:
    """Whether the words before and after ask for a verb."""
    classes = _classes()
    if before in classes["modals"] or before.endswith(("'ll", "'d")):
        return True
    if before in classes["pronouns"]:
        return True
    if before in classes["objects"] and start > 1:
        return tokens[start - 2].lower() in classes["causers"]
    opens = after in classes["determiners"] | classes["objects"]
    if not before or not before.isalpha():
        capital = start < len(tokens) and tokens[start][:1].isupper() and before == ","
        return opens and not capital
    if before in classes["clause_openers"]:
        return opens
    if _asked(tokens, start) or (_is_plural(before) and _opens_phrase(after)):
        return True
    plain = before not in classes["determiners"] | classes["prepositions"] | classes["be"]
    return plain and opens and before not in classes["have"]


def _asked(tokens: list[str], start: int) -> bool:
    """Whether a question word as `does` stands three words before, with a subject between."""
    classes = _classes()
    return (
        start > 2
        and tokens[start - 3].lower() in ("do", "does", "did", "will", "can", "should")
        and tokens[start - 2].lower() in classes["determiners"]
        and re.fullmatch("[a-z]+", tokens[start - 1]) is not None
    )


def _is_plural(word: str) -> bool:
    """Whether a word looks like a plural noun, a likely subject."""
    return re.fullmatch("[a-z]{2,}[^'sui]s", word) is not None and not any(
        word in words for words in _classes().values()
    )


def _opens_phrase(word: str) -> bool:
    classes = _classes()
    return any(
        word in classes[name]
        for name in ("determiners", "prepositions", "pronouns", "modals", "have", "clause_openers")
    )
