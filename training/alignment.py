"""Which phone of the text each token says: flite's phones with their times beside ours.

Both are ARPAbet but not of one dictionary, and ours has marks where flite is silent; so the two
rows are matched by the cheapest edits.
"""

from collections.abc import Sequence

import numpy as np

from runtime.arrays import Int64
from training.corpus import RATE_HZ, SILENCE
from training.labels import centres

VOWELS = frozenset(
    ("aa", "ae", "ah", "ao", "aw", "ay", "eh", "er", "ey", "ih", "iy", "ow", "oy", "uh", "uw")
)
OTHER_NAMES = {"ax": "ah", "axr": "er", "em": "m", "en": "n", "el": "l"}
SKIPPED, SKIPPED_MARK, ADDED = 0.8, 0.1, 0.8  # costs of an edit
ALIKE, UNLIKE = 0.5, 1.5


def said_at(names: Sequence[str], symbols: Sequence[str]) -> list[int]:
    """The place in the text of each phone of flite's.

    Args:
        names: flite's phones, `pau` for silence.
        symbols: the text's phones and marks, X of them.

    Returns:
        One index into `symbols` per name, never falling. A name without a partner shares that of
        the name before it.
    """
    moves = _edits([_plain(name) for name in names], [_plain(one) for one in symbols])
    places: list[int] = []
    i, j = len(names), len(symbols)
    while i:
        move = moves[i][j]
        if move == "match":
            places.append(j - 1)
            i, j = i - 1, j - 1
        elif move == "added":
            places.append(max(j - 1, 0))
            i -= 1
        else:
            j -= 1
    return places[::-1]


def of_tokens(ends: Sequence[float], places: Sequence[int], tokens: int) -> Int64:
    """The place in the text of each token.

    Args:
        ends: where each phone of flite's ends, in seconds.
        places: what `said_at` says of each.
        tokens: how many, T.

    Returns:
        int64 [T].
    """
    phone = np.searchsorted(np.asarray(ends), centres(tokens) / RATE_HZ, side="right")
    return np.asarray(places, np.int64)[np.minimum(phone, len(places) - 1)]


def _plain(phone: str) -> str:
    """Lower case without stress; a mark becomes silence."""
    name = phone.rstrip("012").lower()
    name = OTHER_NAMES.get(name, name)
    return name if name.isalpha() else SILENCE


def _edits(names: list[str], symbols: list[str]) -> list[list[str]]:
    """The last edit of the cheapest way to each pair of lengths."""
    skips = [SKIPPED_MARK if one == SILENCE else SKIPPED for one in symbols]
    row = [0.0]
    for skip in skips:
        row.append(row[-1] + skip)
    moves = [["skipped"] * len(row)]
    for name in names:
        above, row = row, [row[0] + ADDED]
        moves.append(["added"])
        for j, one in enumerate(symbols):
            ways = (
                (above[j] + _unlike(name, one), "match"),
                (above[j + 1] + ADDED, "added"),
                (row[j] + skips[j], "skipped"),
            )
            cost, move = min(ways)
            row.append(cost)
            moves[-1].append(move)
    return moves


def _unlike(name: str, other: str) -> float:
    if name == other:
        return 0.0
    alike = SILENCE not in (name, other) and (name in VOWELS) == (other in VOWELS)
    return ALIKE if alike else UNLIKE
