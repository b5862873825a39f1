"""Which reading a Chinese character has in its sentence, asked of a g2pW model.

Knows the model's tables and inputs, not how it is run: a caller opens it. Only polyphonic
characters are asked; None stands for a reading that is left to the library.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from runtime.errors import ArtifactError
from runtime.text.imports import once, quietly
from runtime.text.tables import table

if TYPE_CHECKING:
    from numpy.typing import NDArray  # numpy would be most of the time to import us

GRAPH = "g2pW.onnx"
CONFIG = "config.py"
POLYPHONIC = "POLYPHONIC_CHARS.txt"
MONOPHONIC = "MONOPHONIC_CHARS.txt"
SPELLING = "bopomofo_to_pinyin_wo_tune_dict.json"
WORDS = "polyphonic.rep"  # beside the model or not: readings of whole words
UNASKED = frozenset("一不和咋嗲剖差攢倒難奔勁拗肖瘙誒泊听噢")  # polyphonic, left to the library
AMBIGUOUS = frozenset("似攢")  # listed as monophonic, and are not
CONTEXT = 16  # characters to each side of the first and the last that is asked
LONGEST = 510  # characters of a window; the model has 512 positions
SWITCHES = {"use_mask": True, "use_char_phoneme": False}  # of config.py, with their defaults
UNKNOWN, BEGIN, END = "[UNK]", "[CLS]", "[SEP]"

Said = Sequence[str | None]


class Model(Protocol):
    """The graph, ready to run."""

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """`[probabilities]`, float32 [B, labels]."""
        ...


@dataclass(frozen=True)
class PolyphoneTables:
    """What lies beside the graph.

    Attributes:
        characters: every polyphonic character, in the order of the model's numbers.
        labels: pinyin with tone digit by the number of the model's label; None where our symbol
            table has no such syllable.
        choices: polyphonic character → numbers of its labels.
        single: character with one reading → pinyin.
        words: word → pinyin of each character; overrules the model.
        masked: whether the model gets a mask of the labels that a character can have.
    """

    characters: tuple[str, ...]
    labels: tuple[str | None, ...]
    choices: Mapping[str, tuple[int, ...]]
    single: Mapping[str, str]
    words: Mapping[str, tuple[str, ...]]
    masked: bool


def read_tables(files: Mapping[str, Path]) -> PolyphoneTables:
    """Read the tables of a g2pW folder; `config.py` is parsed, never run.

    Args:
        files: name in the folder → file; `polyphonic.rep` may be absent.

    Raises:
        ArtifactError: a file is missing, or is not what it should be.
    """
    switches = _switches(files)
    spelling = _spelling(files)
    pairs = _pairs(files, POLYPHONIC)
    named = [f"{char} {said}" if switches["use_char_phoneme"] else said for char, said in pairs]
    order = sorted(set(named))
    number = {name: i for i, name in enumerate(order)}
    choices: dict[str, list[int]] = {}
    for (char, _), name in zip(pairs, named, strict=True):
        choices.setdefault(char, []).append(number[name])
    single = {
        char: _pinyin(said, spelling)
        for char, said in _pairs(files, MONOPHONIC)
        if char not in choices and char not in AMBIGUOUS
    }
    return PolyphoneTables(
        characters=tuple(sorted(choices)),
        labels=tuple(_pinyin(name.rpartition(" ")[2], spelling) for name in order),
        choices={char: tuple(numbers) for char, numbers in choices.items()},
        single={char: said for char, said in single.items() if said},
        words=_words(files) if WORDS in files else {},
        masked=switches["use_mask"],
    )


class Polyphones:
    """Readings in context, by a model that is opened when a polyphonic character comes."""

    def __init__(
        self,
        tables: PolyphoneTables,
        vocabulary: Mapping[str, int],
        open_model: Callable[[], Model],
    ) -> None:
        self._tables = tables
        self._vocabulary = vocabulary
        self._open = open_model

    @cached_property
    def _model(self) -> Model:
        return self._open()

    def readings(self, sentence: str) -> list[str | None]:
        """Pinyin with tone digit of each character of a simplified sentence.

        Raises:
            ArtifactError: the graph does not fit its tables.
        """
        text = _traditional(sentence)
        tables = self._tables
        said = [tables.single.get(char) for char in text]
        asked = [i for i, char in enumerate(text) if char in tables.choices.keys() - UNASKED]
        for window in _windows(asked):
            said_here = self._asked(text, window)
            for i, reading in zip(window, said_here, strict=True):
                said[i] = reading
        return said

    def of_word(self, word: str, said: Said) -> list[str | None]:
        """The readings of a word's characters after the list of words has overruled them."""
        words = self._tables.words
        if word in words:
            return [*words[word]]
        return [words.get(char, (one,))[0] for char, one in zip(word, said, strict=True)]

    def _asked(self, text: str, window: Sequence[int]) -> list[str | None]:
        """Ask for the characters at `window`, all of one stretch of `text`."""
        import numpy as np

        tables, known = self._tables, self._vocabulary
        start = max(0, window[0] - CONTEXT)
        stretch = text[start : window[-1] + CONTEXT + 1]
        inner = [known.get(char, known[UNKNOWN]) for char in stretch.lower()]
        row = np.array([known[BEGIN], *inner, known[END]], np.int64)
        choices = [tables.choices[text[i]] for i in window]
        mask = np.full((len(window), len(tables.labels)), not tables.masked, np.float32)
        for i, legal in enumerate(choices):
            mask[i, list(legal)] = 1
        ids = np.tile(row, (len(window), 1))
        numbers = [tables.characters.index(text[i]) for i in window]
        (probabilities,) = self._model.run(
            {
                "input_ids": ids,
                "token_type_ids": np.zeros_like(ids),
                "attention_mask": np.ones_like(ids),
                "phoneme_mask": mask,
                "char_ids": np.array(numbers, np.int64),
                "position_ids": np.array([i - start + 1 for i in window], np.int64),
            }
        )
        if probabilities.shape != mask.shape:
            raise ArtifactError(
                f"{GRAPH}: it answers {list(probabilities.shape)} for {list(mask.shape)}"
                " (characters, labels); take graph and tables from one release"
            )
        best = [max(legal, key=one.__getitem__) for legal, one in zip(choices, probabilities)]  # noqa: B905
        return [tables.labels[i] for i in best]


