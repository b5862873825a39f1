"""What the T2S learns from: phones of our front end, tokens of the voice, and who says what when.

At inference the model sees the reference's phones and the text's, then the reference's tokens; so
examples are several utterances of one speaker in a row. A reference is as the pipeline encodes it,
with its mistakes; what is to be said are the labels, which are the same codes without mistakes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from runtime.arrays import Int64
from runtime.reference.features import TAIL_SAMPLES
from runtime.text import phonemize
from runtime.text.pieces import pieces
from training import alignment
from training.corpus import SPEAKERS, utterances
from training.labels import read_arrays

LANG, CUT, MOST_PHONES = "en", "cut5", 1000
TAIL_TOKENS = TAIL_SAMPLES // 640  # of the silence that is appended to a reference
SHARES = (0.15, 0.55, 0.3)  # of examples of one, two and three utterances
LONGEST_TOKENS = 480  # of an example
PHONE_STEP, TOKEN_STEP = 32, 64  # of padded lengths


@dataclass(frozen=True, eq=False)
class Spoken:
    """Something that was said.

    Attributes:
        phones: int64 [X].
        tokens: int64 [T], as they should be.
        places: int64 [T], which phone each token belongs to.
        encoded: int64 [T], as the pipeline encodes them.
        prompt: whether it is a whole utterance, so that it can be a reference.
    """

    phones: Int64
    tokens: Int64
    places: Int64
    encoded: Int64
    prompt: bool = True


@dataclass(frozen=True, eq=False)
class Example:
    """Utterances in a row, as `Spoken`; from `start` on, the last one, nothing is misheard."""

    phones: Int64
    tokens: Int64
    places: Int64
    encoded: Int64
    start: int

    @property
    def room(self) -> tuple[int, int]:
        """Rows of text and audio that it is padded to: kernels are made once per shape."""
        return _upwards(self.phones.size, PHONE_STEP), _upwards(self.tokens.size, TOKEN_STEP)


def read_text(text: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Ids and symbols of a text's phones, as the runtime reads it in one piece."""
    return _read(text)


def read_pieces(text: str) -> list[tuple[tuple[int, ...], tuple[str, ...]]]:
    """The same of each piece that the runtime cuts a text into by default."""
    return [_read(piece.text) for piece in pieces(text, LANG, CUT, MOST_PHONES)]


@cache
def _read(text: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
    read = phonemize(text, LANG)
    return tuple(read.ids.tolist()), read.phones


def load(work: Path, split: str) -> dict[str, list[Spoken]]:
    """Everything that each speaker says.

    Args:
        work: the work folder; until WORK/tokens is there, labels are taken for encoded ones too.
        split: train or held.

    Returns:
        Speaker → whole utterances, each followed by its pieces where it has several.
    """
    found: dict[str, list[Spoken]] = {}
    for speaker in SPEAKERS:
        labels = read_arrays(work / "labels" / f"{speaker}.npz")
        path = work / "tokens" / f"{speaker}.npz"
        encoded = read_arrays(path) if path.exists() else labels
        found[speaker] = [
            spoken
            for one in utterances(work, speaker, split)
            for spoken in said(
                one.text,
                one.phones,
                labels[one.id].astype(np.int64),
                encoded[one.id].astype(np.int64),
            )
        ]
    return found


def said(
    text: str, timed: Sequence[tuple[str, float]], tokens: Int64, encoded: Int64
) -> list[Spoken]:
    """One utterance whole, and its pieces where the runtime would speak it in several.

    Args:
        text: what is said.
        timed: flite's phones, each with its end in seconds.
        tokens: int64 [T], as they should be.
        encoded: int64 [T], as the pipeline encodes them.
    """
    names, ends = [name for name, _ in timed], [end for _, end in timed]

    def placed(symbols: Sequence[str]) -> Int64:
        return alignment.of_tokens(ends, alignment.said_at(names, symbols), tokens.size)

    ids, symbols = read_text(text)
    whole = Spoken(np.array(ids, np.int64), tokens, placed(symbols), encoded)
    parts = read_pieces(text)
    if len(parts) < 2:
        return [whole]
    places = placed([symbol for _, symbols in parts for symbol in symbols])
    found, first = [whole], 0
    for ids, _ in parts:
        here = (places >= first) & (places < first + len(ids))
        if here.any():
            phones = np.array(ids, np.int64)
            found.append(Spoken(phones, tokens[here], places[here] - first, tokens[here], False))
        first += len(ids)
    return found


def joined(row: Sequence[Spoken], silence: int) -> Example:
    """Utterances in a row; before the last one the silence that a reference ends with.

    Args:
        row: at least one.
        silence: the token of silence.
    """
    phones, tokens, places, encoded, offset = [], [], [], [], 0
    for number, one in enumerate(row):
        tail = np.full(TAIL_TOKENS if number == len(row) - 2 else 0, silence)
        last = offset + one.phones.size - 1
        phones.append(one.phones)
        tokens += [one.tokens, tail]
        places += [one.places + offset, np.full(tail.size, last)]
        encoded += [one.tokens if number == len(row) - 1 else one.encoded, tail]
        offset += one.phones.size
    return Example(
        phones=np.concatenate(phones),
        tokens=np.concatenate(tokens),
        places=np.concatenate(places),
        encoded=np.concatenate(encoded),
        start=sum(part.size for part in tokens[:-2]),
    )


def silence_of(spoken: Mapping[str, Sequence[Spoken]]) -> int:
    """The token that most utterances end with."""
    last = [one.tokens[-1] for row in spoken.values() for one in row if one.prompt]
    return int(np.bincount(last).argmax())


def drawn(
    spoken: Mapping[str, Sequence[Spoken]], silence: int, random: np.random.Generator
) -> Iterator[Example]:
    """Examples without end."""
    speakers = list(spoken)
    wholes = {speaker: [one for one in row if one.prompt] for speaker, row in spoken.items()}
    while True:
        speaker = speakers[random.integers(len(speakers))]
        before = int(random.choice(len(SHARES), p=SHARES))
        row = [_any(wholes[speaker], random) for _ in range(before)]
        row.append(_any(spoken[speaker], random))
        while len(row) > 1 and sum(one.tokens.size for one in row) > LONGEST_TOKENS:
            del row[0]
        yield joined(row, silence)


def _upwards(count: int, step: int) -> int:
    return -(-count // step) * step


def _any(row: Sequence[Spoken], random: np.random.Generator) -> Spoken:
    return row[int(random.integers(len(row)))]


def batches(examples: Iterator[Example], rows: int) -> Iterator[list[Example]]:
    """Batches of examples of one room each, without end.

    Args:
        examples: where they come from.
        rows: of a batch at most, padding included; a longer example is a batch of its own.
    """
    waiting: dict[tuple[int, int], list[Example]] = {}
    for one in examples:
        room = one.room
        found = waiting.setdefault(room, [])
        found.append(one)
        if (len(found) + 1) * sum(room) > rows:
            yield waiting.pop(room)
