"""Chinese sentences cut into words, and words joined where their tones act together."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from runtime.text.imports import once, quietly
from runtime.text.tables import table


@dataclass(frozen=True)
class Word:
    """A word and its jieba part-of-speech tag."""

    text: str
    tag: str

    def initials(self) -> list[str]:
        """Initial of each character, empty where there is none; a mark is itself."""
        return list(_pinyin(self.text)[0])

    def finals(self) -> list[str]:
        """Final of each character with its tone digit; a mark is itself."""
        return list(_pinyin(self.text)[1])


Words = list[Word]


@once
def _tokenizer() -> Any:
    """A jieba tokenizer of our own, which neither logs nor writes a cache file."""
    tokenizer = quietly("jieba").Tokenizer()
    tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True
    return tokenizer


@once
def _tagger() -> Any:
    return quietly("jieba.posseg").POSTokenizer(_tokenizer())


@lru_cache(maxsize=4096)
def _pinyin(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    from pypinyin import Style, lazy_pinyin

    initials = lazy_pinyin(text, neutral_tone_with_five=True, style=Style.INITIALS)
    finals = lazy_pinyin(text, neutral_tone_with_five=True, style=Style.FINALS_TONE3)
    for char, (said, *others) in table("zh")["usual_readings"].items():
        if char in text and len(initials) == len(text) and not any(one in text for one in others):
            for i in (i for i, one in enumerate(text) if one == char):
                initials[i], finals[i] = parts_of(said)
    if len(initials) == len(text):
        return tuple(initials), tuple(finals)
    # characters without a reading come back as one group
    single = [_pinyin(char) if len(text) > 1 else ((text,), (text,)) for char in text]
    return tuple(i[0] for i, _ in single), tuple(f[0] for _, f in single)


def parts_of(pinyin: str) -> tuple[str, str]:
    """Initial and final with tone of a syllable that was written as `hang2`."""
    from pypinyin.contrib.tone_convert import to_finals_tone3, to_initials

    return to_initials(pinyin), to_finals_tone3(pinyin, neutral_tone_with_five=True)


def halves(text: str) -> tuple[str, str]:
    """The word in two, at the edge of the shortest word that is found inside it."""
    shortest = min(_tokenizer().cut_for_search(text), key=len)
    if text.startswith(shortest):
        return shortest, text[len(shortest) :]
    return text[: -len(shortest)], shortest


def words(sentence: str) -> Words:
    """Words of a sentence, joined as tone rules need them."""
    found = [Word(pair.word, pair.flag) for pair in _tagger().lcut(sentence)]
    for join in (_join_bu, _join_yi_between, _join_yi, _join_repeats, _join_third, _join_touching):
        found = join(found)
    return _join_er(found)


def _join_bu(found: Words) -> Words:
    joined: Words = []
    bu = ""
    for word in found:
        text = bu + word.text
        bu = "不" if text == "不" else ""
        if not bu:
            joined.append(Word(text, word.tag))
    return [*joined, Word("不", "d")] if bu else joined


def _join_yi_between(found: Words) -> Words:
    joined: Words = []
    skip = 0
    for i, word in enumerate(found):
        if skip:
            skip -= 1
        elif (
            word.text == "一"
            and 0 < i < len(found) - 1
            and found[i - 1].text == found[i + 1].text
            and found[i - 1].tag == found[i + 1].tag == "v"
            and joined[-1].text == found[i - 1].text
        ):
            joined[-1] = Word(f"{joined[-1].text}一{joined[-1].text}", joined[-1].tag)
            skip = 1
        else:
            joined.append(word)
    return joined


def _join_yi(found: Words) -> Words:
    joined: Words = []
    for word in found:
        if joined and joined[-1].text == "一":
            joined[-1] = Word("一" + word.text, joined[-1].tag)
        else:
            joined.append(word)
    return joined


def _join_repeats(found: Words) -> Words:
    joined: Words = []
    for word in found:
        if joined and joined[-1].text == word.text:
            joined[-1] = Word(word.text * 2, joined[-1].tag)
        else:
            joined.append(word)
    return joined


def _join_third(found: Words) -> Words:
    return _join_where(found, lambda one, two: all(t == "3" for t in _tones(one) + _tones(two)))


def _join_touching(found: Words) -> Words:
    return _join_where(found, lambda one, two: _tones(one)[-1] == _tones(two)[0] == "3")


def _tones(word: Word) -> list[str]:
    return [final[-1] for final in word.finals()]


def _join_where(found: Words, tones_act: Callable[[Word, Word], bool]) -> Words:
    """Join short neighbours whose tones act on each other; never three in a row."""
    joined: Words = []
    just_joined = False
    for i, word in enumerate(found):
        before = found[i - 1] if i else None
        if (
            before is not None
            and not just_joined
            and tones_act(before, word)
            and not (len(before.text) == 2 and before.text[0] == before.text[1])
            and len(before.text) + len(word.text) <= 3
        ):
            joined[-1] = Word(joined[-1].text + word.text, joined[-1].tag)
            just_joined = True
        else:
            joined.append(word)
            just_joined = False
    return joined


def _join_er(found: Words) -> Words:
    joined: Words = []
    for word in found:
        if joined and word.text == "儿":
            joined[-1] = Word(joined[-1].text + word.text, joined[-1].tag)
        else:
            joined.append(word)
    return joined
