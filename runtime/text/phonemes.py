"""What the front end hands on: segments of text with their phones and ids."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from runtime.text.symbols import as_array

if TYPE_CHECKING:
    from runtime.arrays import PhoneIds


@dataclass(frozen=True)
class Reading:
    """How one language reads one segment.

    Attributes:
        norm_text: the text after normalisation.
        phones: symbols, each in the symbol table.
        word2ph: phones per character of `norm_text`; None where the language has no such count.
    """

    norm_text: str
    phones: list[str]
    word2ph: list[int] | None = None


@dataclass(frozen=True)
class Segment:
    """A run of text in one language.

    Attributes:
        lang: zh, en, ja, ko or yue; `phones` for phones given as such.
        text: the run as it was written; runs of blanks are already one blank.
        norm_text: the run after normalisation, what `word2ph` counts for.
        phones: symbols.
        ids: of `phones`, one each.
        word2ph: phones per character of `norm_text`; None except for zh and yue.
    """

    lang: str
    text: str
    norm_text: str
    phones: tuple[str, ...]
    ids: tuple[int, ...]
    word2ph: tuple[int, ...] | None


@dataclass(frozen=True)
class Phonemes:
    """The segments of one piece of text, in order."""

    segments: tuple[Segment, ...]

    @property
    def ids(self) -> PhoneIds:
        """Ids of all segments, int64 [X]."""
        return as_array(i for segment in self.segments for i in segment.ids)

    @property
    def phones(self) -> tuple[str, ...]:
        """Symbols of all segments, X of them."""
        return tuple(phone for segment in self.segments for phone in segment.phones)

    @property
    def norm_text(self) -> str:
        """Normalised text of all segments."""
        return "".join(segment.norm_text for segment in self.segments)


@dataclass(frozen=True)
class Piece:
    """What is spoken in one go, or a pause.

    Attributes:
        text: to speak; empty for a pause.
        pause_ms: silence in milliseconds; 0 for text.
    """

    text: str = ""
    pause_ms: int = 0

    def samples(self, rate: int) -> int:
        """Exact length of the pause at `rate` samples per second, rounded to the nearest."""
        return (self.pause_ms * rate + 500) // 1000


def as_json(*spoken: Phonemes | Piece) -> dict[str, Any]:
    """Pieces and phonemes, in order, as plain values for `json.dump`."""
    return {"pieces": [_plain(one) for one in spoken]}


def _plain(one: Phonemes | Piece) -> dict[str, Any]:
    if isinstance(one, Phonemes):
        return {"segments": [asdict(segment) for segment in one.segments]}
    return {"pause_ms": one.pause_ms} if one.pause_ms else {"text": one.text}
