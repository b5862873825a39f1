"""Put tensors of a checkpoint into a network: widened, weight norm folded, nothing left over."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from runtime.errors import CheckpointError

MOST_DIMS = 8

# (magnitude, direction) as old and new PyTorch spell a weight-normalised tensor
_SPELLINGS = (
    (".weight_g", ".weight_v"),
    (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
)


def folded(weights: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """Widen every tensor to float32 and replace each weight-norm pair by the weight it means.

    Args:
        weights: tensors by checkpoint key, any float type; integer tensors keep theirs.
        where: file or kind of file, to begin an error with.

    Returns:
        Tensors by key; a pair `x.weight_g`, `x.weight_v` becomes `x.weight`.

    Raises:
        CheckpointError: half of a pair is missing, or a tensor is empty or has no numbers.
    """
    for key, tensor in weights.items():
        _refuse_unusable(key, tensor, where)
    found = {key: _widened(tensor) for key, tensor in weights.items()}
    for magnitude_end, direction_end in _SPELLINGS:
        for key in [key for key in found if key.endswith((magnitude_end, direction_end))]:
            stem = key.removesuffix(magnitude_end).removesuffix(direction_end)
            if key.endswith(direction_end):
                continue
            magnitude, direction = found.pop(key), found.pop(stem + direction_end, None)
            if direction is None:
                raise CheckpointError(
                    f"{where}: {stem}{direction_end} is missing, {key} is there; get it again"
                )
            found[f"{stem}.weight"] = weight = _weight(magnitude, direction, f"{where}: {key}")
            _refuse_unusable(f"{stem}.weight", weight, where)
        if lonely := [key for key in found if key.endswith(direction_end)]:
            raise CheckpointError(f"{where}: {lonely[0]} has no magnitude beside it; get it again")
    return found


def _widened(tensor: Tensor) -> Tensor:
    return (tensor.float() if tensor.is_floating_point() else tensor).contiguous()


def _refuse_unusable(key: str, tensor: Tensor, where: str) -> None:
    if tensor.dim() > MOST_DIMS:
        raise CheckpointError(f"{where}: {key} has {tensor.dim()} dims; get it again")
    if 0 in tensor.shape:
        raise CheckpointError(f"{where}: {key} is empty; get it again")
    if tensor.is_complex() or not bool(torch.isfinite(tensor).all()):
        raise CheckpointError(f"{where}: {key} has values that are no numbers; get it again")


def _weight(magnitude: Tensor, direction: Tensor, where: str) -> Tensor:
    """The weight of one pair; the norm runs over each axis along which `magnitude` is 1 wide."""
    sizes = zip(magnitude.shape, direction.shape, strict=False)
    if magnitude.dim() != direction.dim() or any(m not in (1, d) for m, d in sizes):
        raise CheckpointError(
            f"{where} is {list(magnitude.shape)} where its direction is {list(direction.shape)};"
            " get it again"
        )
    axes = [axis for axis, size in enumerate(magnitude.shape) if size == 1]
    length: Tensor = torch.linalg.vector_norm(direction, dim=axes, keepdim=True)
    return magnitude * direction / length


def without(weights: Mapping[str, Tensor], unused: Iterable[str]) -> dict[str, Tensor]:
    """The tensors whose key contains none of the `unused` pieces."""
    pieces = tuple(unused)
    return {key: w for key, w in weights.items() if not any(piece in key for piece in pieces)}


def fill(network: nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    """Give a network its weights and set it to inference; each key must fit exactly.

    Args:
        network: its parameter names are the checkpoint's keys; may live on the meta device.
        weights: float32 tensors, weight norm folded.
        where: file or kind of file, to begin an error with.

    Raises:
        CheckpointError: a key is missing or left over, or a shape differs.
    """
    expected = network.state_dict()
    for key in sorted(expected.keys() - weights.keys()):
        raise CheckpointError(f"{where}: {key} is missing; the file is incomplete")
    for key in sorted(weights.keys() - expected.keys()):
        raise CheckpointError(f"{where}: {key} belongs to no network we know; wrong kind of file")
    for key, tensor in expected.items():
        if not weights[key].is_floating_point():
            kind = str(weights[key].dtype).removeprefix("torch.")
            raise CheckpointError(f"{where}: {key} is {kind}, not a float; get it again")
        if tensor.shape != weights[key].shape:
            raise CheckpointError(
                f"{where}: {key} is {list(weights[key].shape)}, its configuration states"
                f" {list(tensor.shape)}; weights and config do not belong together"
            )
    network.load_state_dict(dict(weights), assign=True)
    network.requires_grad_(False).eval()
