"""Words of a Korean sentence and their tags: by MeCab, or by Kiwi where MeCab has no wheel."""

import importlib.util
from typing import Any, Protocol

from runtime.errors import BackendMissing
from runtime.text.imports import quietly


class Tagger(Protocol):
    """Cuts a sentence into words."""

    def pos(self, sentence: str) -> list[tuple[str, str]]:
        """Words with their tags of the Sejong corpus, `+` between those of a contraction."""
        ...


class Kiwi:
    """Kiwi's analysis in the shape of MeCab's: as it is written, contractions in one word."""

    def __init__(self, analyser: Any) -> None:
        self._analyser = analyser

    def pos(self, sentence: str) -> list[tuple[str, str]]:
        """Words with their tags."""
        found: list[tuple[int, int, str]] = []
        for token in self._analyser.tokenize(sentence):
            tag = token.tag.partition("-")[0]
            start, end = token.start, token.start + token.len
            if found and start < found[-1][1]:
                begun, reached, tags = found[-1]
                found[-1] = (begun, max(reached, end), f"{tags}+{tag}")
            elif end > start:
                found.append((start, end, tag))
        return [(sentence[start:end], tag) for start, end, tag in found]


def tagger() -> Tagger:
    """The tagger that is installed.

    Raises:
        BackendMissing: none is.
    """
    if importlib.util.find_spec("mecab"):
        found: Tagger = quietly("mecab").MeCab()
        return found
    if importlib.util.find_spec("kiwipiepy"):
        return Kiwi(quietly("kiwipiepy").Kiwi())
    raise BackendMissing("Korean: no tagger is installed; pip install '.[ko]' in the checkout")
