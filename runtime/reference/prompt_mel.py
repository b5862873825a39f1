"""The mel spectrogram of a reference, which v3 and v4 continue. Knows nothing of graphs."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from runtime.acoustic.mel import MelFrames, normalised
from runtime.arrays import Float32
from runtime.audio import Audio, resample_sinc
from runtime.contract import MELS
from runtime.reference.features import magnitudes

QUIETEST = 1e-5  # of a band, below which all is silence
LINEAR_HZ = 1000.0  # where Slaney's scale turns from linear to logarithmic
HZ_PER_MEL = 200 / 3
LOG_STEP = np.log(6.4) / 27


def prompt_mel(audio: Audio, frames: MelFrames) -> Float32:
    """The reference's mel as the models take it; as loud as it is.

    Args:
        audio: of any rate.
        frames: of the family.

    Returns:
        float32 [1, 100, R], normalised.

    Raises:
        AudioError: too short to be mirrored at its edges.

    Source: golden `sovits_v3v4/v3_frontend.npz`.
    """
    return normalised(log_mel(audio, frames))


def log_mel(audio: Audio, frames: MelFrames) -> Float32:
    """The reference's log-mel, float32 [1, 100, R]."""
    samples = resample_sinc(audio.samples, audio.rate, frames.prompt_hz)
    spectrum = magnitudes(samples, frames.fft, frames.hop, frames.prompt_hz)
    bands = slaney_filters(frames.prompt_hz, frames.fft) @ spectrum
    return np.asarray(np.log(np.maximum(bands, QUIETEST)), np.float32)


@cache
def slaney_filters(rate: int, fft: int) -> NDArray[np.float32]:
    """Triangles of equal area on Slaney's mel scale from 0 to half the rate.

    Args:
        rate: of the samples (Hz).
        fft: samples per spectrum.

    Returns:
        float32 [100, fft // 2 + 1].
    """
    edges = _hertz(np.linspace(0, _mel(rate / 2), MELS + 2))
    bins = np.linspace(0, rate / 2, fft // 2 + 1)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    area = 2 / (edges[2:] - edges[:-2])
    return (np.minimum(rising, falling).clip(min=0) * area[:, None]).astype(np.float32)


def _mel(hertz: float) -> float:
    if hertz < LINEAR_HZ:
        return hertz / HZ_PER_MEL
    return float(LINEAR_HZ / HZ_PER_MEL + np.log(hertz / LINEAR_HZ) / LOG_STEP)


def _hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    above = mels - LINEAR_HZ / HZ_PER_MEL
    return np.where(above < 0, mels * HZ_PER_MEL, LINEAR_HZ * np.exp(LOG_STEP * above))
