"""The characters that a RoBERTa knows, so that the runtime needs no tokenizer.

Only single characters and the special tokens are kept: text features are made character by
character.
"""

import json
from pathlib import Path

from runtime.errors import CheckpointError
from workflow_scripts.checkpoint.source import Source

TOKENIZER, LINES = "tokenizer.json", "vocab.txt"
MOST_IDS = 1 << 20
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def read_vocabulary(folder: Path | Source) -> dict[str, int]:
    """Token ids of single characters and special tokens.

    Args:
        folder: holds `tokenizer.json` or `vocab.txt`.

    Returns:
        Id by token, in the order of ids.

    Raises:
        CheckpointError: there is neither, it can't be read, or a special token is missing.
    """
    base = Source.of(folder)
    name = TOKENIZER if base.has(TOKENIZER) else LINES
    path = base.path / name
    if not base.has(name):
        raise CheckpointError(f"{base.path}: neither {TOKENIZER} nor {LINES}")
    try:
        text = base.content(name).decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise CheckpointError(f"{path}: not UTF-8 text; fetch it again") from None
    known = _of_tokenizer(path, text) if name == TOKENIZER else _of_lines(text)
    if missing := [token for token in SPECIAL[1:4] if token not in known]:
        raise CheckpointError(f"{path}: {missing[0]} is missing; not the vocabulary of a BERT")
    if not all(type(i) is int and 0 <= i < MOST_IDS for i in known.values()):
        raise CheckpointError(f"{path}: an id is no small whole number; fetch it again")
    kept = {token: i for token, i in known.items() if len(token) == 1 or token in SPECIAL}
    return dict(sorted(kept.items(), key=lambda entry: entry[1]))


def _of_lines(text: str) -> dict[str, int]:
    return {token: i for i, token in enumerate(text.removesuffix("\n").split("\n"))}


def _of_tokenizer(path: Path, text: str) -> dict[str, int]:
    try:
        content = json.loads(text)
        added = {entry["content"]: entry["id"] for entry in content.get("added_tokens", [])}
        return {**content["model"]["vocab"], **added}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise CheckpointError(f"{path}: no vocabulary in it ({fault}); fetch it again") from None
