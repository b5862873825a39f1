"""Sizes and tensors of an acoustic checkpoint, asked for in the same way of every kind.

Torch-free. Each function of the table KINDS in `families` that needs no network is here.
"""

from runtime.errors import CheckpointError
from workflow_scripts.checkpoint.cfm import CfmSizes, cfm_layout, cfm_sizes
from workflow_scripts.checkpoint.contents import Contents
from workflow_scripts.checkpoint.families import FAMILIES
from workflow_scripts.checkpoint.layout import STYLE, Shape
from workflow_scripts.checkpoint.lora import LoraSizes, lora_layout, lora_sizes
from workflow_scripts.checkpoint.sizes import SovitsSizes, sovits_sizes


def sizes_of_vits(found: Contents, family: str) -> SovitsSizes:
    """Sizes of v1, v2, v2Pro and v2ProPlus, which the config gives.

    Args:
        found: contents of the file.
        family: a key of FAMILIES.

    Raises:
        CheckpointError: a number is missing, or the networks can't be built by these numbers.
    """
    where = str(found.path)
    sizes = sovits_sizes(found.config, where)
    if not FAMILIES[family].needs_speaker and sizes.gin_channels != STYLE:
        raise CheckpointError(
            f"{where}: config.model.gin_channels: {sizes.gin_channels} is not {STYLE}, which"
            f" SoVITS {family} wants; take the file of a finished training"
        )
    return sizes


def sizes_of_cfm(found: Contents, _family: str) -> CfmSizes:
    """Sizes of v3 and v4, which the tensors show."""
    return cfm_sizes(found.shapes, str(found.path))


def layout_of_cfm(sizes: CfmSizes, _family: str) -> dict[str, Shape]:
    """Tensors of v3 and v4, shape by name."""
    return cfm_layout(sizes)


def sizes_of_lora(found: Contents, _family: str) -> LoraSizes:
    """Sizes of a LoRA file of v3 and v4, which the tensors show."""
    return lora_sizes(found.shapes, found.lora_rank, str(found.path))


def layout_of_lora(sizes: LoraSizes, _family: str) -> dict[str, Shape]:
    """Tensors of a LoRA file of v3 and v4, shape by name."""
    return lora_layout(sizes)