def _windows(asked: Sequence[int]) -> Iterator[list[int]]:
    """Runs of positions that fit together into the model, with their context."""
    window: list[int] = []
    for i in asked:
        if window and i - window[0] + 1 + 2 * CONTEXT > LONGEST:
            yield window
            window = []
        window.append(i)
    if window:
        yield window


@once
def _converter() -> Any:
    return quietly("opencc").OpenCC("s2tw")


def _traditional(text: str) -> str:
    """The text in Taiwan's characters; a stretch whose length would change stays as it is."""
    whole: str = _converter().convert(text)
    return whole if len(whole) == len(text) else text


def _read(files: Mapping[str, Path], name: str) -> str:
    try:
        return files[name].read_text("utf-8")
    except KeyError:
        raise ArtifactError(f"g2pW: {name} is missing; give the whole folder") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{files[name]}: not readable ({error}); fetch it again") from None


def _switches(files: Mapping[str, Path]) -> dict[str, bool]:
    """The constants that matter to us, by their text alone."""
    found = dict(SWITCHES)
    try:
        for node in ast.parse(_read(files, CONFIG)).body:
            names = [t.id for t in getattr(node, "targets", ()) if isinstance(t, ast.Name)]
            for name in SWITCHES.keys() & names:
                found[name] = bool(ast.literal_eval(node.value))  # type: ignore[attr-defined]
    except (SyntaxError, ValueError) as error:
        raise ArtifactError(
            f"{files[CONFIG]}: {', '.join(SWITCHES)} should be plain True or False ({error});"
            " write them so"
        ) from None
    return found


def _pairs(files: Mapping[str, Path], name: str) -> list[tuple[str, str]]:
    """Character and bopomofo with tone digit of each line."""
    found = []
    for number, line in enumerate(_read(files, name).strip().splitlines(), 1):
        char, tab, said = line.partition("\t")
        if len(char) != 1 or not tab or said[-1:] not in set("12345"):
            raise ArtifactError(
                f"{files[name]}:{number}: {line!r} is no character, tab, bopomofo and tone digit;"
                " fetch it again"
            )
        found.append((char, said))
    return found


def _spelling(files: Mapping[str, Path]) -> dict[str, str]:
    try:
        return {str(key): str(value) for key, value in json.loads(_read(files, SPELLING)).items()}
    except (ValueError, AttributeError) as error:
        raise ArtifactError(
            f"{files[SPELLING]}: no JSON object ({error}); fetch it again"
        ) from None


def _pinyin(bopomofo: str, spelling: Mapping[str, str]) -> str | None:
    """Pinyin with the tone digit; None if we have no such syllable."""
    syllable = spelling.get(bopomofo[:-1], "").replace("ü", "v")
    return syllable + bopomofo[-1] if syllable in table("zh")["pinyin_symbols"] else None


def _words(files: Mapping[str, Path]) -> dict[str, tuple[str, ...]]:
    """Lines of a word, a colon and a list of pinyin in quotes."""
    found = {}
    for number, line in enumerate(_read(files, WORDS).splitlines(), 1):
        word, _, said = line.partition(":")
        try:
            readings = tuple(map(str, ast.literal_eval(said.strip()))) if line.strip() else ()
        except (SyntaxError, ValueError, TypeError):
            readings = ()
        if line.strip() and len(readings) != len(word.strip()):
            raise ArtifactError(
                f"{files[WORDS]}:{number}: {line!r} is no word with a list of its pinyin;"
                " correct it"
            )
        if readings:
            found[word.strip()] = readings
    return found
