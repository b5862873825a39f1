"""LoRA files of v3 and v4: what such a file holds. Torch-free.

Made by PEFT on the attention of the transformer; the networks that were trained in full stand in
the file as they are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import CheckpointError
from workflow_scripts.checkpoint.cfm import ATTENTION, BLOCKS, CODEBOOK, Shapes, before_estimator
from workflow_scripts.checkpoint.families import FAMILIES
from workflow_scripts.checkpoint.layout import Named, Shape, style_encoder

INFIX = "base_model.model."  # what PEFT puts into names
DOWN, UP = "lora_A.default.weight", "lora_B.default.weight"
_BLOCKS = BLOCKS.replace("cfm.", f"cfm.{INFIX}")
_TURNS = f"cfm.{INFIX}estimator.rotary_embed.inv_freq"


@dataclass(frozen=True)
class LoraSizes:
    """Sizes of a LoRA file; all but the rank are those of its base.

    Attributes:
        rank: inner width of each update.
        ssl: width of a codebook row.
        hidden_channels: width of the content encoder.
        gin_channels: width of the style.
        features: width of the conditioning features.
        wave_layers: gated convolutions behind the content encoder.
        mels: bands of the mel spectrogram.
        width: of the transformer.
        depth: its blocks.
        head: channels of one of its heads.
    """

    rank: int
    ssl: int
    hidden_channels: int
    gin_channels: int
    features: int
    wave_layers: int
    mels: int
    width: int
    depth: int
    head: int


def lora_sizes(shapes: Mapping[str, Sequence[int]], rank: int | None, where: str) -> LoraSizes:
    """Sizes of a LoRA file.

    Args:
        shapes: of its tensors.
        rank: what it says of itself; None takes that of its tensors.
        where: opens the error line.

    Raises:
        CheckpointError: a tensor that shows a size is missing, or of another rank.
    """
    of = Shapes(shapes, where)
    first = f"{_BLOCKS}.0.attn.{ATTENTION[0]}.{DOWN}"
    found = of.dim(first, 0)
    if rank not in (None, found):
        raise CheckpointError(
            f"{where}: lora_rank is {rank}, {first} has {found} rows; take the file anew"
        )
    return LoraSizes(
        rank=found,
        ssl=of.dim(f"{CODEBOOK}.embed", 1),
        hidden_channels=of.dim("bridge.0.weight", 1),
        gin_channels=of.dim("ref_enc.fc.fc.weight", 0),
        features=of.dim("bridge.0.weight", 0),
        wave_layers=of.count("wns1.enc.in_layers"),
        mels=of.dim("linear_mel.weight", 0),
        width=of.dim(first, 1),
        depth=of.count(_BLOCKS),
        head=2 * of.dim(_TURNS, 0),
    )


def lora_layout(sizes: LoraSizes) -> dict[str, Shape]:
    """Every tensor of a LoRA file, shape by name; weight norms as `weight_g` and `weight_v`."""
    layout = dict(style_encoder(704, sizes.gin_channels)) | before_estimator(sizes)
    return layout | {_TURNS: (sizes.head // 2,)} | dict(_updates(sizes))


def _updates(sizes: LoraSizes) -> Iterator[Named]:
    for block in range(sizes.depth):
        for part in ATTENTION:
            name = f"{_BLOCKS}.{block}.attn.{part}"
            yield f"{name}.{DOWN}", (sizes.rank, sizes.width)
            yield f"{name}.{UP}", (sizes.width, sizes.rank)


@dataclass(frozen=True)
class Acoustic:
    """A SoVITS file as far as its partner matters.

    Attributes:
        path: of the file.
        family: a key of FAMILIES.
        sizes: as its kind has them.
    """

    path: Path
    family: str
    sizes: Any


def check_base(own: Acoustic, base: Acoustic | None) -> None:
    """Refuse a base that a file was not trained from, and a LoRA file without any.

    Raises:
        CheckpointError: of another family or other sizes, missing, or not wanted.
    """
    wanted = FAMILIES[own.family].base
    if base is None:
        if wanted:
            raise CheckpointError(
                f"{own.path}: SoVITS {own.family} without its base; give the {wanted} file that it"
                " was trained from as base"
            )
        return
    if not wanted:
        raise CheckpointError(
            f"{own.path}: SoVITS {own.family} is whole and takes no base; leave it out"
        )
    if base.family != wanted:
        raise CheckpointError(
            f"{own.path}: SoVITS {own.family} over {base.path}, which is {base.family};"
            f" give the {wanted} file that it was trained from"
        )
    for name in LoraSizes.__dataclass_fields__:
        ours = getattr(own.sizes, name)
        theirs = ours if name == "rank" else getattr(base.sizes, name)
        if ours != theirs:
            raise CheckpointError(
                f"{own.path} over {base.path}: don't belong together: {name} is {ours} and"
                f" {theirs}; give the base that it was trained from"
            )
