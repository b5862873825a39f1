"""A reference as the models take it."""

from dataclasses import dataclass

from runtime.arrays import Style, Tokens
from runtime.t2s.forecast import Pace
from runtime.text_features import Line


@dataclass(frozen=True)
class Prepared:
    """A reference as the models take it: prompt tokens, the line that is said, and the style."""

    tokens: Tokens
    line: Line | None
    style: Style

    @property
    def pace(self) -> Pace:
        """How slowly it is spoken."""
        return Pace.heard(self.tokens.size, self.line.phones.size if self.line else 0)
