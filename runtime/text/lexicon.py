"""Readings that the user gives for words, one file per language."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from runtime.errors import SettingError
from runtime.text.symbols import ids_of
from runtime.text.tables import table

PHONES = "="  # first item of a reading that is phone symbols
LANGS = ("zh", "en", "ja", "ko", "yue")
SHAPES = {
    "zh": re.compile("[a-zü]+[1-5]"),
    "yue": re.compile("[a-z]+[1-6]"),
    "ja": re.compile("[\u3040-\u30ff]+"),
    "ko": re.compile("[\uac00-\ud7a3]+"),
}
NAMES = {
    "zh": "pinyin with tone digits",
    "yue": "jyutping with tone digits",
    "ja": "kana",
    "ko": "hangul",
    "en": "ARPAbet",
}


@dataclass(frozen=True)
class Lexicon:
    """Words of one language and how to say them.

    Attributes:
        lang: zh, en, ja, ko or yue.
        words: word to its reading, split at blanks. zh: pinyin, yue: jyutping, both one syllable
            with tone digit per character; en: ARPAbet with stress; ja: kana; ko: hangul. A
            reading whose first item is `=` is phone symbols, as they are.
            They overrule everything.
        dictionary: the same in lower case, in place of the language's dictionary: words that are
            said in two ways are still distinguished. English alone has one.
    """

    lang: str
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    dictionary: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches any word of the lexicon, the longest first; nothing if it is empty."""
        words = sorted(self.words, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, words)) if words else r"(?!)")

    @cached_property
    def digest(self) -> str:
        """Of all that it says, to compare two."""
        said = (self.lang, sorted(self.words.items()), sorted(self.dictionary.items()))
        return hashlib.sha256(repr(said).encode()).hexdigest()

    def over(self, other: "Lexicon") -> "Lexicon":
        """Both in one; where both say how to read a word, this one is followed."""
        kept = {
            word: said for word, said in other.words.items() if word.lower() not in self.dictionary
        }
        return Lexicon(self.lang, kept | self.words, other.dictionary | self.dictionary)

    def stretches(self, text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Stretches of text with nothing, and the words that are given as phones with those.

        Words that are given otherwise are respelled in the stretches.
        """
        stretch, end = "", 0
        for start, stop, reading in self.found(text):
            stretch += text[end:start]
            end = stop
            if reading[0] == PHONES:
                yield stretch, ()
                yield "", reading[1:]
                stretch = ""
            else:
                stretch += "".join(reading)
        yield stretch + text[end:], ()

    def found(self, text: str) -> Iterator[tuple[int, int, tuple[str, ...]]]:
        """Start, end and reading of each word of the lexicon in `text`, from the left."""
        for match in self.pattern.finditer(text):
            yield match.start(), match.end(), self.words[match[0]]


def layered(first: Mapping[str, Lexicon], then: Mapping[str, Lexicon]) -> dict[str, Lexicon]:
    """Lexicons by language; where both have one, words of `first` go before those of `then`."""
    both = {lang: first[lang].over(then[lang]) for lang in first.keys() & then.keys()}
    return {**then, **first, **both}


def load_lexicon(path: str | Path, lang: str) -> Lexicon:
    """Read a lexicon file.

    Args:
        path: UTF-8 text; a word and its reading on a line, a tab or blanks between; `#` starts
            a comment line; the first reading of a word counts. English words that are all in
            capitals make the file a dictionary as CMUdict, which replaces ours.
        lang: zh, en, ja, ko or yue.

    Raises:
        SettingError: unknown language, unreadable file, or a line that says nothing sensible.
    """
    if lang not in LANGS:
        raise SettingError(f"lexicon: '{lang}' is no language; choose one of {', '.join(LANGS)}")
    try:
        content = Path(path).read_text("utf-8-sig")
    except OSError as error:
        raise SettingError(f"lexicon {path}: {error.strerror}; give a readable file") from error
    except UnicodeDecodeError as error:
        raise SettingError(f"lexicon {path}: it is not UTF-8; save it as UTF-8") from error
    words: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip() or line.startswith(("#", ";;;")):
            continue
        word, reading = _entry(line, lang, f"lexicon {path}:{number}")
        words.setdefault(word, reading)
    whole = lang == "en" and bool(words) and all(word == word.upper() for word in words)
    if whole and len(words) > 1000:
        return Lexicon(lang, dictionary={word.lower(): said for word, said in words.items()})
    return Lexicon(lang, words)


def _entry(line: str, lang: str, where: str) -> tuple[str, tuple[str, ...]]:
    if "\t" in line:
        word, _, rest = line.partition("\t")
    else:
        word, _, rest = line.strip().partition(" ")
    word, reading = re.sub(r"\(\d+\)$", "", word.strip()), rest.split()
    if reading and reading[0].startswith(PHONES):
        reading = [PHONES, *rest.strip().removeprefix(PHONES).split()]
    elif lang == "en":
        reading = [phone for phone in reading if phone not in ("-", "#")]
    if not word or not reading:
        raise SettingError(f"{where}: it needs a word and its {NAMES[lang]}; write both")
    wrong = _wrong(reading, lang)
    if wrong:
        raise SettingError(f"{where}: '{wrong}' is not {NAMES[lang]} or a phone; correct it")
    _check_length(word, reading, lang, where)
    return word, tuple(reading)


def _wrong(reading: list[str], lang: str) -> str:
    """The first item that can't be said; empty if all can."""
    if reading[0] == PHONES or lang == "en":
        said = reading[1:] if reading[0] == PHONES else reading
        return next((phone for phone in said if phone not in ids_of("v2")), "")
    for one in reading:
        if not SHAPES[lang].fullmatch(one):
            return one
        if lang == "zh" and one[:-1].replace("ü", "v") not in table("zh")["pinyin_symbols"]:
            return one
        if lang == "yue" and not one.startswith(tuple(table("yue")["initials_in_match_order"])):
            return one
    return ""


def _check_length(word: str, reading: list[str], lang: str, where: str) -> None:
    """One syllable, or two phones, for each character of a Chinese or Cantonese word."""
    if lang not in ("zh", "yue"):
        return
    count = (len(reading) - 1) / 2 if reading[0] == PHONES else len(reading)
    if count != len(word):
        raise SettingError(
            f"{where}: '{word}' has {len(word)} characters; give one syllable, or two phones, each"
        )
