"""The rows that a step takes, and when an utterance may end: what host and device must agree on."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import Float32
from runtime.errors import BundleError
from runtime.loop_numbers import DecodeNumbers

END_HELD_BACK_STEPS = DecodeNumbers.end_held_back_steps  # as in the reference


@dataclass(frozen=True)
class StepTables:
    """The rows of a step: audio_embedding[token] + alpha * sines(position)."""

    audio_embedding: Float32
    position_rows: Float32

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], positions: int) -> "StepTables":
        """Make the tables from `t2s_tables.npz`.

        Angles are float32 as in the reference. Sines are taken in double and rounded, so that they
        are the same on any CPU and in any language.
        """
        frequencies = arrays["frequencies"].astype(np.float32)
        angles = np.arange(positions, dtype=np.float32)[:, None] * frequencies
        exact = angles.astype(np.float64)
        sines = np.stack([np.sin(exact), np.cos(exact)], -1).reshape(positions, -1)
        return cls(
            audio_embedding=arrays["audio_embedding"].astype(np.float32),
            position_rows=arrays["alpha"].astype(np.float32) * sines.astype(np.float32),
        )


def read_tables(path: Path, positions: int) -> StepTables:
    """Read `t2s_tables.npz`.

    Raises:
        BundleError: it is no such file, or its arrays do not belong together.
    """
    try:
        with zipfile.ZipFile(path) as stored:
            if any(entry.compress_size != entry.file_size for entry in stored.infolist()):
                raise ValueError("compressed, which ours never are")  # a few bytes may unpack to GB
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in ("audio_embedding", "frequencies", "alpha")}
        _refuse_odd(arrays)
        return StepTables.from_arrays(arrays, positions)
    except Exception as fault:  # numpy and zipfile name no errors of their own for most of them
        raise BundleError(f"{path}: no step tables ({fault}); build it again") from fault


def _refuse_odd(arrays: dict[str, NDArray[Any]]) -> None:
    rows, frequencies, alpha = arrays["audio_embedding"], arrays["frequencies"], arrays["alpha"]
    if rows.ndim != 2 or frequencies.shape != (rows.shape[1] // 2,) or alpha.size != 1:
        raise ValueError("shapes that do not belong together")
    if not all(array.dtype.kind == "f" and np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("values that are no numbers")
