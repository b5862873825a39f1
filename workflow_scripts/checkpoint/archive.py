"""Open a checkpoint file as the zip that it is, whatever its first two bytes say.

Nothing is unpacked to disk and nothing is interpreted; knows no tensors.
"""

import contextlib
import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from runtime.errors import CheckpointError
from workflow_scripts.checkpoint.families import HEADERS, PLAIN

MD5_BYTES = 8192
MOST_PICKLE_BYTES = 64 << 20  # full-size files need 0.1 MB
TORCH_FLAGS = 0x0808  # sizes follow the data, names are UTF-8; no encryption, no patches

_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself; run git lfs pull"),
    (b"\x80", "a bare pickle (PyTorch before 1.6); save it anew with a current torch.save"),
    (b"\x93NUMPY", "a numpy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x1f\x8b", "a gzip file; unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"RIFF", "a sound file"),
    (b"GGUF", "a GGUF file"),
    (b"<", "a web page, not what was meant to be downloaded; download it again"),
)


class Restored(io.RawIOBase):
    """A file whose first two bytes read as `PK`; the file itself is not changed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of any file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As of any file."""
        return self._file.tell()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """As of any file, but for the first two bytes."""
        start = self._file.tell()
        piece = self._file.read(len(buffer))
        buffer[: len(piece)] = piece
        if start < len(PLAIN):
            mended = PLAIN.encode()[start : start + len(piece)]
            buffer[: len(mended)] = mended
        return len(piece)


class Memory(io.RawIOBase):
    """Bytes in memory as a file, without a copy of them."""

    def __init__(self, content: bytearray) -> None:
        self._content = memoryview(content)
        self._place = 0

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of any file."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: len(self._content)}[whence]
        if start + offset < 0:
            raise ValueError("a place before the file")
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        """As of any file."""
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """As of any file."""
        piece = self._content[self._place : self._place + len(buffer)]
        buffer[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)


