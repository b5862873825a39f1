"""Readings that the user gives for words, one file per language."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from runtime.errors import SettingError

LANGS = ("zh", "en", "ja", "ko", "yue")


@dataclass(frozen=True)
class Lexicon:
    """Words of one language and how to say them.

    Attributes:
        lang: zh, en, ja, ko or yue.
        words: word to its reading, split at blanks. zh: pinyin with tone digit, yue: jyutping,
            one syllable per character; en: ARPAbet with stress; ja: kana; ko: hangul. For zh, en
            and yue a reading that starts with `=` is phone symbols, as they are.
    """

    lang: str
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches any word of the lexicon, the longest first; nothing if it is empty."""
        words = sorted(self.words, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, words)) if words else r"(?!)")

    def found(self, text: str) -> Iterator[tuple[int, int, tuple[str, ...]]]:
        """Start, end and reading of each word of the lexicon in `text`, from the left."""
        for match in self.pattern.finditer(text):
            yield match.start(), match.end(), self.words[match[0]]
