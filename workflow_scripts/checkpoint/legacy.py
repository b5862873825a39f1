"""Read the format of torch.save before PyTorch 1.6, in which older bases were published.

Five pickles in a row (a mark, a version, facts of the writer, the content, the keys of storages),
then each storage as a count and its elements. Read as checkpoints are: nothing in it is run.
"""

import pickletools
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from runtime.errors import CheckpointError
from workflow_scripts.checkpoint import pickles
from workflow_scripts.checkpoint.archive import MOST_PICKLE_BYTES
from workflow_scripts.checkpoint.pickles import Storage, Stub
from workflow_scripts.checkpoint.tensors import flat_view

MARK = 0x1950A86A20F9469CFC6C
PICKLES = 5
DEPTH = 3
COUNT_BYTES = 8


def is_legacy(content: bytearray) -> bool:
    """Whether bytes begin as such a file does: a pickle of protocol 2 or later."""
    return content[:1] == b"\x80"


class Legacy:
    """A file in the old format.

    Attributes:
        pickle: the bytes of its content.
    """

    def __init__(self, path: Path, content: bytearray) -> None:
        """Find its parts.

        Raises:
            CheckpointError: it is damaged, or another kind of pickle.
        """
        self._path, self._content = path, content
        parts, self._end = _parts(path, bytes(content[:MOST_PICKLE_BYTES]))
        self.pickle = parts.pop(3)
        mark, _version, facts, self._keys = (pickles.load(part, f"{path}")[0] for part in parts)
        if mark != MARK or not isinstance(facts, Mapping) or not isinstance(self._keys, list):
            raise CheckpointError(f"{path}: not a file of torch.save; fetch the published file")
        if facts.get("little_endian") is not True:
            raise CheckpointError(f"{path}: its bytes are the other way round; save it anew")

    def tensors(self, wanted: Mapping[str, Stub], whole: Any) -> dict[str, Tensor]:
        """Some of the tensors, as views of the bytes.

        Args:
            wanted: what the pickle states of them.
            whole: all that the pickle holds, since every storage has its place in the file.

        Raises:
            CheckpointError: it is damaged or cut short.
        """
        storages = {storage.key: storage for storage in _storages(whole)}
        begins = _begins(self._path, self._content, self._end, self._keys, storages)
        return {name: _tensor(self._content, begins, stub) for name, stub in wanted.items()}


def _storages(value: Any, depth: int = 0) -> Iterator[Storage]:
    """Every storage that mappings and lists hold, at whatever depth tensors are published."""
    if isinstance(value, Stub):
        yield value.storage
    elif depth <= DEPTH and isinstance(value, Mapping | list | tuple):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _storages(inner, depth + 1)


def _parts(path: Path, head: bytes) -> tuple[list[bytes], int]:
    """The pickles one by one, and where the last ends."""
    parts: list[bytes] = []
    begin = 0
    try:
        for _ in range(PICKLES):
            end = begin + _length(head[begin:])
            parts.append(head[begin:end])
            begin = end
    except Exception as fault:  # pickletools is not written for hostile input
        reason = f"{type(fault).__name__}: {fault}"[:120]
        raise CheckpointError(f"{path}: not a file of torch.save ({reason}); get it anew") from None
    return parts, begin


def _length(data: bytes) -> int:
    """Bytes of the first pickle, up to and with its STOP."""
    for count, (opcode, _, place) in enumerate(pickletools.genops(data)):
        if opcode.name == "STOP":
            return int(place or 0) + 1
        if count > pickles.MOST_OPCODES:
            break
    raise ValueError("a pickle without end")


def _begins(
    path: Path, content: bytearray, place: int, keys: list[Any], storages: Mapping[str, Storage]
) -> dict[str, int]:
    """Where the elements of each storage begin."""
    found: dict[str, int] = {}
    for key in keys:
        storage = storages.get(key) if isinstance(key, str) else None
        counted = content[place : place + COUNT_BYTES]
        if storage is None or counted != struct.pack("<q", storage.elements):
            raise CheckpointError(f"{path}: damaged or cut short at a storage; fetch it again")
        found[storage.key] = place + COUNT_BYTES
        place += COUNT_BYTES + storage.elements * storage.kind.width
    if place > len(content) or found.keys() != storages.keys():
        raise CheckpointError(f"{path}: damaged or cut short; fetch it again")
    return found


def _tensor(content: bytearray, begins: Mapping[str, int], stub: Stub) -> Tensor:
    flat = flat_view(content, begins[stub.storage.key], stub.storage)
    return flat.as_strided(stub.shape, stub.stride, stub.offset)
