"""Find ONNX files that keep weights in other files, which no manifest lists and no digest covers.

Reads the structure of the file and skips all weights; needs no ONNX package.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

from runtime.errors import BundleError

EXTERNAL = 1
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
LONGEST_VARINT = 10
MOST_DEPTH = 12
LOCATION_KIND = 14  # of a tensor: where its data is

# fields that lead to tensors: message -> field -> message below it
BELOW: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}


def refuse_external_data(path: Path) -> None:
    """Refuse an ONNX file with weights outside of itself.

    Raises:
        BundleError: it has some, or is no ONNX file.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            outside = _is_outside(data, "model", 0, len(data), 0)
    except (OSError, ValueError, IndexError) as fault:
        raise BundleError(f"{path}: not an ONNX file ({fault}); build it again") from fault
    if outside:
        raise BundleError(
            f"{path}: keeps weights in other files, which the manifest does not cover; build it"
            " again"
        )


def _is_outside(data: mmap.mmap, message: str, start: int, end: int, depth: int) -> bool:
    """Whether some tensor of a message says that its data is elsewhere."""
    if depth > MOST_DEPTH:
        raise ValueError("nested too deep")
    below = BELOW[message]
    for field, kind, first, last in _fields(data, start, end):
        if message == "tensor" and field == LOCATION_KIND and kind == VARINT and first == EXTERNAL:
            return True
        deeper = kind == LENGTH and field in below
        if deeper and _is_outside(data, below[field], first, last, depth + 1):
            return True
    return False


def _fields(data: mmap.mmap, place: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Each field's number and kind, with its value, or with where its bytes begin and end."""
    while place < end:
        tag, place = _varint(data, place)
        field, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, place = _varint(data, place)
            yield field, kind, value, 0
            continue
        if kind == LENGTH:
            size, place = _varint(data, place)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise ValueError(f"field of kind {kind}")
        if place + size > end:
            raise ValueError("a field reaches beyond its message")
        yield field, kind, place, place + size
        place += size


def _varint(data: mmap.mmap, place: int) -> tuple[int, int]:
    value = 0
    for step in range(LONGEST_VARINT):
        byte = data[place + step]
        value |= (byte & 0x7F) << (7 * step)
        if byte < 0x80:
            return value, place + step + 1
    raise ValueError("a number without end")
