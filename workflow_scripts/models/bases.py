"""Read the folder of a published base (HuBERT, RoBERTa) into configuration and tensors.

Reads these files alone: no network, no code from the folder.
"""

import json
import pickle
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from runtime.errors import CheckpointError


def read_config(folder: Path, kind: str) -> dict[str, Any]:
    """The `config.json` of a base.

    Args:
        folder: the base's folder.
        kind: what its `model_type` must be.

    Raises:
        CheckpointError: there is none, it is not JSON, or it is another kind of model.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{folder}: no config.json; give the folder of a {kind}") from None
    except ValueError as fault:
        raise CheckpointError(f"{path}: not JSON ({fault}); fetch it again") from None
    found = config.get("model_type") if isinstance(config, dict) else None
    if found != kind:
        raise CheckpointError(f"{path}: model_type is {found!r}; give the folder of a {kind!r}")
    return dict(config)


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """The tensors of a base, from `model.safetensors` or else `pytorch_model.bin`.

    Raises:
        CheckpointError: there is neither, or it can't be read.
    """
    safe, pickled = folder / "model.safetensors", folder / "pytorch_model.bin"
    path = safe if safe.exists() else pickled
    if not path.exists():
        raise CheckpointError(
            f"{folder}: neither {safe.name} nor {pickled.name}; fetch the weights"
        )
    return read_tensor_file(path)


def read_tensor_file(path: Path) -> dict[str, Tensor]:
    """The tensors of one file: safetensors, or a pickle that holds tensors by key and runs nothing.

    Raises:
        CheckpointError: it can't be read, or holds something else.
    """
    return _tensors(_stored(path), path)


def read_nested_tensors(path: Path, entry: str) -> dict[str, Tensor]:
    """The tensors of one file that holds them under an entry.

    Raises:
        CheckpointError: it can't be read, or holds something else.
    """
    stored = _stored(path)
    if not isinstance(stored, dict) or entry not in stored:
        raise CheckpointError(f"{path}: no entry {entry!r} in it; fetch the published file")
    return _tensors(stored[entry], path)


def _stored(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            return dict(safetensors.torch.load_file(path))
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file; check the path") from None
    except (safetensors.SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as fault:
        reason = f"{fault}".split("\n")[0]
        raise CheckpointError(f"{path}: can't be read ({reason}); fetch it again") from None


def _tensors(stored: Any, path: Path) -> dict[str, Tensor]:
    if not isinstance(stored, dict) or not all(isinstance(w, Tensor) for w in stored.values()):
        raise CheckpointError(f"{path}: holds more than tensors by key; fetch the published file")
    return dict(stored)
