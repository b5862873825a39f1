"""Text to phones: five languages and mixtures of them, offline.

Importing this costs nothing; a language is loaded when it is first read.
"""

from runtime.text.cut import CUTS
from runtime.text.frontend import parse_phones, phonemize
from runtime.text.languages import MODES, require
from runtime.text.lexicon import Lexicon, layered, load_lexicon
from runtime.text.phonemes import Phonemes, Piece, Segment, as_json
from runtime.text.pieces import pieces
from runtime.text.unread import unread

__all__ = [
    "CUTS",
    "MODES",
    "Lexicon",
    "Phonemes",
    "Piece",
    "Segment",
    "as_json",
    "layered",
    "load_lexicon",
    "parse_phones",
    "phonemize",
    "pieces",
    "require",
    "unread",
]
