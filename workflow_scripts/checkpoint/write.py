"""Write files in the formats of the trainers, the odd parts included."""

import contextlib
import pickle
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from workflow_scripts.checkpoint.families import PLAIN
from workflow_scripts.files import atomic


class HParams:
    """What the trainer keeps its configuration in; pickled as `utils.HParams`."""

    def __init__(self, **values: Any) -> None:
        for key, value in values.items():
            setattr(self, key, HParams(**value) if isinstance(value, dict) else value)


def write_weights(path: Path, content: Any, header: str = PLAIN) -> None:
    """Write a PyTorch zip.

    Args:
        path: of the file; appears whole or not at all.
        content: what to pickle.
        header: what the first two bytes become.

    Raises:
        OSError: the file can't be written.
    """
    with atomic(path) as (part,), _named_as_in_the_trainer():
        with part.open("wb") as file:
            torch.save(content, file)
        with part.open("r+b") as file:
            file.write(header.encode("ascii"))


def write_checkpoint(
    path: Path,
    weight: Mapping[str, torch.Tensor],
    config: Mapping[str, Any],
    info: str,
    header: str | None = None,
    lora_rank: int | None = None,
) -> None:
    """Write a T2S or SoVITS file as its trainer does.

    Args:
        path: of the file; appears whole or not at all.
        weight: tensors by name.
        config: nested dicts.
        info: what the trainer notes.
        header: of a SoVITS file, whose config is an HParams; None for a T2S file, with a dict.
        lora_rank: of a LoRA file.

    Raises:
        OSError: the file can't be written.
    """
    stored: Any = dict(config) if header is None else HParams(**config)
    content: dict[str, Any] = {"weight": dict(weight), "config": stored, "info": info}
    rank = {} if lora_rank is None else {"lora_rank": lora_rank}
    write_weights(path, content | rank, header or PLAIN)


@contextlib.contextmanager
def _named_as_in_the_trainer() -> Iterator[None]:
    """Let HParams be found as `utils.HParams`, where the pickler looks for it."""
    before = sys.modules.get("utils")
    named = HParams.__module__
    stand_in = types.ModuleType("utils")
    stand_in.HParams = HParams  # type: ignore[attr-defined]
    sys.modules["utils"], HParams.__module__ = stand_in, "utils"
    try:
        yield
    except pickle.PicklingError as fault:
        raise TypeError(f"can't be stored: {fault}") from fault
    finally:
        HParams.__module__ = named
        if before is None:
            del sys.modules["utils"]
        else:
            sys.modules["utils"] = before
