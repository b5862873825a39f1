"""Phone symbols and their ids, for both symbol tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from runtime.errors import SettingError, TextError
from runtime.text.imports import once
from runtime.text.tables import table as read

if TYPE_CHECKING:
    from runtime.arrays import PhoneIds  # numpy would be most of the time to import us

TABLES = ("v1", "v2")
UNKNOWN = "UNK"
MARKS = "!?…,.-"


@once
def ids_of(table: str) -> dict[str, int]:
    """Symbol to id of one symbol table.

    Raises:
        SettingError: there is no such table.
    """
    if table not in TABLES:
        raise SettingError(f"symbol table: '{table}' is unknown; choose {' or '.join(TABLES)}")
    return {symbol: i for i, symbol in enumerate(read("symbols")[table])}


def known(phones: Iterable[str], table: str) -> list[str]:
    """The phones, with UNK in place of each that the table lacks."""
    ids = ids_of(table)
    return [phone if phone in ids else UNKNOWN for phone in phones]


def encode(phones: Iterable[str], table: str) -> tuple[int, ...]:
    """Ids of phones that are all in the table.

    Raises:
        TextError: a phone is not in the table; names one that is like it.
    """
    ids = ids_of(table)
    return tuple(ids[phone] if phone in ids else _refuse(phone, table) for phone in phones)


def as_array(ids: Iterable[int]) -> PhoneIds:
    """Ids as int64 [X]."""
    import numpy as np

    return np.fromiter(ids, np.int64)


def _refuse(phone: str, table: str) -> int:
    from difflib import get_close_matches  # slow to import, and only needed here

    folded = {symbol.lower(): symbol for symbol in ids_of(table)}
    near = get_close_matches(phone.lower(), folded, 1)
    if not near:
        raise TextError(
            f"phones: '{phone}' is not in table {table}, nor is anything like it; write phones as"
            " HH AH0 L OW1"
        )
    raise TextError(
        f"phones: '{phone}' is not in table {table}; the nearest is '{folded[near[0]]}'"
    )
