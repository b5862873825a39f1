"""Distinguish verbs from other words by their neighbours, for words that are said in two ways.

Stands in for a part-of-speech tagger: only the difference that a second pronunciation hangs on.
"""

import re

from runtime.text.imports import once
from runtime.text.tables import table

MARKS = tuple("!?…,.;:")
ENDS = tuple("!?….")


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
    if word == "read":
        return _read(tokens, start, before)
    if word.endswith("ed"):
        return _past(before, after)
    if word.endswith("ing"):
        return "NN" if before in classes["determiners"] else "VBG"
    if _is_verb(tokens, i, start):
        return "VBZ" if word.endswith("s") else "VB"
    if before in classes["be"] or before in classes["degrees"]:
        return "JJ"
    if after.isalpha() and not _opens_phrase(after) and after not in classes["be"]:
        return "JJ"
    return "NN"


def _past(before: str, after: str) -> str:
    """Words that end as past forms do."""
    classes = _classes()
    if before in classes["be"] | classes["have"]:
        return "VBN"
    if before in classes["determiners"]:
        return "JJ"
    return "VBN" if after in classes["prepositions"] - {"to"} else "VBD"


def _read(tokens: list[str], start: int, before: str) -> str:
    """`read`, whose forms of today and of the past are spelled alike."""
    classes = _classes()
    helpers = [word.lower() for word in tokens[max(start - 3, 0) : start]]
    if before in classes["modals"] or before.endswith(("'ll", "'d")) or "did" in helpers:
        return "VB"
    if before in classes["be"] or classes["have"] & {*helpers}:
        return "VBN"
    if classes["past_times"] & {*_clause(tokens, start)}:
        return "VBD"
    plural = before in ("i", "you", "we", "they", "people", "", "who", "and") or _is_plural(before)
    return "VBP" if plural else "VBD"


def _clause(tokens: list[str], i: int) -> list[str]:
    """The words between the marks around token `i`, in lower case."""
    ends = [k for k, token in enumerate(tokens) if token in MARKS]
    start = max((k + 1 for k in ends if k < i), default=0)
    end = min((k for k in ends if k > i), default=len(tokens))
    return [token.lower() for token in tokens[start:end]]


def _is_verb(tokens: list[str], i: int, start: int) -> bool:
    """Whether the words before and after ask for a verb; adverbs begin at `start`."""
    classes = _classes()
    word, before, after = (
        tokens[k].lower() if 0 <= k < len(tokens) else "" for k in (i, start - 1, i + 1)
    )
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
    if before == "so" and tokens[start - 2 : start - 1] == [","]:
        return opens
    several = _is_plural(before) or [*tokens[: start - 1]][-1:] == ["and"]
    if _asked(tokens, start) or (several and (_opens_phrase(after) or after in classes["later"])):
        return True
    if several != word.endswith("s") and not before[0].isdigit():
        return _lacks_verb(tokens, i)
    return False


def _lacks_verb(tokens: list[str], i: int) -> bool:
    """Whether no other word of the clause, which ends with a mark, can be its verb."""
    classes = _classes()
    words = _clause(tokens, i)
    others = [word for k, word in enumerate(words) if word != tokens[i].lower()]
    finite = classes["be"] | classes["have"] | classes["modals"] | classes["verbs"]
    ended = any(token in ENDS for token in tokens[i + 1 :])
    return ended and not any(word in finite or word.endswith(("ed", "'s")) for word in others)


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
    classes = _classes()
    if word in classes["plurals"]:
        return True
    return re.fullmatch("[a-z]{2,}[^'sui]s", word) is not None and not any(
        word in words for words in classes.values()
    )


def _opens_phrase(word: str) -> bool:
    classes = _classes()
    return any(
        word in classes[name]
        for name in ("determiners", "prepositions", "pronouns", "modals", "have", "clause_openers")
    )
