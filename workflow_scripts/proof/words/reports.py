"""What was understood of what bundles spoke, as it is written and read."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Figures:
    """All sentences of one side together; None where nothing was measured.

    Attributes:
        utterances: how many.
        word_error: edits over known words.
        ended_by_eos: share that ended by itself.
        duration_ratio, longest_ratio: length over flite's, mean and largest.
        own_speaker: share whose speaker is nearest to the reference's.
        log_mel_db: from flite's sound, warped in time, mean.
    """

    utterances: int
    word_error: float
    ended_by_eos: float | None
    duration_ratio: float | None
    longest_ratio: float | None
    own_speaker: float | None
    log_mel_db: float | None


@dataclass(frozen=True)
class WordsReport:
    """What was understood.

    Attributes:
        sentences: how many.
        unknown_words: those that the recogniser's dictionary lacks.
        words_in_list: those that it can find.
        flite: whether flite was measured, or why not.
        sides: flite or bundle → reference, or `all` → figures.
    """

    sentences: int
    unknown_words: tuple[str, ...]
    words_in_list: int
    flite: str
    sides: Mapping[str, Mapping[str, Figures]]
