"""Where a command's sound goes: a file, or standard output."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runtime.arrays import Samples
from runtime.errors import FoundryError, SettingError
from runtime.sound import files
from runtime.sound.formats import Encoder, known

STDOUT = "-"


@dataclass(frozen=True)
class Output:
    """A place for sound, and how it is written there.

    Attributes:
        path: of a file; `-` is standard output.
        name: the format, a key of FORMATS; None goes by the path's suffix.
        streamed: on standard output, write each piece as it is made.
    """

    path: str
    name: str | None = None
    streamed: bool = False

    def check(self) -> None:
        """Refuse what can't be written, before anything is spoken.

        Raises:
            SettingError: no file can be there, or its suffix is of no format.
            BackendMissing: the format's library is not installed.
        """
        try:
            if self.path == STDOUT:
                known(self.name or files.USUAL)
            else:
                files.format_of(self.path, self.name)
        except FoundryError as error:
            raise type(error)(f"--output {error}") from error
        if self.path != STDOUT:
            self._check_folder()

    def _check_folder(self) -> None:
        try:
            if Path(self.path).is_dir():
                raise self._unwritable("it is a folder")
            if not Path(self.path).parent.is_dir():
                raise self._unwritable("its folder does not exist")
        except OSError as error:  # of a name that is too long
            raise self._unwritable(error.strerror) from error

    def write(self, pieces: Iterable[Samples], rate: int) -> float:
        """Write sound as it is made.

        Args:
            pieces: float32 [S] each; joined they are the sound.
            rate: samples per second (Hz).

        Returns:
            how long it is, in seconds.

        Raises:
            SettingError: the file can't be written.
            AudioError: a sample is not finite, or the sound is too long for the format.
        """
        counted = _Counted(pieces)
        if self.path == STDOUT:
            self._print(counted, Encoder(self.name or files.USUAL, rate, whole=not self.streamed))
        else:
            try:
                files.save(self.path, counted, rate, self.name)
            except OSError as error:
                raise self._unwritable(error.strerror) from error
        return counted.samples / rate

    def _print(self, pieces: Iterable[Samples], encoder: Encoder) -> None:
        for samples in pieces:
            sys.stdout.buffer.write(encoder.feed(samples))
            sys.stdout.buffer.flush()
        sys.stdout.buffer.write(encoder.finish())

    def _unwritable(self, reason: str | None) -> SettingError:
        return SettingError(f"--output {self.path}: {reason}; give a file that can be written")


class _Counted:
    """Pieces of sound, and how many samples went by."""

    def __init__(self, pieces: Iterable[Samples]) -> None:
        self._pieces = pieces
        self.samples = 0

    def __iter__(self) -> Iterator[Samples]:
        for samples in self._pieces:
            self.samples += samples.size
            yield samples