@dataclass(frozen=True)
class Archive:
    """A checkpoint's zip.

    Attributes:
        header: the first two bytes of the file as they are.
        md5: hex digest of the first 8192 bytes as they are.
        file: the whole zip, readable, its first bytes restored.
        pickle: the bytes of its `data.pkl`.
        stored_bytes: size of each tensor storage by its key.
        entries: where the entry of each storage begins in the file.
    """

    header: str
    md5: str
    file: BinaryIO
    pickle: bytes
    stored_bytes: dict[str, int]
    entries: dict[str, int]


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Open a checkpoint for reading; its tensors stay on the disk.

    Args:
        path: of the file.

    Yields:
        The archive, whose `file` is closed at the end of the block.

    Raises:
        CheckpointError: no such file, a folder, empty, damaged, or not a PyTorch zip.
    """
    with _binary(path) as raw:
        head = raw.read(MD5_BYTES)
        yield _archive(path, head, io.BufferedReader(Restored(raw)), path.stat().st_size)


def in_memory(path: Path, content: bytearray) -> Archive:
    """The archive in the bytes of a file; their first two become `PK`.

    Args:
        path: of the file, for messages.
        content: all of its bytes.

    Raises:
        CheckpointError: as `opened` does.
    """
    head = bytes(content[:MD5_BYTES])
    _header(path, head)
    content[: len(PLAIN)] = PLAIN.encode()
    return _archive(path, head, io.BufferedReader(Memory(content)), len(content))


def _archive(path: Path, head: bytes, file: BinaryIO, size: int) -> Archive:
    header = _header(path, head)
    md5 = hashlib.md5(head, usedforsecurity=False).hexdigest()
    with _sound(path), zipfile.ZipFile(file) as zipped:
        pickle_name = _checked(path, zipped, size)
        content = zipped.read(pickle_name)
        folder = pickle_name.removesuffix("data.pkl") + "data/"
        stored = {
            entry.filename.removeprefix(folder): entry
            for entry in zipped.infolist()
            if entry.filename.startswith(folder)
        }
        _refuse_swapped_bytes(path, zipped, pickle_name.removesuffix("data.pkl") + "byteorder")
    sizes = {key: entry.file_size for key, entry in stored.items()}
    places = {key: entry.header_offset for key, entry in stored.items()}
    return Archive(header, md5, file, content, sizes, places)


@contextlib.contextmanager
def _sound(path: Path) -> Iterator[None]:
    """Turn whatever a hostile zip makes `zipfile` raise into one line."""
    try:
        yield
    except CheckpointError:
        raise
    except Exception as fault:  # zipfile names no errors of its own for most of them
        raise CheckpointError(
            f"{path}: damaged or cut short ({fault}); copy or download it again"
        ) from fault


def _refuse_swapped_bytes(path: Path, zipped: zipfile.ZipFile, name: str) -> None:
    if name in zipped.namelist() and zipped.read(name) != b"little":
        raise CheckpointError(
            f"{path}: its numbers were written with their bytes the other way round; save it anew"
            " with torch.save on a little-endian machine"
        )


def check_sums(path: Path, archive: Archive) -> None:
    """Read every entry of a checkpoint and compare its check sum.

    Args:
        path: of the file, for messages.
        archive: of the file.

    Raises:
        CheckpointError: an entry is not what was written.
    """
    with _sound(path), zipfile.ZipFile(archive.file) as zipped:
        try:
            damaged = zipped.testzip()
        except (zipfile.BadZipFile, EOFError) as fault:
            damaged = str(fault)
    if damaged is not None:
        raise CheckpointError(
            f"{path}: damaged at entry '{damaged}' (check sum); copy or download it again"
        )


def _binary(path: Path) -> BinaryIO:
    try:
        if path.is_dir():
            raise CheckpointError(f"{path}: a folder; give the checkpoint file in it")
        if path.exists() and not path.is_file():
            raise CheckpointError(f"{path}: no plain file; give a .ckpt or .pth of a training")
        return path.open("rb")
    except FileNotFoundError as fault:
        raise CheckpointError(f"{path}: no such file; check the path") from fault
    except OSError as fault:
        raise CheckpointError(f"{path}: can't be opened: {fault.strerror}; check it") from fault


def _header(path: Path, head: bytes) -> str:
    if not head:
        raise CheckpointError(f"{path}: an empty file; copy or download it again")
    if head[2:4] != b"\x03\x04":
        what = _foreign(path, head)
        advice = "" if ";" in what else "; give a .ckpt or .pth of a training"
        raise CheckpointError(f"{path}: {what}{advice}")
    header = head[:2].decode("latin-1")
    if header != PLAIN and header not in HEADERS:
        raise CheckpointError(
            f"{path}: unknown header {head[:2]!r}; known: {PLAIN}, {', '.join(sorted(HEADERS))};"
            " a newer family, or a damaged file"
        )
    return header


def _foreign(path: Path, head: bytes) -> str:
    """Say what a file is that is no PyTorch zip."""
    if path.suffix == ".onnx" or (head[0] == 8 and head[2:3] in (b"\x12", b"\x1a", b"\x3a")):
        return "an ONNX graph, not a checkpoint"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
        return "a safetensors file, not a checkpoint"
    for start, what in _FOREIGN:
        if head.startswith(start):
            return what
    if _is_text(head):
        return "text, not a checkpoint"
    return f"not a PyTorch zip (begins with {head[:4]!r})"


def _is_text(head: bytes) -> bool:
    start = head.decode("utf-8", "ignore")
    return len(start.encode()) >= len(head) - 3 and all(
        c.isprintable() or c.isspace() for c in start
    )


def _checked(path: Path, zipped: zipfile.ZipFile, size: int) -> str:
    """Check each entry and give the name of the one `data.pkl`."""
    entries = zipped.infolist()
    names = [entry.filename for entry in entries]
    pickles = [name for name in names if name.endswith("/data.pkl") and name.count("/") == 1]
    if not pickles:
        first = f" (first entry '{names[0]}')" if names else " (no entries)"
        raise CheckpointError(
            f"{path}: a zip of something else{first}; give a .ckpt or .pth of a training"
        )
    for entry in entries:
        fault = _entry_fault(entry, size)
        if fault:
            raise CheckpointError(f"{path}: entry '{entry.filename}' {fault}; don't use this file")
    folders = {name.split("/")[0] for name in names}
    if len(pickles) > 1 or len(folders) > 1 or len(set(names)) < len(names):
        raise CheckpointError(
            f"{path}: two checkpoints in one zip, or an entry twice; don't use this file"
        )
    return pickles[0]


def _entry_fault(entry: zipfile.ZipInfo, size: int) -> str:
    name = entry.filename
    if entry.flag_bits & ~TORCH_FLAGS:
        return f"has the zip flags {entry.flag_bits:#x}, which PyTorch never sets"
    if name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/"):
        return "points outside the archive"
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
        return "is compressed, which PyTorch never does"
    if entry.file_size + entry.header_offset > size:
        return f"claims {entry.file_size} bytes, more than the file has"
    if name.endswith("/data.pkl") and entry.file_size > MOST_PICKLE_BYTES:
        return f"has {entry.file_size} bytes, at most {MOST_PICKLE_BYTES} are read"
    return ""
