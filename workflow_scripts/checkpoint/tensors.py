"""Tensors out of the bytes of a file, as views of them: nothing is copied, nothing is run."""

import struct
from collections.abc import Mapping

import torch
from torch import Tensor

from workflow_scripts.checkpoint.archive import Archive
from workflow_scripts.checkpoint.pickles import Storage, Stub

LOCAL_HEADER_BYTES = 30  # of a zip entry, before its name
NAME_LENGTH_AT = 26


def tensors(content: bytearray, archive: Archive, stubs: Mapping[str, Stub]) -> dict[str, Tensor]:
    """The tensors of a checkpoint.

    Args:
        content: all bytes of the file; the tensors stay views of them.
        archive: of the same bytes, its check sums compared.
        stubs: what its pickle states of each tensor, checked against the sizes of its storages.

    Returns:
        Tensors by the same names, of the stored types.
    """
    return {name: _view(content, archive, stub) for name, stub in stubs.items()}


def _view(content: bytearray, archive: Archive, stub: Stub) -> Tensor:
    flat = flat_view(content, _begin(content, archive.entries[stub.storage.key]), stub.storage)
    return flat.as_strided(stub.shape, stub.stride, stub.offset)


def flat_view(content: bytearray, begin: int, storage: Storage) -> Tensor:
    """All elements of a storage whose bytes begin at a place; [elements]."""
    width = storage.kind.width
    if not storage.elements:
        return torch.empty(0, dtype=_dtype(storage))
    if begin % width:  # torch wants its elements aligned
        content = content[begin : begin + storage.elements * width]
        begin = 0
    return torch.frombuffer(content, dtype=_dtype(storage), count=storage.elements, offset=begin)


def _begin(content: bytearray, entry: int) -> int:
    """Where the bytes of a stored zip entry begin."""
    name, extra = struct.unpack_from("<HH", content, entry + NAME_LENGTH_AT)
    return int(entry + LOCAL_HEADER_BYTES + name + extra)


def _dtype(storage: Storage) -> torch.dtype:
    found: torch.dtype = getattr(torch, storage.kind.dtype)
    return found
