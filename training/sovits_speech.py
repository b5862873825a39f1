"""Take speech apart into bands and pitch, and put it together again on the grid of the tokens.

Flite's voices are a filter behind pulses or noise. The same here, but each token of 40 ms holds a
whole number of pulses, so the waveform follows from what a latent frame can know: a vocoder
learns it by plain regression. Pitch moves in steps of 25 Hz therefore. Numpy only.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.features import OUTPUT_HZ

RATE = 16_000  # of the recordings (Hz)
STEP = 160  # samples at RATE between bands: two bands' columns per latent frame
TOKEN_STEPS = 4
TOKENS_HZ = 25
BANDS = 48
NOISE_BANDS = 12
NOISE_PATTERNS = 2  # random waveforms per noise band and step
FEWEST_PULSES, MOST_PULSES = 3, 10  # per token: 75 .. 250 Hz
FFT = 1024
FLOOR = 1e-5  # of a band's amplitude
_LOWEST_HZ, _HIGHEST_HZ = 65.0, 320.0
_UNVOICED_HZ = 200.0  # sets the window where there is no pitch
_PITCH_WINDOW = 640
_VOICED = 0.55  # normalised autocorrelation
_SILENT = 1e-3  # rms
_SMOOTHING = 0.09  # what the lifter gives back of what smoothing took
_DELAY_S = 0.0015  # of the lowest frequencies in a pulse: it rings instead of clicking

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Speech:
    """An utterance taken apart.

    Attributes:
        bands: float32 [4T, 48], log amplitude of white sound per band, every 10 ms.
        voiced: bool [4T].
        pulses: int64 [T], pulses in each token.
    """

    bands: Floats
    voiced: NDArray[np.bool_]
    pulses: NDArray[np.int64]


def take_apart(samples: Floats, tokens: int) -> Speech:
    """Bands, voicing and pulses of speech.

    Args:
        samples: float32 [S] at 16 kHz.
        tokens: T, how many tokens of 640 samples.
    """
    steps = TOKEN_STEPS * tokens
    padded = np.pad(samples, (FFT // 2, FFT // 2 + max(0, steps * STEP - samples.size)))
    starts = np.arange(steps) * STEP + STEP // 2
    frames = padded[starts[:, None] + np.arange(FFT)]
    pitch = _pitch(frames)
    voiced = _steady(pitch > 0)
    filled = _filled(pitch)
    return Speech(
        bands=_bands(frames, np.where(voiced, filled, _UNVOICED_HZ)),
        voiced=voiced,
        pulses=pulses_of(np.median(filled.reshape(tokens, TOKEN_STEPS), axis=1)),
    )


def pulses_of(pitch: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many pulses a token of this pitch (Hz) holds."""
    return np.clip(np.rint(pitch / TOKENS_HZ), FEWEST_PULSES, MOST_PULSES).astype(np.int64)


def _pitch(frames: Floats) -> NDArray[np.float64]:
    """Pitch in Hz [F] by autocorrelation, 0 where there is none."""
    edge = (FFT - _PITCH_WINDOW) // 2
    cut = frames[:, edge : edge + _PITCH_WINDOW] * np.hanning(_PITCH_WINDOW)
    power = np.abs(np.fft.rfft(cut, 2 * FFT)) ** 2
    power[:, int(2500 / RATE * 2 * FFT) :] = 0  # pitch lives below
    correlation = np.fft.irfft(power)[:, : int(RATE / _LOWEST_HZ) + 2]
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(_PITCH_WINDOW), 2 * FFT)) ** 2)
    window = window[: correlation.shape[1]] / window[0]
    normal = correlation / np.maximum(correlation[:, :1], 1e-9) / window
    first = int(RATE / _HIGHEST_HZ)
    inner = normal[:, first:]
    peaks = np.zeros_like(inner, dtype=bool)
    peaks[:, 1:-1] = (inner[:, 1:-1] >= inner[:, :-2]) & (inner[:, 1:-1] > inner[:, 2:])
    heights = np.where(peaks, inner, 0)
    best = heights.max(axis=1)
    lag = (heights >= 0.88 * best[:, None]).argmax(axis=1) + first  # not two periods
    loud = np.sqrt(np.mean(cut**2, axis=1)) > _SILENT
    return np.where((best > _VOICED) & loud, RATE / lag, 0.0)


