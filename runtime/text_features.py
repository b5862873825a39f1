"""Text in, what the models take out: phones with their numbers and text features.

The seam between the text front end (`runtime.text`) and the voice: it adds RoBERTa's features to
Chinese segments where the voice has them.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from runtime.arrays import Features, Float32, PhoneIds
from runtime.backends import GraphRunner
from runtime.errors import TextError
from runtime.text import Phonemes, Segment

FEATURE_WIDTH = 1024
CHINESE = "zh"
UNKNOWN, BEGIN, END = "[UNK]", "[CLS]", "[SEP]"
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Line:
    """One piece of text, ready to be spoken.

    Attributes:
        phones: int64 [X].
        features: float32 [1024, X]; zero columns outside Chinese.
    """

    phones: PhoneIds
    features: Features

    def after(self, other: "Line") -> "Line":
        """This line with another one before it."""
        return Line(
            np.concatenate([other.phones, self.phones]),
            np.concatenate([other.features, self.features], 1),
        )


class TextFeatures:
    """RoBERTa's vectors per phone, or zeros for a voice that was built without it."""

    def __init__(self, roberta: Callable[[], GraphRunner] | None, vocabulary: Path | None) -> None:
        self._open = roberta
        self._vocabulary_path = vocabulary

    @cached_property
    def _roberta(self) -> GraphRunner | None:
        if self._open is None:
            LOG.warning("this voice was built without RoBERTa: Chinese gets zero text features")
            return None
        return self._open()

    @cached_property
    def _vocabulary(self) -> Mapping[str, int]:
        if self._vocabulary_path is None:
            return {}
        words: dict[str, int] = json.loads(self._vocabulary_path.read_text("utf-8"))
        return words

    def line(self, phonemes: Phonemes) -> Line:
        """Phones and features of a piece of text."""
        parts = [self._segment(segment) for segment in phonemes.segments]
        empty = np.zeros((FEATURE_WIDTH, 0), np.float32)
        return Line(phonemes.ids, np.concatenate([empty, *parts], 1))

    def _segment(self, segment: Segment) -> Float32:
        if segment.lang != CHINESE or not segment.word2ph or self._roberta is None:
            return np.zeros((FEATURE_WIDTH, len(segment.phones)), np.float32)
        ids = self._ids(segment.norm_text)
        (rows,) = self._roberta.run({"input_ids": ids[None]})
        if rows.shape[0] != len(segment.word2ph):
            raise TextError(
                f"text features: {rows.shape[0]} rows for {len(segment.word2ph)} characters of"
                f" {segment.norm_text!r}; report this sentence"
            )
        return np.ascontiguousarray(np.repeat(rows, segment.word2ph, axis=0).T)

    def _ids(self, norm_text: str) -> PhoneIds:
        """RoBERTa's numbers, one per character between its begin and end marks."""
        words = self._vocabulary
        inner = [words.get(character, words[UNKNOWN]) for character in norm_text]
        return np.array([words[BEGIN], *inner, words[END]], np.int64)
