"""What a checkpoint file holds, down to the shape of each tensor, without loading one.

Torch-free and quick: only the pickle in the zip is read. Judges no sizes and no family.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runtime.errors import CheckpointError
from workflow_scripts.checkpoint import pickles
from workflow_scripts.checkpoint.archive import Archive, opened
from workflow_scripts.checkpoint.pickles import Stub

Kind = Literal["t2s", "sovits"]

NAMES: dict[Kind, str] = {"t2s": "T2S", "sovits": "SoVITS"}
KEYS: dict[Kind, str] = {"t2s": "gpt", "sovits": "sovits"}  # the users' words
TRAINING_ONLY = "enc_q"  # encoder that no inference needs; trainers drop it, official files don't

_RESPELT = {
    ".parametrizations.weight.original0": ".weight_g",
    ".parametrizations.weight.original1": ".weight_v",
}
_MOST_NODES = 100_000
_MOST_DEPTH = 20
_MOST_SHARED_ELEMENTS = 1 << 28  # 1 GB once widened


@dataclass(frozen=True)
class Contents:
    """A checkpoint seen from outside.

    Attributes:
        path: of the file.
        kind: which of the two networks' files it is, by its tensors.
        header: its first two bytes.
        md5: hex digest of its first 8192 bytes.
        stubs: dtype and shape of every tensor, by the name in the file.
        config: its configuration as plain nested dicts.
        info: what its trainer noted; may be empty.
        lora_rank: of a file that only completes a base file; None of a whole one.
        lora_alpha: what its update is multiplied by, times the rank.
    """

    path: Path
    kind: Kind
    header: str
    md5: str
    stubs: dict[str, Stub]
    config: dict[str, Any]
    info: str
    lora_rank: int | None
    lora_alpha: float

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor that inference may need, weight norms in the usual spelling."""
        return {
            usual_name(name): stub.shape
            for name, stub in self.stubs.items()
            if TRAINING_ONLY not in name
        }


def usual_name(name: str) -> str:
    """A tensor's name with a weight norm spelt `weight_g`, `weight_v`."""
    for ending, usual in _RESPELT.items():
        if name.endswith(ending):
            return name.removesuffix(ending) + usual
    return name


def contents(path: Path, kind: Kind | None = None) -> Contents:
    """Look into a checkpoint.

    Args:
        path: of the file.
        kind: refuse a file of the other kind.

    Returns:
        All but the weights.

    Raises:
        CheckpointError: it can't be read, asks for code, or is no checkpoint of the two kinds.
    """
    with opened(path) as archive:
        return contents_of(archive, path, kind)


def contents_of(archive: Archive, path: Path, kind: Kind | None = None) -> Contents:
    """Look into a checkpoint that is open; otherwise as `contents`."""
    where = str(path)
    loaded, bag = pickles.load(archive.pickle, where)
    header, md5 = archive.header, archive.md5
    if isinstance(loaded, bag):
        loaded = vars(loaded)
    if not isinstance(loaded, Mapping):
        raise CheckpointError(f"{where}: holds a {type(loaded).__name__}, not weight and config")
    _check_entries(loaded, where)
    stubs = stubs_of(loaded["weight"], archive, where, "weight ")
    found = _kind(stubs, where)
    if kind is not None and found != kind:
        raise CheckpointError(
            f"{where}: a {NAMES[found]} file where a {NAMES[kind]} file is wanted;"
            f" give it as {KEYS[found]}, not as {KEYS[kind]}"
        )
    config = _Flattened(bag, where).plain(loaded["config"], "config", 0)
    if not isinstance(config, dict):
        raise CheckpointError(f"{where}: config is not a mapping; take the file of a training")
    info = loaded.get("info", "")
    info = info if isinstance(info, str) else ""
    rank, alpha = _lora(loaded, where)
    return Contents(path, found, header, md5, stubs, config, info, rank, alpha)


