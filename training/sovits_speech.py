"""Take speech apart into bands, and the waveforms that put it together again frame by frame.

Flite's voices are a filter behind pulses or noise. The same here, but every latent frame of 20 ms
holds the same whole number of pulses, so that the sound is a sum of fixed waveforms, each as loud
as a number that tokens determine: a vocoder learns it by plain regression. The price is a
monotone voice. Numpy only.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.reference.features import OUTPUT_HZ

RATE = 16_000  # of the recordings (Hz)
STEP = 160  # samples at RATE between bands: two bands' columns per latent frame
TOKEN_STEPS = 4
BANDS = 24
FRAME = 640  # samples at 32 kHz of a latent frame
FFT = 1024
LEAD = FRAME + FFT // 4  # samples of a pattern before its frame
PATTERN = 3 * FRAME + FFT
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
        bands: float32 [4T, 24], log amplitude of white sound per band, every 10 ms.
        voiced: bool [4T].
    """

    bands: Floats
    voiced: NDArray[np.bool_]


def middles(tokens: int) -> NDArray[np.int64]:
    """The sample at RATE in the middle of each step of 10 ms, int64 [4T]."""
    return np.arange(TOKEN_STEPS * tokens) * STEP + STEP // 2


def take_apart(samples: Floats, places: NDArray[np.int64]) -> Speech:
    """Bands and voicing of speech.

    Args:
        samples: float32 [S] at 16 kHz.
        places: int64 [4T], the sample to be covered by the middle of each step.
    """
    padded = np.pad(samples, (FFT // 2, FFT // 2 + max(0, int(places.max()) - samples.size)))
    frames = padded[places[:, None] + np.arange(FFT)]
    pitch = _pitch(frames)
    voiced = _steady(pitch > 0)
    return Speech(_bands(frames, np.where(voiced, _filled(pitch), _UNVOICED_HZ)), voiced)


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
        return np.full(pitch.shape, _UNVOICED_HZ)
    line = np.interp(np.arange(pitch.size), known, pitch[known])
    wide = np.pad(line, 3, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(wide, 7), axis=1)


def _bands(frames: Floats, pitch: NDArray[np.float64]) -> Floats:
    """Log amplitude per band [F, 24] with the harmonics smoothed away."""
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


def voice_patterns(pulses: int) -> Floats:
    """The waveforms that a voice is made of: pulses of one band, louder and quieter again.

    Args:
        pulses: in a latent frame of 20 ms.

    Returns:
        float32 [2 steps, 24 bands, PATTERN] at 32 kHz, beginning LEAD samples before the frame.
    """
    hertz = np.fft.rfftfreq(FFT, 1 / OUTPUT_HZ)
    spectra = _triangles(BANDS, hertz) * _audible(hertz) * _ringing(hertz)
    # white sound at 16 kHz has half the density at 32 kHz: a pulse of twice the energy
    shapes = np.roll(np.fft.irfft(spectra) * np.sqrt(2 * FRAME / pulses), FFT // 4, axis=1)
    out = np.zeros((2, BANDS, PATTERN), np.float32)
    for step, number in np.ndindex(2, 3 * pulses):
        place = round(number * FRAME / pulses)
        share = 1 - abs(place - FRAME - (step + 0.5) * FRAME / 2) / (FRAME / 2)
        if share > 0:
            out[step, :, place : place + FFT] += share * shapes
    return out


def _audible(hertz: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Fades out towards half of RATE."""
    return np.asarray(np.clip((RATE / 2 - hertz) / 500, 0, 1))


def _ringing(hertz: NDArray[np.floating[Any]]) -> NDArray[np.complex128]:
    """Turns low frequencies later than high ones."""
    delay = _DELAY_S * np.exp(-hertz / 1500)
    return np.asarray(np.exp(-2j * np.pi * np.cumsum(delay) * (hertz[1] - hertz[0])))


def noise_patterns() -> Floats:
    """The waveforms that noise is made of, the same in every frame.

    Returns:
        float32 [2 steps, 24 bands, PATTERN] at 32 kHz, placed as those of a voice.
    """
    generator = np.random.default_rng(7)
    length, step = FRAME, FRAME // 2
    hertz = np.fft.rfftfreq(length, 1 / OUTPUT_HZ)
    turns = generator.uniform(0, 2 * np.pi, (2, 1, hertz.size))
    # white sound at 16 kHz has half the density at 32 kHz
    spectra = np.sqrt(2 * length) * np.exp(1j * turns) * _triangles(BANDS, hertz) * _audible(hertz)
    window = np.sin(np.pi * (np.arange(length) + 0.5) / length)
    out = np.zeros((2, BANDS, PATTERN), np.float32)
    for half, shapes in enumerate(np.fft.irfft(spectra, length) * window):
        first = LEAD + half * step - step // 2
        out[half, :, first : first + length] = shapes
    return out
