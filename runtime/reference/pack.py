"""A voice pack: named styles of one voice, encoded, in one small file.

With it a voice needs neither reference sound nor the networks that encode one. The style `default`
takes the place of the voice's own example.
"""

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.errors import ArtifactError, SettingError
from runtime.files import DAMAGED_ZIP, replaced
from runtime.reference.prepared import LARGEST_BYTES, EncodedReference

NAME = "styles.zip"  # of the file inside a bundle
DEFAULT = "default"
STYLE = re.compile(r"[\w-]{1,40}")
MOST = 64  # styles of a pack
SUFFIX = ".npz"


def save(path: Path, styles: Mapping[str, EncodedReference]) -> None:
    """Write a pack that appears whole or not at all.

    Raises:
        SettingError: a name is none, or there are too many.
        OSError: the file can't be written.
    """
    for style in styles:
        if not STYLE.fullmatch(style):
            raise SettingError(f"style {style!r}: give 1 to 40 letters, digits or hyphens")
    if len(styles) > MOST:
        raise SettingError(f"styles: {len(styles)} of them; give at most {MOST}")
    with replaced(path) as file, zipfile.ZipFile(file, "w") as packed:
        for style, encoded in styles.items():
            content = io.BytesIO()
            encoded.write(content)
            packed.writestr(zipfile.ZipInfo(style + SUFFIX), content.getvalue())


def names(path: Path) -> tuple[str, ...]:
    """Styles of a pack, without reading them.

    Raises:
        ArtifactError: it is no pack.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            return tuple(name.removesuffix(SUFFIX) for name in packed.namelist())
    except (OSError, *DAMAGED_ZIP) as error:
        raise ArtifactError(f"{path}: no voice pack ({error}); pack it again") from error


def load(path: Path) -> dict[str, EncodedReference]:
    """Read a pack.

    Raises:
        ArtifactError: it is no pack, or one that was altered.
    """
    found: dict[str, EncodedReference] = {}
    try:
        with zipfile.ZipFile(path) as packed:
            members = packed.infolist()
            if len(members) > MOST or sum(one.file_size for one in members) > LARGEST_BYTES:
                raise ArtifactError(f"{path}: too large for a voice pack; pack it again")
            for member in members:
                style = member.filename.removesuffix(SUFFIX)
                if not STYLE.fullmatch(style):
                    raise ArtifactError(f"{path}: holds {style!r}, no style; pack it again")
                content = io.BytesIO(packed.read(member))
                found[style] = EncodedReference.read(content, f"{path}: {style}")
    except OSError as error:
        raise ArtifactError(f"{path}: {error.strerror or error}; give a voice pack") from error
    except DAMAGED_ZIP as error:
        raise ArtifactError(f"{path}: no voice pack ({error}); pack it again") from error
    return found


def weights(wanted: str) -> dict[str, float]:
    """Styles and their shares: `happy`, or `happy=0.7,sad=0.3`.

    Raises:
        SettingError: it is neither.
    """
    found: dict[str, float] = {}
    for part in wanted.split(","):
        style, equals, share = part.strip().partition("=")
        try:
            found[style] = float(share) if equals else 1.0
        except ValueError:
            found[style] = -1.0
        if not STYLE.fullmatch(style) or not 0 < found[style] < np.inf:
            raise SettingError(f"style: {wanted[:60]!r} is not NAME or NAME=SHARE,NAME=SHARE")
    return found


def mixed(styles: Mapping[str, EncodedReference], wanted: str) -> EncodedReference:
    """One style, or the mean of several by their shares.

    The style vectors are averaged; what is said before the text comes from the largest share.

    Raises:
        SettingError: there is no such style, or it is written wrongly.
    """
    shares = weights(wanted)
    for style in shares:
        if style not in styles:
            known = ", ".join(styles) or "none"
            raise SettingError(f"style: there is no {style!r}; there are: {known}")
    if len(shares) == 1:
        return styles[next(iter(shares))]
    first = styles[max(shares, key=lambda style: shares[style])]
    whole = sum(shares.values())
    acoustic: dict[str, NDArray[np.float32]] = {}
    for name in first.acoustic:
        parts = [
            np.asarray(styles[style].acoustic[name] * (share / whole), np.float32)
            for style, share in shares.items()
        ]
        acoustic[name] = np.stack(parts).sum(axis=0, dtype=np.float32)
    return EncodedReference(first.tokens, first.line, acoustic, first.voice)
