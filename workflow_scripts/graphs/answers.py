"""What PyTorch answered when a graph was exported: inputs and outputs of a few cases, in one npz.

Array `{case}/{in|out}/{tensor}` each. Knows numpy alone, so that proof needs no torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import GraphError
from runtime.files import DAMAGED_ZIP

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Answer:
    """One case.

    Attributes:
        inputs: arrays by the contract's names.
        outputs: what PyTorch made of them, by the contract's names.
    """

    inputs: Arrays
    outputs: Arrays


def save(path: Path, answers: Mapping[str, Answer]) -> None:
    """Write the cases of one graph, in their order."""
    arrays = {
        f"{case}/{side}/{name}": array
        for case, answer in answers.items()
        for side, tensors in (("in", answer.inputs), ("out", answer.outputs))
        for name, array in tensors.items()
    }
    with path.open("wb") as file:  # given a name, numpy would append .npz to it
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load(path: Path) -> dict[str, Answer]:
    """Read the cases of one graph, in their order.

    Raises:
        GraphError: the file can't be read or holds something else.
    """
    cases: dict[str, dict[str, dict[str, NDArray[Any]]]] = {}
    try:
        with np.load(path, allow_pickle=False) as stored:
            for key in stored.files:
                case, side, name = key.split("/")
                cases.setdefault(case, {"in": {}, "out": {}})[side][name] = stored[key]
    except (AttributeError, *DAMAGED_ZIP) as fault:
        raise GraphError(f"{path}: not recorded answers ({fault}); export again") from None
    if not cases:
        raise GraphError(f"{path}: no recorded answers in it; export again")
    return {name: Answer(sides["in"], sides["out"]) for name, sides in cases.items()}
