"""A file or folder that a build is made from: each file is read once, and digested as it was read.

The plan of a build names a digest. A source that is another by the time it is read is refused, so
that no output can carry the digest of bytes that it was not made of.
"""

import hashlib
import stat
from pathlib import Path

from runtime.errors import CheckpointError
from workflow_scripts import digests

MOST_BYTES = 16 << 30  # no file of a voice or of a base is larger


class Source:
    """A file, or a folder that is taken with all files below it."""

    def __init__(self, path: Path, planned: str | None = None) -> None:
        """Nothing is read yet.

        Args:
            path: of the file or folder.
            planned: the digest that it must have, as `digests.Sources` gives it; None for any.
        """
        self.path = path
        self._planned = planned
        self._found: dict[Path, str] = {}

    @classmethod
    def of(cls, given: "Path | Source") -> "Source":
        """What was given, as a source."""
        return given if isinstance(given, Source) else cls(given)

    def has(self, name: str) -> bool:
        """Whether the folder holds a file of that name."""
        return (self.path / name).exists()

    def content(self, name: str = "") -> bytearray:
        """The bytes of the file, or of one in the folder; they may be changed.

        Raises:
            CheckpointError: it is not there, is no plain file, is too large, or can't be read.
        """
        path = self.path / name
        try:
            found = path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise CheckpointError(f"{path}: not a file; give the published file")
            if found.st_size > MOST_BYTES:
                raise CheckpointError(f"{path}: {found.st_size} bytes; no such file is that large")
            content = _whole(path, found.st_size)
        except OSError as fault:
            raise CheckpointError(f"{path}: can't be read: {fault.strerror}; check it") from fault
        self._found[path] = hashlib.sha256(content).hexdigest()
        return content

    def confirm(self) -> str:
        """The digest of the source by the bytes that were read, and of what was not by its files.

        Raises:
            CheckpointError: it is not the planned one.
        """
        try:
            found = digests.of_source(self.path, lambda path: self._found.get(path) or _of(path))
        except OSError as fault:
            raise CheckpointError(f"{self.path}: can't be read: {fault.strerror}") from fault
        if self._planned is not None and found != self._planned:
            raise CheckpointError(
                f"{self.path}: is another file now than when the build was planned (sha256"
                f" {found[:12]}…, planned {self._planned[:12]}…); build again"
            )
        return found


def _whole(path: Path, size: int) -> bytearray:
    """All bytes of a file, also of one that grows or shrinks while it is read."""
    content = bytearray(size)
    with path.open("rb", buffering=0) as file:
        view, filled = memoryview(content), 0
        while filled < size and (count := file.readinto(view[filled:])):
            filled += count
        view.release()
    del content[filled:]
    return content


def _of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
