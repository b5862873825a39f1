"""The latent of our acoustic model: which channel says how loud which waveform is.

Channels of a frame of 20 ms, of 192: 4 sounds x 2 steps x 24 bands. Three sounds are voices of a
fixed pitch, of which a speaker has one; the fourth is noise. A channel is an amplitude on a scale
that is logarithmic but near zero: networks learn that some twenty times sooner than amplitudes as
they are. The prior draws hardly any noise of its own.
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from training.sovits_speech import (
    BANDS,
    FRAME,
    LEAD,
    PATTERN,
    Floats,
    Speech,
    noise_patterns,
    voice_patterns,
)

PULSES = (2, 3, 4)  # in a frame: 100, 150 and 200 Hz
PITCH_OF = {"slt": 4, "rms": 2, "awb": 3}  # pulses, near the speaker's mean
SOUNDS = len(PULSES) + 1
GROUP = 2 * BANDS  # channels of one sound
WIDTH = SOUNDS * GROUP
NOISE = slice(WIDTH - GROUP, WIDTH)
QUIET = -6.0  # log-scale of all channels
VOICE_UNITS = 0.6 * np.exp(-0.2 * np.arange(BANDS))  # amplitudes that are 1, by band
NOISE_UNIT = 0.02
SOFT = 0.03  # an amplitude: below it the scale is linear, above it logarithmic
LOUDEST = 10.0  # channel that still counts
SHARPER, AROUND = 0.5, 6  # how much peaks are raised over what is less than so many bands away
SOFTER = 0.2  # of a spectrum's mean that is taken away: it is then about as loud as before


def latent_of(speech: Speech, pulses: int) -> Floats:
    """What the prior should say of speech at a pitch, float32 [2T, 192].

    Args:
        speech: T tokens of it.
        pulses: one of PULSES.
    """
    frames, voiced = len(speech.bands) // 2, speech.voiced[:, None]
    first = PULSES.index(pulses) * GROUP
    amplitudes = np.exp(speech.bands)
    latent = np.zeros((frames, WIDTH), np.float32)
    voice = amplitudes / VOICE_UNITS * voiced
    latent[:, first : first + GROUP] = voice.reshape(frames, -1)
    latent[:, NOISE] = (amplitudes / NOISE_UNIT * ~voiced).reshape(frames, -1)
    scaled: Floats = np.arcsinh(latent / SOFT)
    return scaled


def channels_of(pulses: int) -> NDArray[np.int64]:
    """The channels that a speaker of this pitch has, int64 [96]: voice, then noise."""
    first = PULSES.index(pulses) * GROUP
    return np.asarray(np.r_[first : first + GROUP, NOISE])


def sharpening() -> Tensor:
    """A matrix that raises the peaks of a spectrum over their neighbours, float32 [192, 192].

    What is learned from many examples is broader than each of them.
    """
    away = np.abs(np.subtract.outer(np.arange(BANDS), np.arange(BANDS)))
    shares = np.maximum(0, 1 - away / AROUND)
    mean = shares / shares.sum(axis=1, keepdims=True)
    bands = (1 + SHARPER) * np.eye(BANDS) - SHARPER * mean - SOFTER / BANDS
    return torch.from_numpy(np.kron(np.eye(WIDTH // BANDS), bands).astype(np.float32))


def patterns() -> Tensor:
    """The waveform of each channel, float32 [192, 1, PATTERN]."""
    voices = [voice_patterns(pulses) * VOICE_UNITS[:, None] for pulses in PULSES]
    table = np.stack([*voices, noise_patterns() * NOISE_UNIT])
    return torch.from_numpy(table.reshape(WIDTH, 1, PATTERN).astype(np.float32))


def sound_of(latent: Tensor, table: Tensor) -> Tensor:
    """The sound that a latent stands for, float32 [B, 640 N] at 32 kHz.

    Args:
        latent: float32 [B, 192, N].
        table: from `patterns`.
    """
    amplitudes = SOFT * torch.sinh(latent.clamp(0, LOUDEST))
    whole = F.conv_transpose1d(amplitudes, table, stride=FRAME).squeeze(1)
    return whole[:, LEAD : LEAD + FRAME * latent.shape[2]]
