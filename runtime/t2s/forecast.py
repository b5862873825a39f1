"""How many tokens a text will need, estimated before the first one is made.

A reference shows how slowly its speaker speaks: tokens of its sound over phones of its text. From
that come the tokens that a line will likely need, and a bound that ends it. Knows nothing of graphs
and caches.

The bound's numbers are from three voices of flite that read the English text goldens: of 10 phones
and more no text took 2.2 times the voice's median of tokens per phone, of fewer none 35 tokens.
"""

import math
from dataclasses import dataclass

from runtime.loop_numbers import DecodeNumbers

USUAL_TOKENS_PER_PHONE = DecodeNumbers.usual_tokens_per_phone  # ten phones a second
MOST_TOKENS_PER_PHONE = DecodeNumbers.most_tokens_per_phone
LEAST_TOKENS = DecodeNumbers.least_tokens  # of a bound, 4 s: a short line may be drawn out
SLOWER = DecodeNumbers.pace_slower
TO_SPARE = 1.5  # times what is likely: the room that a line is cut for
REPEATED = 1.25  # of what was spoken when a limit came, so much is taken for unspoken


@dataclass(frozen=True)
class Pace:
    """How slowly a voice speaks.

    Attributes:
        tokens_per_phone: that a line likely needs.
        most_per_phone: that it hardly passes.
    """

    tokens_per_phone: float = USUAL_TOKENS_PER_PHONE
    most_per_phone: float = MOST_TOKENS_PER_PHONE

    @classmethod
    def of_reference(cls, tokens: int, phones: int) -> "Pace":
        """The pace of a reference; the usual one where its text or its tokens are not known."""
        if not tokens or not phones:
            return cls()
        pace = min(tokens / phones, MOST_TOKENS_PER_PHONE)
        return cls(pace, min(SLOWER * pace, MOST_TOKENS_PER_PHONE))

    def likely(self, phones: int) -> int:
        """Tokens that a line of so many phones likely needs."""
        return math.ceil(self.tokens_per_phone * phones)

    def fitting(self, tokens: int, rows: int) -> int:
        """Phones of a line that fits with some room to spare.

        Args:
            tokens: that it may have.
            rows: for its phones and its tokens together.
        """
        needed = TO_SPARE * self.tokens_per_phone
        return max(0, int(min(tokens / needed, rows / (1 + needed))))

    def spoken(self, tokens: int, phones: int) -> int:
        """Phones of a line that are spoken after so many tokens: rather too few than too many."""
        return int(min(tokens / self.tokens_per_phone, phones) / REPEATED)

    def most(self, phones: int) -> int:
        """Tokens that a line of so many phones hardly passes."""
        return max(LEAST_TOKENS, math.ceil(self.most_per_phone * phones))
