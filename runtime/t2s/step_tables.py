"""The rows that a step takes, and when an utterance may end: what host and device must agree on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import Float32

END_HELD_BACK_STEPS = 11  # the reference lets no utterance end before


@dataclass(frozen=True)
class StepTables:
    """The rows of a step: audio_embedding[token] + alpha * sines(position)."""

    audio_embedding: Float32
    position_rows: Float32

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], positions: int) -> "StepTables":
        """Make the tables from `t2s_tables.npz`; sines as the reference: of float32 angles."""
        frequencies = arrays["frequencies"].astype(np.float32)
        angles = np.arange(positions, dtype=np.float32)[:, None] * frequencies
        sines = np.stack([np.sin(angles), np.cos(angles)], -1).reshape(positions, -1)
        return cls(
            audio_embedding=arrays["audio_embedding"].astype(np.float32),
            position_rows=(arrays["alpha"].astype(np.float32) * sines).astype(np.float32),
        )
