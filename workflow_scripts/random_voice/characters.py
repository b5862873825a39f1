"""A tokenizer that gives each Chinese character a token, for random text-feature networks."""

import string
from typing import Any

from workflow_scripts.random_voice.base_layout import CHARACTERS

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
IDEOGRAPHS = range(0x4E00, 0x9FA6)
PUNCTUATION = "，。！？；：、“”‘’（）《》〈〉【】「」『』…—·～￥％"


def vocabulary() -> dict[str, int]:
    """Every token and its number: special ones, ASCII in lower case, punctuation, ideographs."""
    ascii_characters = string.digits + string.ascii_lowercase + string.punctuation
    tokens = [*SPECIAL, *ascii_characters, *PUNCTUATION, *map(chr, IDEOGRAPHS)]
    tokens += [f"[unused{number}]" for number in range(1, CHARACTERS - len(tokens) + 1)]
    return {token: number for number, token in enumerate(tokens)}


def tokenizer() -> dict[str, Any]:
    """The content of a `tokenizer.json` that cuts text as a BERT for Chinese does."""
    numbers = vocabulary()
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_special(token, numbers[token]) for token in SPECIAL],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": _template(numbers),
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": numbers,
        },
    }


def _template(numbers: dict[str, int]) -> dict[str, Any]:
    """A text, or two, between the tokens that open and close it."""
    opening, closing = "[CLS]", "[SEP]"
    single: list[dict[str, Any]] = [
        {"SpecialToken": {"id": opening, "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": closing, "type_id": 0}},
    ]
    pair = [
        *single,
        {"Sequence": {"id": "B", "type_id": 1}},
        {"SpecialToken": {"id": closing, "type_id": 1}},
    ]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": pair,
        "special_tokens": {
            token: {"id": token, "ids": [numbers[token]], "tokens": [token]}
            for token in (opening, closing)
        },
    }


def _special(token: str, number: int) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": number, "content": token, **flags, "special": True}
