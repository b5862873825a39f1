"""A reference as the models take it, in memory and in one file."""

import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from runtime.acoustic.kind import Arrays
from runtime.arrays import Tokens
from runtime.errors import ArtifactError
from runtime.files import DAMAGED_ZIP, replaced
from runtime.t2s.forecast import Pace
from runtime.text_features import FEATURE_WIDTH, Line

FORMAT = 1
LARGEST_BYTES = 64 << 20  # a reference of 10 s takes about one
ACOUSTIC = "acoustic."  # before the names of what the acoustic model keeps
LAYOUT = {  # name → what its elements are, and dims
    "format": ("i", 0),
    "voice": ("U", 0),
    "tokens": ("i", 1),
    "phones": ("i", 1),
    "features": ("f", 2),
}
SAID = {"phones", "features"}  # not there without text
AGAIN = "encode the recording again"


@dataclass(frozen=True, eq=False)
class EncodedReference:
    """What `Voice.encode` made of a reference: it is taken in place of one, and costs nothing.

    Attributes:
        tokens: int64 [P], prompt tokens; empty without text.
        line: what is said; None without text.
        acoustic: what the acoustic model keeps of it, by name.
        voice: digest of what of the voice it depends on; another voice refuses it.
    """

    tokens: Tokens
    line: Line | None
    acoustic: Arrays
    voice: str = ""

    def __post_init__(self) -> None:
        for array in _arrays(self).values():
            array.flags.writeable = False  # several requests read it

    @property
    def pace(self) -> Pace:
        """How slowly it is spoken."""
        return Pace.of_reference(self.tokens.size, self.line.phones.size if self.line else 0)

    def save(self, path: Path | str) -> None:
        """Write it as one `.npz` file, without pickles, that appears whole or not at all.

        Raises:
            OSError: the file can't be written.
        """
        with replaced(Path(path)) as file:
            self.write(file)

    def write(self, file: BinaryIO) -> None:
        """Write it to an open file, as `save` does."""
        arrays = {"format": np.array(FORMAT), "voice": np.array(self.voice), **_arrays(self)}
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, array in arrays.items():
                member = zipfile.ZipInfo(f"{name}.npy")  # of one date: the same bytes each time
                member.compress_type = zipfile.ZIP_DEFLATED
                with packed.open(member, "w") as content:
                    plain = np.asarray(array, order="C")
                    npy.write_array(content, plain, (1, 0), allow_pickle=False)

    @classmethod
    def load(cls, path: Path | str) -> "EncodedReference":
        """Read what `save` wrote.

        Raises:
            ArtifactError: it is no such file, or one that was altered.
        """
        try:
            with Path(path).open("rb") as file:
                return cls.read(file, str(path))
        except OSError as error:
            reason = error.strerror or error
            raise ArtifactError(
                f"{path}: {reason}; give what EncodedReference.save wrote"
            ) from error

    @classmethod
    def read(cls, file: BinaryIO, where: str) -> "EncodedReference":
        """Read it from an open file; `where` names it in messages.

        Raises:
            ArtifactError: it is no such file, or one that was altered.
        """
        try:
            _refuse_large(file)
            with np.load(file, allow_pickle=False) as stored:
                found = {name: stored[name] for name in stored.files}
        except DAMAGED_ZIP as error:
            raise ArtifactError(f"{where}: no encoded reference ({error}); {AGAIN}") from error
        return _of_arrays(found, where)


def _arrays(one: EncodedReference) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {"tokens": one.tokens}
    if one.line:
        found |= {"phones": one.line.phones, "features": one.line.features}
    return found | {ACOUSTIC + name: array for name, array in one.acoustic.items()}


def _refuse_large(file: BinaryIO) -> None:
    """Refuse what would take far more memory than its file, before it is read.

    Raises:
        ValueError: an array is not as large as it says, or holds objects; all are too large.
    """
    with zipfile.ZipFile(file) as packed:
        if sum(member.file_size for member in packed.infolist()) > LARGEST_BYTES:
            raise ValueError(f"more than {LARGEST_BYTES >> 20} MiB")
        for member in packed.infolist():
            with packed.open(member) as array:
                if npy.read_magic(array) != (1, 0):
                    raise ValueError(f"{member.filename} is no plain array")
                shape, _, dtype = npy.read_array_header_1_0(array)
                size = math.prod(shape) * dtype.itemsize
                if dtype.hasobject or size != member.file_size - array.tell():
                    raise ValueError(f"{member.filename} is no plain array")
    file.seek(0)


def _of_arrays(stored: Mapping[str, NDArray[Any]], where: str) -> EncodedReference:
    """The record of its arrays.

    Raises:
        ArtifactError: one is missing, unknown, or of another type or shape.
    """
    wrong = _wrong(stored)
    if wrong:
        raise ArtifactError(f"{where}: {wrong!r} is not as this runtime writes it; {AGAIN}")
    line = Line(stored["phones"], stored["features"]) if "phones" in stored else None
    kept = {
        name.removeprefix(ACOUSTIC): array
        for name, array in stored.items()
        if name.startswith(ACOUSTIC)
    }
    return EncodedReference(stored["tokens"], line, kept, str(stored["voice"]))


def _wrong(stored: Mapping[str, NDArray[Any]]) -> str:
    """The name of the first array that is not what it has to be; empty if all are."""
    said = LAYOUT.keys() if stored.keys() & {"phones", "features"} else LAYOUT.keys() - SAID
    for name in sorted(said | stored.keys()):
        array, (kinds, dims) = stored.get(name), LAYOUT.get(name, ("if", -1))
        own = name in LAYOUT or name.startswith(ACOUSTIC)
        if array is None or not own or array.dtype.kind not in kinds:
            return name
        if dims not in (-1, array.ndim) or (array.dtype.kind == "f" and not _is_finite(array)):
            return name
        if array.dtype.kind == "i" and (array.dtype != np.int64 or (array < 0).any()):
            return name
    if int(stored["format"]) != FORMAT:
        return "format"
    same = "phones" not in stored or stored["features"].shape == (
        FEATURE_WIDTH,
        stored["phones"].size,
    )
    return "" if same else "features"


def _is_finite(array: NDArray[Any]) -> bool:
    return array.dtype == np.float32 and bool(np.isfinite(array).all())
