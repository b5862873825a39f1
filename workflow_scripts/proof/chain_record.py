"""The record of a whole chain: PyTorch's answers from reference audio and phones to samples."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import Features, Float32, PhoneIds, Samples, Tokens
from runtime.errors import ArtifactError
from runtime.files import DAMAGED_ZIP

REFERENCE = "reference"


@dataclass(frozen=True, eq=False)
class ChainRecord:
    """What went in and what PyTorch made of it.

    Attributes:
        audio_samples, audio_rate: the reference as it was read.
        reference_phones, phones: int64, of the reference's text and of the text to speak.
        text_features: float32 [1024, X], for both.
        prompt_tokens: int64 [P].
        reference: what the acoustic model keeps of the reference, by name.
        seed: of sampling and latent noise.
        tokens: int64 [T], sampled with the reference's default settings.
        logits: float32 [T, V], before each token.
        noise_scale, speed, sample_steps: of the rendering; the last in flow-matching families.
        frames: float32 [1, I, N'], that the samples are the sound of.
        samples: float32 [S].
    """

    audio_samples: Samples
    audio_rate: int
    reference_phones: PhoneIds
    phones: PhoneIds
    text_features: Features
    prompt_tokens: Tokens
    reference: Mapping[str, NDArray[Any]]
    seed: int
    tokens: Tokens
    logits: Float32
    noise_scale: float
    speed: float
    sample_steps: int
    frames: Float32
    samples: Samples

    def save(self, path: Path) -> None:
        """Write to exactly this path."""
        plain = [field.name for field in fields(self) if field.name != REFERENCE]
        arrays: dict[str, NDArray[np.generic]] = {
            name: np.asarray(getattr(self, name)) for name in plain
        }
        arrays |= {f"{REFERENCE}/{name}": array for name, array in self.reference.items()}
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> "ChainRecord":
        """Read a record.

        Raises:
            ArtifactError: not such a file.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                names = [field.name for field in fields(cls) if field.name != REFERENCE]
                arrays = {name: stored[name] for name in names}
                reference = {
                    name.removeprefix(f"{REFERENCE}/"): stored[name]
                    for name in stored.files
                    if name.startswith(f"{REFERENCE}/")
                }
        except DAMAGED_ZIP as error:
            raise ArtifactError(
                f"{path}: no record of a chain ({error}); record it again"
            ) from error
        plain = {name: a.item() if a.ndim == 0 else a for name, a in arrays.items()}
        return cls(reference=reference, **plain)


def save_sound(path: Path, samples: Samples) -> None:
    """Write samples to exactly this path, for the report."""
    with path.open("wb") as file:
        np.save(file, np.asarray(samples, np.float32).reshape(-1), allow_pickle=False)
