"""The latent of our acoustic model: which channel says how loud which waveform is.

Channels of a frame of 20 ms, of 192:

- voice: 3 pitches x 2 steps x 24 bands, amplitudes; a speaker has one of the pitches;
- noise: 2 steps x 12 bands x 2 patterns, mean 0 and a log-scale that is the amplitude, so that
  the prior's own noise is the breath of the voice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.sovits_speech import (
    BANDS,
    FRAME,
    LEAD,
    NOISE_BANDS,
    NOISE_PATTERNS,
    PATTERN,
    Floats,
    Speech,
    noise_bands,
    noise_patterns,
    voice_patterns,
)

WIDTH = 192
PULSES = (2, 3, 4)  # in a frame: 100, 150 and 200 Hz
PITCH_OF = {"slt": 4, "rms": 2, "awb": 3}  # pulses, near the speaker's mean
GROUP = 2 * BANDS  # channels of one pitch
VOICE = slice(0, len(PULSES) * GROUP)
NOISE = slice(VOICE.stop, VOICE.stop + 2 * NOISE_BANDS * NOISE_PATTERNS)
NOISE_SCALE = 0.5  # that the log-scales reckon with
QUIET = -6.0  # log-scale of a channel without noise
NOISE_UNIT = 0.01  # amplitude whose log-scale is 0
VOICE_UNITS = 0.6 * np.exp(-0.2 * np.arange(BANDS))  # amplitudes that are 1, by band


@dataclass(frozen=True, eq=False)
class Latent:
    """What the prior should say of speech.

    Attributes:
        mean: float32 [2T, 192].
        log_scale: float32 [2T, 192].
    """

    mean: Floats
    log_scale: Floats


def latent_of(speech: Speech, pulses: int) -> Latent:
    """Mean and log-scale that make this speech at a pitch.

    Args:
        speech: T tokens of it.
        pulses: one of PULSES.
    """
    frames, voiced = len(speech.bands) // 2, speech.voiced[:, None]
    first = PULSES.index(pulses) * GROUP
    amplitudes = np.exp(speech.bands) / VOICE_UNITS * voiced
    breath = np.where(voiced, -np.inf, speech.bands @ noise_bands()) - np.log(NOISE_UNIT)
    mean = np.zeros((frames, WIDTH), np.float32)
    log_scale = np.full((frames, WIDTH), QUIET, np.float32)
    mean[:, first : first + GROUP] = amplitudes.reshape(frames, -1)
    channels = np.repeat(breath, NOISE_PATTERNS, axis=1).reshape(frames, -1)
    log_scale[:, NOISE] = np.maximum(channels, QUIET)
    return Latent(mean, log_scale)


def patterns() -> Tensor:
    """The waveform of each channel, float32 [192, 1, PATTERN]."""
    voices = [voice_patterns(pulses) * VOICE_UNITS[:, None] for pulses in PULSES]
    noises = noise_patterns() * (NOISE_UNIT / NOISE_SCALE)
    rows: Sequence[Floats] = [*(voice.reshape(-1, PATTERN) for voice in voices)]
    table = np.concatenate([*rows, noises.reshape(-1, PATTERN)])
    return torch.from_numpy(table.astype(np.float32)).unsqueeze(1)


def sound_of(latent: Tensor, table: Tensor) -> Tensor:
    """The sound that a latent stands for, float32 [B, 640 N] at 32 kHz.

    Args:
        latent: float32 [B, 192, N], a draw from the prior.
        table: from `patterns`.
    """
    whole = F.conv_transpose1d(latent, table, stride=FRAME).squeeze(1)
    return whole[:, LEAD : LEAD + FRAME * latent.shape[2]]


def draw(mean: Tensor, log_scale: Tensor, noise: Tensor) -> Tensor:
    """A draw as the runtime makes it, of float32 [B, 192, N] each."""
    return mean + NOISE_SCALE * noise * log_scale.exp()
