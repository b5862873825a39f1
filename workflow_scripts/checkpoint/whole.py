"""Read an acoustic model whole: a LoRA file is merged over its base."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from workflow_scripts.checkpoint.lora import DOWN, INFIX, UP, Acoustic, check_base
from workflow_scripts.checkpoint.read import Checkpoint, read
from workflow_scripts.checkpoint.source import Source


def read_whole(source: Path | Source, base: Path | Source | None = None) -> Checkpoint:
    """Read a SoVITS file, and the base that it needs.

    Args:
        source: the file, and which one it must be.
        base: of a LoRA file, what it is merged over; None of a whole one.

    Returns:
        A whole model. Of a LoRA: the base's family, sizes and names, weights in float32; path,
        digest and info of the LoRA file.

    Raises:
        CheckpointError: a file can't be used, a LoRA has no base, or it is not its base.
    """
    own = read(source, "sovits")
    return completed(own, None if base is None else read(base, "sovits"))


def completed(own: Checkpoint, under: Checkpoint | None) -> Checkpoint:
    """A whole model out of a SoVITS file and the base of a LoRA.

    Raises:
        CheckpointError: a LoRA without its base, another base, or one that is not wanted.
    """
    base = None if under is None else Acoustic(under.path, f"{under.family}", under.sizes)
    check_base(Acoustic(own.path, f"{own.family}", own.sizes), base)
    if under is None:
        return own
    weights = merged(own.widened(), under.widened(), own.lora_alpha / own.sizes.rank)
    return replace(
        own, weights=weights, family=under.family, sizes=under.sizes, config=under.config
    )


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
