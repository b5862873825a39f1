"""What the tables of rules for English text share."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from runtime.text.tables import table

Write = Callable[[re.Match[str]], str] | str
Rule = tuple[re.Pattern[str], Write]
Spelling = tuple[str, Write]

NUM = r"[0-9]+(?:\.[0-9]+)?"


@dataclass(frozen=True)
class Family:
    """Rules that one test lets a text pass by.

    Attributes:
        needs: what is in every text that a rule has something to do with.
        rules: applied in order.
    """

    needs: re.Pattern[str]
    rules: tuple[Rule, ...]

    @classmethod
    def of(cls, needs: str, spellings: Iterable[Spelling]) -> "Family":
        """The family with its patterns compiled."""
        rules = tuple((re.compile(pattern), write) for pattern, write in spellings)
        return cls(re.compile(needs), rules)

    def applied(self, text: str) -> str:
        """The text after all rules."""
        if self.needs.search(text):
            for pattern, write in self.rules:
                text = pattern.sub(write, text)
        return text


def not_lettered() -> str:
    """A pattern of what does not follow a word that a letter may end, as `Plan B. Then`."""
    return "".join(f"(?<!{word} )" for word in table("en")["lettered"])


def either(words: Iterable[str]) -> str:
    """A pattern of any of the words, the longest first."""
    longest_first = sorted(words, key=len, reverse=True)
    return f"(?:{'|'.join(map(re.escape, longest_first))})"
