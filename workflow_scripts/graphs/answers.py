"""Recorded answers of PyTorch: for each case of a graph, what goes in and what came out."""

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import ArtifactError


@dataclass(frozen=True)
class Case:
    """One call of a graph.

    Attributes:
        inputs: by name, as the contract says.
        outputs: by name, what PyTorch computed from them.
    """

    inputs: dict[str, NDArray[Any]] = field(default_factory=dict)
    outputs: dict[str, NDArray[Any]] = field(default_factory=dict)


def load(path: Path) -> dict[str, Case]:
    """Read an answers file, an npz with the keys `{case}/in/{tensor}` and `{case}/out/{tensor}`.

    Raises:
        ArtifactError: not such a file.
    """
    cases: dict[str, Case] = {}
    try:
        with np.load(path) as stored:
            for key in stored.files:
                name, side, tensor = key.split("/", 2)
                case = cases.setdefault(name, Case())
                {"in": case.inputs, "out": case.outputs}[side][tensor] = stored[key]
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactError(
            f"{path}: no file of recorded answers; export the graph again"
        ) from error
    if not cases:
        raise ArtifactError(f"{path}: holds no recorded case; export the graph again")
    return cases


def save(path: Path, cases: dict[str, Case]) -> None:
    """Write an answers file to exactly this path."""
    arrays = {
        f"{name}/{side}/{tensor}": array
        for name, case in cases.items()
        for side, tensors in (("in", case.inputs), ("out", case.outputs))
        for tensor, array in tensors.items()
    }
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
