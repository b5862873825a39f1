"""Read an acoustic model whole: a LoRA file is merged over its base."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from runtime.errors import CheckpointError
from workflow_scripts.checkpoint.cfm import CfmSizes
from workflow_scripts.checkpoint.families import FAMILIES
from workflow_scripts.checkpoint.lora import DOWN, INFIX, UP, LoraSizes, refuse_foreign_base
from workflow_scripts.checkpoint.read import Checkpoint, read
from workflow_scripts.checkpoint.source import Source


def read_whole(source: Path | Source, base: Path | Source | None = None) -> Checkpoint:
    """Read a SoVITS file, and the base that it needs.

    Args:
        source: the file, and which one it must be.
        base: the base file; wanted by a LoRA file alone, of no account to others.

    Returns:
        A whole model. Of a LoRA: the base's family, sizes and names, weights in float32; path,
        digest and info of the LoRA file.

    Raises:
        CheckpointError: a file can't be used, a LoRA has no base, or it is not its base.
    """
    own = read(source, "sovits")
    row = FAMILIES[own.family or ""]
    if not row.lora:
        return own
    if base is None:
        raise CheckpointError(
            f"{own.path}: SoVITS {own.family} without its base; give the {row.base} file that it"
            " was trained from"
        )
    return completed(own, read(base, "sovits"))


def completed(own: Checkpoint, under: Checkpoint) -> Checkpoint:
    """A whole model out of a SoVITS file and its base; one that needs none stays as it is.

    Raises:
        CheckpointError: it is not its base.
    """
    row = FAMILIES[own.family or ""]
    if not row.lora:
        return own
    if under.family != row.base:
        raise CheckpointError(
            f"{own.path}: SoVITS {own.family} over {under.path}, which is {under.family};"
            f" give the {row.base} file that it was trained from"
        )
    return _merged(own, under)


def _merged(own: Checkpoint, under: Checkpoint) -> Checkpoint:
    sizes, whole = own.sizes, under.sizes
    if not isinstance(sizes, LoraSizes) or not isinstance(whole, CfmSizes):
        raise TypeError(f"{own.path}: not a LoRA over a flow-matching base")
    refuse_foreign_base(sizes, whole, f"{own.path} over {under.path}")
    scale = own.lora_alpha / sizes.rank
    weights = merged(own.widened(), under.widened(), scale)
    return replace(own, weights=weights, family=under.family, sizes=whole, config=under.config)


def merged(
    lora: Mapping[str, Tensor], base: Mapping[str, Tensor], scale: float
) -> dict[str, Tensor]:
    """The weights of a whole model out of a LoRA file's and its base's.

    Args:
        lora: float32 tensors by name, of `lora_layout`.
        base: float32 tensors by name, of `cfm_layout`; not changed.
        scale: alpha / rank.

    Returns:
        Float32 tensors by the base's names: attention moved by the updates, and everything else
        that the LoRA holds in place of the base's.
    """
    whole = dict(base)
    for name, tensor in lora.items():
        usual = name.replace(INFIX, "")
        if usual.endswith(DOWN):
            target = usual.removesuffix(DOWN) + "weight"
            up = lora[name.removesuffix(DOWN) + UP]
            whole[target] = base[target] + scale * (up @ tensor)
        elif not usual.endswith(UP):
            whole[usual] = tensor
    return whole
