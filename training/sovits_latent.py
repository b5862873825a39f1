"""The latent of our acoustic model, by hand: which channel says what, and the values of speech.

Channels of a frame of 20 ms, of 192:

- amplitudes of the voice: 2 steps x 48 bands, cube roots, 0 where there is no voice;
- pattern of the pulses: one of 12, how many pulses the token holds and, if they are odd, which
  half of the token this is;
- noise: 2 steps x 12 bands x 2 patterns, mean 0 and a log-scale that is the amplitude, so that
  the prior's own noise is the breath of the voice.

The rest is 0. Numpy only.
"""

from dataclasses import dataclass

import numpy as np

from training.sovits_speech import (
    BANDS,
    FEWEST_PULSES,
    MOST_PULSES,
    NOISE_BANDS,
    NOISE_PATTERNS,
    Floats,
    Speech,
    noise_bands,
)

WIDTH = 192
VOICE = slice(0, 2 * BANDS)
PATTERNS = sum(1 + count % 2 for count in range(FEWEST_PULSES, MOST_PULSES + 1))
PATTERN = slice(VOICE.stop, VOICE.stop + PATTERNS)
NOISE = slice(PATTERN.stop, PATTERN.stop + 2 * NOISE_BANDS * NOISE_PATTERNS)
NOISE_SCALE = 0.5  # that the log-scales reckon with
QUIET = -6.0  # log-scale of a channel without noise
VOICE_UNIT = 0.05  # amplitude that is 1 in the latent
NOISE_UNIT = 0.01


@dataclass(frozen=True, eq=False)
class Latent:
    """What the prior should say of speech.

    Attributes:
        mean: float32 [2T, 192].
        log_scale: float32 [2T, 192].
    """

    mean: Floats
    log_scale: Floats


def pattern_of(pulses: np.ndarray) -> np.ndarray:
    """Number of the pattern of each frame, int64 [2T], from pulses per token, int64 [T]."""
    first = {}
    for count in range(FEWEST_PULSES, MOST_PULSES + 1):
        first[count] = sum(1 + low % 2 for low in range(FEWEST_PULSES, count))
    begin = np.array([first[int(count)] for count in pulses])
    return np.stack([begin, begin + pulses % 2], axis=1).reshape(-1)


def latent_of(speech: Speech) -> Latent:
    """Mean and log-scale that make this speech."""
    frames = len(speech.bands) // 2
    voiced = speech.voiced[:, None]
    roots = np.exp((speech.bands - np.log(VOICE_UNIT)) / 3) * voiced
    breath = np.where(voiced, -np.inf, speech.bands @ noise_bands())
    breath = breath - np.log(NOISE_UNIT * NOISE_SCALE)
    mean = np.zeros((frames, WIDTH), np.float32)
    log_scale = np.full((frames, WIDTH), QUIET, np.float32)
    mean[:, VOICE] = roots.reshape(frames, -1)
    share = speech.voiced.reshape(frames, 2).mean(axis=1)
    mean[np.arange(frames), PATTERN.start + pattern_of(speech.pulses)] = share
    channels = np.repeat(breath, NOISE_PATTERNS, axis=1).reshape(frames, -1)
    log_scale[:, NOISE] = np.maximum(channels, QUIET)
    return Latent(mean, log_scale)


def speech_of(latent: Latent) -> Speech:
    """The speech that a latent, ours or a network's, asks for.

    A step is voiced where the voice is louder than the noise.
    """
    steps = 2 * len(latent.mean)
    roots = latent.mean[:, VOICE].reshape(steps, BANDS)
    bands = 3 * np.log(np.maximum(roots, 1e-2)) + np.log(VOICE_UNIT)
    scores = latent.mean[:, PATTERN]
    counts = np.concatenate(
        [[count] * (1 + count % 2) for count in range(FEWEST_PULSES, MOST_PULSES + 1)]
    )
    by_count = np.stack(
        [scores[:, counts == count].sum(axis=1) for count in range(FEWEST_PULSES, MOST_PULSES + 1)]
    )
    per_token = by_count.reshape(len(by_count), -1, 2).sum(axis=2)
    return Speech(
        bands=bands.astype(np.float32),
        voiced=np.repeat(scores.sum(axis=1) > 0, 2),
        pulses=per_token.argmax(axis=0) + FEWEST_PULSES,
    )
