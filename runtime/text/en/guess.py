"""Guess the phones of an unknown English word with the small network of g2p_en.

A GRU reads the letters, another writes phones. Only the arrays of that package are used; the
package itself is never imported.
"""

from functools import lru_cache
from importlib.metadata import files
from pathlib import Path

import numpy as np

from runtime.arrays import Float32
from runtime.errors import BackendMissing
from runtime.text.imports import once

Arrays = dict[str, Float32]

MOST_PHONES = 20
START, STOP = 2, 3
LETTERS = ("<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz")
VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
CONSONANTS = (
    *("B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N"),
    *("NG", "P", "R", "S", "SH", "T", "TH", "V", "W", "Y", "Z", "ZH"),
)
PHONES = (
    "<pad>",
    "<unk>",
    "<s>",
    "</s>",
    *sorted([*CONSONANTS, "UW", *(vowel + tone for vowel in VOWELS for tone in "012")]),
)


def file_of(package: str, name: str) -> Path:
    """A data file of an installed package, found without importing it.

    Raises:
        BackendMissing: the package lacks the file.
    """
    for path in files(package) or ():
        if path.name == name:
            return Path(str(path.locate()))
    raise BackendMissing(f"English: {package} has no {name}; pip install '.[en]' in the checkout")


@once
def _weights() -> Arrays:
    with np.load(file_of("g2p_en", "checkpoint20.npz")) as stored:
        return {name: stored[name] for name in stored.files}


@lru_cache(maxsize=4096)
def guess(word: str) -> tuple[str, ...]:
    """Phones of a lower-case word, at most 20; letters outside a-z count as unknown."""
    weights = _weights()
    letters = [LETTERS.index(c) if c in LETTERS else 1 for c in word]
    state: Float32 = np.zeros(weights["enc_w_hh"].shape[1], np.float32)
    for letter in [*letters, LETTERS.index("</s>")]:
        state = _step(weights, "enc", letter, state)
    found: list[str] = []
    phone = START
    for _ in range(MOST_PHONES):
        state = _step(weights, "dec", phone, state)
        phone = int((weights["fc_w"] @ state + weights["fc_b"]).argmax())
        if phone == STOP:
            break
        found.append(PHONES[phone])
    return tuple(found)


def _step(weights: Arrays, side: str, token: int, state: Float32) -> Float32:
    """One GRU step, gates in the order reset, update, new; state float32 [256]."""
    seen = weights[f"{side}_w_ih"] @ weights[f"{side}_emb"][token] + weights[f"{side}_b_ih"]
    kept = weights[f"{side}_w_hh"] @ state + weights[f"{side}_b_hh"]
    size = len(state)
    gates = 1 / (1 + np.exp(-(seen + kept)[: 2 * size]))
    reset, update = gates[:size], gates[size:]
    new = np.tanh(seen[2 * size :] + reset * kept[2 * size :])
    return np.asarray((1 - update) * new + update * state, np.float32)
