"""Read a checkpoint: its bytes, read once, become weights and facts; nothing in it is run."""

from dataclasses import dataclass
from pathlib import Path

import torch

from runtime.errors import CheckpointError
from workflow_scripts.checkpoint.archive import check_sums, in_memory
from workflow_scripts.checkpoint.contents import NAMES, Kind, contents_of, usual_name
from workflow_scripts.checkpoint.families import FAMILIES
from workflow_scripts.checkpoint.peek import AcousticSizes, Peeked, checked, peek
from workflow_scripts.checkpoint.source import Source
from workflow_scripts.checkpoint.tensors import tensors

FRAME_RATE = "25hz"  # whatever a file states: no released model uses another


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory.

    Attributes:
        path: of the file.
        kind: "t2s" or "sovits".
        weights: every tensor that inference needs, as stored (float16 in a trainer's file); T2S
            names keep their `model.`, weight norms are spelt `weight_g` and `weight_v`.
        config: plain nested dicts; of a SoVITS file `model.version` is the family.
        info: what the trainer noted; may be empty.
        header: the first two bytes of the file.
        sha256: hex digest of the file.
        family: of a SoVITS file; None of a T2S file.
        sizes: the numbers that fix the networks: T2SSizes, or as the kind of its family has them.
        dropped: names of tensors in the file that inference does not need.
        lora_alpha: of a LoRA file: what its updates are multiplied by, times the rank.
    """

    path: Path
    kind: Kind
    weights: dict[str, torch.Tensor]
    config: dict[str, object]
    info: str
    header: str
    sha256: str
    family: str | None
    sizes: AcousticSizes
    dropped: tuple[str, ...]
    lora_alpha: float = 1.0

    def widened(self) -> dict[str, torch.Tensor]:
        """All weights as contiguous float32 of their own, exact for float16 ones."""
        return {
            name: tensor.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
            for name, tensor in self.weights.items()
        }

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(tensor.numel() for tensor in self.weights.values())


def read(source: Path | Source, kind: Kind | None = None) -> Checkpoint:
    """Read a checkpoint, all of it once.

    Args:
        source: the file, and which one it must be.
        kind: refuse a file of the other kind.

    Returns:
        Its weights and all that is known of it.

    Raises:
        CheckpointError: it can't be used, and why; in one line.
    """
    given = Source.of(source)
    path = given.path
    peek(path, kind)  # a wrong file is refused before all of it is read
    content = given.content()
    digest = given.confirm()
    archive = in_memory(path, content)
    peeked = checked(contents_of(archive, path, kind))
    found = peeked.contents
    check_sums(path, archive)
    stored = tensors(content, archive, found.stubs)
    weights = {
        usual_name(name): tensor
        for name, tensor in stored.items()
        if usual_name(name) in peeked.layout
    }
    _check(weights, peeked)
    return Checkpoint(
        path=path,
        kind=found.kind,
        weights={name: weights[name] for name in peeked.layout},
        config=_settled(found.config, peeked.family),
        info=found.info,
        header=found.header,
        sha256=digest,
        family=peeked.family,
        sizes=peeked.sizes,
        dropped=tuple(name for name in stored if usual_name(name) not in peeked.layout),
        lora_alpha=found.lora_alpha,
    )


def _check(weights: dict[str, torch.Tensor], peeked: Peeked) -> None:
    where = peeked.contents.path
    for name, shape in peeked.layout.items():
        tensor = weights.get(name)
        if tensor is None or tuple(tensor.shape) != shape:
            raise CheckpointError(f"{where}: {name} is not what its pickle states; don't use it")
        if not tensor.is_floating_point():
            kind = str(tensor.dtype).removeprefix("torch.")
            raise CheckpointError(f"{where}: {name} is {kind}, not a float; take the file anew")
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(
                f"{where}: {name} has values that are no numbers; the"
                f" {NAMES[peeked.contents.kind]} training went wrong, take an earlier file"
            )


def _settled(config: dict[str, object], family: str | None) -> dict[str, object]:
    """The config with what detection knows better than the file."""
    model = config["model"]
    if family is None or not isinstance(model, dict):
        return config
    version = FAMILIES[family].base or family
    return config | {"model": model | {"semantic_frame_rate": FRAME_RATE, "version": version}}