def _steady(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Majority of three neighbours."""
    wide = np.pad(flags.astype(int), 1, mode="edge")
    return np.asarray(wide[:-2] + wide[1:-1] + wide[2:] >= 2)


def _filled(pitch: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pitch drawn through where there is none, and smoothed."""
    known = np.flatnonzero(pitch)
    if known.size == 0:
        return np.full(pitch.shape, 4.0 * TOKENS_HZ)
    line = np.interp(np.arange(pitch.size), known, pitch[known])
    wide = np.pad(line, 3, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(wide, 7), axis=1)


def _bands(frames: Floats, pitch: NDArray[np.float64]) -> Floats:
    """Log amplitude per band [F, 48] with the harmonics smoothed away."""
    reach = 1.5 * RATE / pitch[:, None]
    place = np.arange(FFT) - FFT // 2
    window = np.where(np.abs(place) < reach, 0.5 + 0.5 * np.cos(np.pi * place / reach), 0)
    power = np.abs(np.fft.rfft(frames * window)) ** 2 / np.sum(window**2, axis=1, keepdims=True)
    log_power = np.log(_boxed(power, pitch) + FLOOR**2)
    cepstrum = np.fft.irfft(log_power)
    time = np.minimum(np.arange(FFT), FFT - np.arange(FFT)) / RATE
    turns = pitch[:, None] * time
    lifter = np.sinc(turns) * (1 + 2 * _SMOOTHING * (1 - np.cos(2 * np.pi * turns)))
    smooth = np.fft.rfft(cepstrum * lifter).real
    return (0.5 * smooth @ _to_bands()).astype(np.float32)


def _boxed(power: NDArray[np.float64], pitch: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over two thirds of the pitch around each bin."""
    bins = FFT // 2 + 1
    mirrored = np.concatenate([power[:, 32:0:-1], power, power[:, -2:-34:-1]], axis=1)
    total = np.pad(np.cumsum(mirrored, axis=1), ((0, 0), (1, 0)))
    half = pitch[:, None] / 3 * FFT / RATE
    middle = np.arange(bins) + 32.5

    def until(place: NDArray[np.float64]) -> NDArray[np.float64]:
        left = np.floor(place).astype(int)
        low = np.take_along_axis(total, left, 1)
        return np.asarray(low + (place - left) * (np.take_along_axis(total, left + 1, 1) - low))

    return np.asarray((until(middle + half) - until(middle - half)) / (2 * half))


def centres(count: int) -> NDArray[np.float64]:
    """Middle of each band (Hz), evenly spread on the mel scale up to half of RATE."""
    top = np.log1p(RATE / 2 / 700)
    return np.asarray(700 * np.expm1(top * (np.arange(count) + 0.5) / count))


def _triangles(count: int, hertz: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Shares of bands [count, frequencies] that sum to 1 at each frequency."""
    return np.stack([np.interp(hertz, centres(count), row) for row in np.eye(count)])


def _to_bands() -> NDArray[np.float64]:
    shares = _triangles(BANDS, np.fft.rfftfreq(FFT, 1 / RATE))
    return np.asarray((shares / shares.sum(axis=1, keepdims=True)).T)


def pulse_times(pulses: NDArray[np.int64]) -> NDArray[np.float64]:
    """When the pulses come, in seconds; each token begins with one."""
    places = [token + np.arange(count) / count for token, count in enumerate(pulses)]
    return np.concatenate(places) / TOKENS_HZ


def voice_of(bands: Floats, voiced: NDArray[np.bool_], pulses: NDArray[np.int64]) -> Floats:
    """The voiced part of speech.

    Args:
        bands: float32 [4T, 48], log amplitudes.
        voiced: bool [4T].
        pulses: int64 [T].

    Returns:
        float32 [1280 T] at 32 kHz.
    """
    times = pulse_times(pulses)
    step = times * RATE / STEP - 0.5
    left = np.clip(np.floor(step).astype(int), 0, len(bands) - 1)
    right = np.minimum(left + 1, len(bands) - 1)
    nearest = np.clip(np.rint(step).astype(int), 0, len(bands) - 1)
    kept = voiced[nearest]
    share = np.clip(step - left, 0, 1)[:, None]
    log_amplitude = (1 - share) * bands[left] + share * bands[right]
    period = OUTPUT_HZ / TOKENS_HZ / np.repeat(pulses, pulses)
    hertz = np.fft.rfftfreq(FFT, 1 / OUTPUT_HZ)
    amplitude = np.exp(log_amplitude[kept] @ _triangles(BANDS, hertz)) * _audible(hertz)
    start = np.floor(times[kept] * OUTPUT_HZ).astype(int)
    late = times[kept] * OUTPUT_HZ - start
    turn = np.exp(-2j * np.pi * hertz * late[:, None] / OUTPUT_HZ) * _ringing(hertz)
    # white sound at 16 kHz has half the density at 32 kHz: a pulse of twice the energy
    shapes = np.fft.irfft(amplitude * turn) * np.sqrt(2 * period[kept])[:, None]
    shapes = np.roll(shapes, FFT // 4, axis=1)
    out = np.zeros(len(pulses) * OUTPUT_HZ // TOKENS_HZ + 2 * FFT)
    for first, shape in zip(start + FFT - FFT // 4, shapes, strict=True):
        out[first : first + FFT] += shape
    return out[FFT:-FFT].astype(np.float32)


def _audible(hertz: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Fades out towards half of RATE."""
    return np.asarray(np.clip((RATE / 2 - hertz) / 500, 0, 1))


def _ringing(hertz: NDArray[np.floating[Any]]) -> NDArray[np.complex128]:
    """Turns low frequencies later than high ones."""
    delay = _DELAY_S * np.exp(-hertz / 1500)
    return np.asarray(np.exp(-2j * np.pi * np.cumsum(delay) * (hertz[1] - hertz[0])))


def noise_patterns() -> Floats:
    """The waveforms that noise is made of.

    Returns:
        float32 [2 steps, 12 bands, 2 patterns, 960] at 32 kHz; the first 20 ms of a latent frame
        and 10 ms more, beginning 160 samples before the frame.
    """
    generator = np.random.default_rng(7)
    length, step = 640, OUTPUT_HZ * STEP // RATE
    hertz = np.fft.rfftfreq(length, 1 / OUTPUT_HZ)
    shares = np.sqrt(_triangles(NOISE_BANDS, hertz)) * _audible(hertz)
    white = generator.standard_normal((2, NOISE_BANDS, NOISE_PATTERNS, length))
    banded = np.fft.irfft(np.fft.rfft(white) * shares[:, None], length)
    window = np.sin(np.pi * (np.arange(length) + 0.5) / length)
    out = np.zeros((2, NOISE_BANDS, NOISE_PATTERNS, length + step), np.float32)
    for half in range(2):
        out[half, :, :, half * step : half * step + length] = banded[half] * window
    # white sound at 16 kHz has half the density at 32 kHz
    return out * np.float32(np.sqrt(2 / NOISE_PATTERNS))


def noise_of(amounts: Floats, patterns: Floats) -> Floats:
    """The unvoiced part of speech.

    Args:
        amounts: float32 [N, 2, 12, 2], how much of each pattern in each latent frame.
        patterns: from `noise_patterns`.

    Returns:
        float32 [640 N] at 32 kHz.
    """
    frame = 640
    flat = amounts.reshape(len(amounts), -1) @ patterns.reshape(-1, patterns.shape[-1])
    out = np.zeros((len(amounts) + 2) * frame, np.float32)
    rows = out[frame - 160 :]
    for number, shape in enumerate(flat):
        rows[number * frame : number * frame + shape.size] += shape
    return out[frame:-frame]


def noise_bands() -> NDArray[np.float64]:
    """From log amplitude in 48 bands to that in 12: [48, 12]."""
    shares = _triangles(NOISE_BANDS, centres(BANDS))
    return np.asarray((shares / shares.sum(axis=1, keepdims=True)).T)
