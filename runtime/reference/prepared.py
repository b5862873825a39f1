"""A reference as the models take it."""

from dataclasses import dataclass

from runtime.acoustic.kind import Arrays
from runtime.arrays import Tokens
from runtime.t2s.forecast import Pace
from runtime.text_features import Line


@dataclass(frozen=True)
class Prepared:
    """A reference as the models take it.

    Attributes:
        tokens: int64 [P], prompt tokens; empty without text.
        line: what is said; None without text.
        acoustic: what the acoustic model keeps of it, by name.
    """

    tokens: Tokens
    line: Line | None
    acoustic: Arrays

    @property
    def pace(self) -> Pace:
        """How slowly it is spoken."""
        return Pace.heard(self.tokens.size, self.line.phones.size if self.line else 0)
