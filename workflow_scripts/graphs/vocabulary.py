"""The characters that a RoBERTa knows, so that the runtime needs no tokenizer.

Only single characters and the special tokens are kept: text features are made character by
character.
"""

import json
from pathlib import Path

from runtime.errors import CheckpointError

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def read_vocabulary(folder: Path) -> dict[str, int]:
    """Token ids of single characters and special tokens.

    Args:
        folder: holds `tokenizer.json` or `vocab.txt`.

    Returns:
        Id by token, in the order of ids.

    Raises:
        CheckpointError: there is neither, it can't be read, or a special token is missing.
    """
    tokenizer, lines = folder / "tokenizer.json", folder / "vocab.txt"
    path = tokenizer if tokenizer.exists() else lines
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise CheckpointError(f"{folder}: neither {tokenizer.name} nor {lines.name}") from None
    except UnicodeDecodeError:
        raise CheckpointError(f"{path}: not UTF-8 text; fetch it again") from None
    known = _of_tokenizer(path, text) if path == tokenizer else _of_lines(text)
    if missing := [token for token in SPECIAL[1:4] if token not in known]:
        raise CheckpointError(f"{path}: {missing[0]} is missing; not the vocabulary of a BERT")
    kept = {token: i for token, i in known.items() if len(token) == 1 or token in SPECIAL}
    return dict(sorted(kept.items(), key=lambda entry: entry[1]))


def _of_lines(text: str) -> dict[str, int]:
    return {token: i for i, token in enumerate(text.removesuffix("\n").split("\n"))}


def _of_tokenizer(path: Path, text: str) -> dict[str, int]:
    try:
        content = json.loads(text)
        added = {entry["content"]: entry["id"] for entry in content.get("added_tokens", [])}
        return {**content["model"]["vocab"], **added}
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise CheckpointError(f"{path}: no vocabulary in it ({fault}); fetch it again") from None
