"""What the tables of rules for English text share."""

import re
from collections.abc import Callable, Iterable

Write = Callable[[re.Match[str]], str] | str
Rule = tuple[re.Pattern[str], Write]
Spelling = tuple[str, Write]

NUM = r"[0-9]+(?:\.[0-9]+)?"


def written(spellings: Iterable[Spelling]) -> tuple[Rule, ...]:
    """The rules with their patterns compiled."""
    return tuple((re.compile(pattern), write) for pattern, write in spellings)


def either(words: Iterable[str]) -> str:
    """A pattern of any of the words, the longest first."""
    longest_first = sorted(words, key=len, reverse=True)
    return f"(?:{'|'.join(map(re.escape, longest_first))})"
