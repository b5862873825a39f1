"""Files that appear whole, or not at all; and what those that are damaged raise."""

import errno
import lzma
import os
import secrets
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

DAMAGED_ZIP = (  # what zipfile, and NumPy above it, say of a file that is none or was altered
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, KeyError,
    NotImplementedError, OverflowError, RuntimeError, ValueError,
)  # fmt: skip


def write_whole(path: Path, text: str) -> None:
    """Write beside a file and rename; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(".part", f".{path.name}.", path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(part).chmod(0o644)
        Path(part).replace(path)
    finally:
        Path(part).unlink(missing_ok=True)


@contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """A file to write beside its place, renamed at the end; a device or a pipe is written directly.

    Raises:
        OSError: it can't be written; what stood there before is unchanged.
    """
    try:
        target = path.resolve()  # a link stays, the file behind it is replaced
    except RuntimeError:  # what Python says of links that lead back to themselves
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), f"{path}") from None
    if target.exists() and not target.is_file():
        with target.open("wb") as file:
            yield file
        return
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