def _lora(loaded: Mapping[Any, Any], where: str) -> tuple[int | None, float]:
    """Rank and alpha; alpha is the rank where the file does not say."""
    if "lora_rank" not in loaded:
        return None, 1.0
    rank = loaded["lora_rank"]
    alpha = loaded.get("lora_alpha", rank)
    if type(rank) is not int or rank < 1 or not isinstance(alpha, int | float):
        raise CheckpointError(
            f"{where}: lora_rank is {rank!r:.40}, not a number from 1 on; take the file anew"
        )
    return rank, float(alpha)


def _check_entries(loaded: Mapping[Any, Any], where: str) -> None:
    names = {name for name in loaded if isinstance(name, str)}
    if {"weight", "config"} <= names:
        return
    if pickles.is_resume_file(names):
        raise pickles.resume_error(where, names)
    shown = ", ".join(sorted(names)[:3])
    lacks = " and ".join(name for name in ("weight", "config") if name not in names)
    raise CheckpointError(
        f"{where}: has no {lacks} (but {shown or 'nothing'}); give a .ckpt or .pth of a training"
    )


def flat_stubs(weight: Any, where: str, of: str = "") -> dict[str, Stub]:
    """The tensors of a mapping, none of which claims more than is stored.

    Raises:
        CheckpointError: it holds none, or more than tensors by name.
    """
    if not isinstance(weight, Mapping) or not weight:
        raise CheckpointError(f"{where}: {of}holds no tensors; take the published file")
    claimed, held = 0, {}
    for name, stub in weight.items():
        if not isinstance(name, str) or not isinstance(stub, Stub):
            raise CheckpointError(f"{where}: {of}holds more than tensors by key, at {name!r:.60}")
        claimed += math.prod(stub.shape)
        held[stub.storage.key] = stub.storage.elements
    # a trainer's tensors may share storages; out of a small file they must not fill the memory
    if claimed > max(sum(held.values()), _MOST_SHARED_ELEMENTS):
        raise CheckpointError(
            f"{where}: claims {claimed} weights out of {sum(held.values())} that are stored; don't"
            " use this file"
        )
    return dict(weight)


def stubs_of(weight: Any, archive: Archive, where: str, of: str = "") -> dict[str, Stub]:
    """The tensors of a mapping, each checked against the bytes that are there.

    Raises:
        CheckpointError: as of `flat_stubs`, or bytes are missing.
    """
    stubs = flat_stubs(weight, where, of)
    for name, stub in stubs.items():
        storage = stub.storage
        if archive.stored_bytes.get(storage.key) != storage.elements * storage.kind.width:
            raise CheckpointError(
                f"{where}: the bytes of {name} are missing or cut short; copy the file again"
            )
    return stubs


def _kind(stubs: Mapping[str, Stub], where: str) -> Kind:
    if any(name.startswith("model.ar_") for name in stubs):
        return "t2s"
    if any(name.startswith(("enc_p.", "dec.", "cfm.", "quantizer.")) for name in stubs):
        return "sovits"
    shown = ", ".join(list(stubs)[:2])
    raise CheckpointError(
        f"{where}: neither a T2S nor a SoVITS file (its tensors: {shown}, ...);"
        " give a .ckpt or .pth of a GPT-SoVITS training"
    )


class _Flattened:
    """Turns bags and mappings into plain dicts, up to a fair size."""

    def __init__(self, bag: type, where: str) -> None:
        self._bag = bag
        self._where = where
        self._left = _MOST_NODES

    def plain(self, value: Any, place: str, depth: int) -> Any:
        """The same value out of dicts, lists, text and numbers alone."""
        self._left -= 1
        if self._left < 0 or depth > _MOST_DEPTH:
            raise CheckpointError(f"{self._where}: {place} has no end; don't use this file")
        if isinstance(value, self._bag):
            value = vars(value)
        if isinstance(value, Mapping):
            return {
                str(key): self.plain(inner, f"{place}.{key!s:.40}"[-200:], depth + 1)
                for key, inner in value.items()
                if isinstance(key, str | int)
            }
        if isinstance(value, list | tuple) and not isinstance(value, Stub):
            return [self.plain(inner, f"{place}[]", depth + 1) for inner in value]
        if value is None or isinstance(value, str | int | float):
            return value
        raise CheckpointError(
            f"{self._where}: {place} is a {type(value).__name__}, not text or a number"
        )
