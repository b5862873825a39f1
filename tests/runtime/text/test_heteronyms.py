"""English words that are said in two ways are said as their sentence asks."""

import re
from pathlib import Path

import pytest

from runtime.errors import BackendMissing
from runtime.text import phonemize, require

SENTENCES = Path(__file__).parents[2] / "golden" / "text" / "heteronyms.txt"
MARKED = re.compile(r"\*(\w+)/([A-Z]+)\*")
BAR = 0.98


def said_as_marked(sentence: str) -> bool:
    """Whether each `*word/TAG*` has the pronunciation that goes with its tag."""
    from runtime.text.en.words import homographs

    expected = sentence
    for match in MARKED.finditer(sentence):
        word, tag = match.groups()
        if word.lower() in homographs():
            one, two, prefix = homographs()[word.lower()]
            first = tag.startswith(prefix) or (len(tag) < len(prefix) and prefix.startswith(tag))
            expected = expected.replace(match[0], f"[phones={(one if first else two).strip()}]", 1)
    plain = MARKED.sub(r"\1", sentence)
    return sounds(plain) == sounds(MARKED.sub(r"\1", expected))


def sounds(text: str) -> list[str]:
    return [phone for phone in phonemize(text, "en").phones if phone.isalnum()]


def test_sentences_are_said_by_the_part_of_speech_of_their_words() -> None:
    try:
        require("en")
    except BackendMissing as missing:
        pytest.skip(str(missing))
    sentences = SENTENCES.read_text("utf-8").splitlines()
    wrong = [one for one in sentences if not said_as_marked(one)]
    assert 1 - len(wrong) / len(sentences) >= BAR, wrong
