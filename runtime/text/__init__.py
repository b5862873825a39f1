"""Text to phones: five languages and mixtures of them, offline.

Importing this costs nothing; a language is loaded when it is first read.
"""

from runtime.text.frontend import parse_phones, phonemize
from runtime.text.languages import MODES, require
from runtime.text.lexicon import Lexicon
from runtime.text.phonemes import Phonemes, Piece, Segment, as_json

__all__ = [
    "MODES",
    "Lexicon",
    "Phonemes",
    "Piece",
    "Segment",
    "as_json",
    "parse_phones",
    "phonemize",
    "require",
]
