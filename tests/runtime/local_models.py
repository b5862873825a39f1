"""A prior and a vocoder whose every output depends on near inputs alone, to be followed exactly."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.acoustic.kind import AcousticSettings, Conditioning
from runtime.acoustic.vits import Vits
from runtime.acoustic.vits_model import VitsModel
from runtime.acoustic.vocoder import CONTEXT_FRAMES
from runtime.frames import SAMPLES_PER_FRAME
from runtime.noise import normals

WIDTH = 2
REACH = 5  # frames to each side that the prior's output depends on
Arrays = Mapping[str, NDArray[Any]]


class LocalPrior:
    """A pair of encoder frames per token, read as the contract states, noise added, smoothed.

    Attributes:
        most_tokens: of all calls.
    """

    def __init__(self) -> None:
        self.most_tokens = 0
        self._table = np.random.default_rng(0).standard_normal((1024, WIDTH, 2)).astype(np.float32)

    def run(self, inputs: Arrays) -> list[NDArray[Any]]:
        tokens, index = inputs["tokens"][0], inputs["frame_index"]
        assert tokens.size
        assert (index >= 0).all()
        assert (index < 2 * tokens.size).all()
        assert inputs["noise"].shape == (1, WIDTH, index.size)
        self.most_tokens = max(self.most_tokens, tokens.size)
        frames = self._table[tokens].transpose(1, 0, 2).reshape(WIDTH, -1)
        after = frames[:, np.minimum(index + 1, frames.shape[1] - 1)]
        read = frames[:, index] + inputs["frame_fraction"] * (after - frames[:, index])
        noisy = read + inputs["noise_scale"] * inputs["noise"][0]
        return [smoothed(noisy, REACH)[None]]

    def input_dim(self, name: str, axis: int) -> int:
        return WIDTH


class LocalVocoder:
    """Each frame's samples depend on exactly CONTEXT_FRAMES to each side.

    Attributes:
        most_frames: of all calls.
    """

    def __init__(self, reach: int = CONTEXT_FRAMES) -> None:
        self.most_frames = 0
        self._reach = reach

    def run(self, inputs: Arrays) -> list[NDArray[Any]]:
        latent = inputs["latent"][0]
        self.most_frames = max(self.most_frames, latent.shape[1])
        held = smoothed(latent, self._reach).mean(0)
        return [np.repeat(held, SAMPLES_PER_FRAME)[None]]

    def input_dim(self, name: str, axis: int) -> int:
        return WIDTH


def smoothed(rows: NDArray[Any], reach: int) -> NDArray[Any]:
    """Each frame as a sum of those near it, float32 [I, N]; the farthest count as well."""
    kernel = np.linspace(1, 2, 2 * reach + 1) / (reach + 1)
    full = np.stack([np.convolve(row, kernel) for row in rows.astype(np.float64)])
    return full[:, reach : reach + rows.shape[1]].astype(np.float32)


def local_acoustic(reach: int = CONTEXT_FRAMES) -> tuple[Vits, LocalPrior, LocalVocoder]:
    prior, vocoder = LocalPrior(), LocalVocoder(reach)
    return Vits(prior, vocoder), prior, vocoder


def local_model(reach: int = CONTEXT_FRAMES) -> VitsModel:
    return VitsModel(local_acoustic(reach)[0])


def local_conditioning(seed: int = 0, speed: float = 1.0) -> Conditioning:
    """Frames in steady steps, so that the whole decode is what a stream has to give."""
    return Conditioning(
        np.zeros(1, np.int64),
        {"style": np.zeros((1, 1, 1), np.float32)},
        partial(normals, seed, 0),
        AcousticSettings(speed, steady=True),
    )
