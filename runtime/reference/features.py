"""Turn sound into what the graphs encode: spectrogram, ssl audio, filter bank.

Knows nothing of graphs and files. All arithmetic in float64, results in float32: the small
constants that keep roots and logarithms in range are lost in half precision.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from runtime.arrays import Float32, Samples
from runtime.audio import Audio, resample_hq, resample_sinc
from runtime.errors import AudioError

OUTPUT_HZ = 32_000
SSL_HZ = 16_000
SHORTEST_SAMPLES = 48_000  # of a reference, at SSL_HZ: 3 s
LONGEST_SAMPLES = 160_000  # 10 s
TAIL_SAMPLES = 9_600  # the reference's 0.3 s of silence, counted at 32 kHz and used at 16 kHz
FFT = 2048
HOP = 640
BINS = FFT // 2 + 1
EDGE = (FFT - HOP) // 2
MEL_BINS = 80
BANK_FRAME = 400
BANK_HOP = 160
BANK_FFT = 512
EPSILON = 1.1920929e-07
QUIETEST = 1e-2  # of a mel band, where a full-scale tone has some hundreds: below, it is inaudible


def normalised_32k(audio: Audio) -> Samples:
    """The reference at 32 kHz, made quieter if it is over full scale.

    A peak above 1 is divided by itself, but by 2 at most: so does the reference, and a peak of 3
    stays at 1.5.

    Args:
        audio: of any rate.

    Returns:
        float32 [S] at 32 kHz.
    """
    samples = resample_sinc(audio.samples, audio.rate, OUTPUT_HZ)
    peak = np.abs(samples).max(initial=0)
    if peak > 1:
        return (samples / np.float32(min(2, peak))).astype(np.float32)
    return samples


def spectrogram(samples: Samples, bins: int = BINS) -> Float32:
    """Magnitudes that the style is taken from.

    Args:
        samples: float32 [S] at 32 kHz, from `normalised_32k`; more than 704.
        bins: how many bins the voice uses, from the lowest on (704 or 1025).

    Returns:
        float32 [1, bins, S // 640].

    Raises:
        AudioError: too short to be mirrored at its edges.

    Source: golden `sovits/frontend.npz`.
    """
    return magnitudes(samples, FFT, HOP, OUTPUT_HZ)[:, :bins]


def magnitudes(samples: Samples, fft: int, hop: int, rate: int) -> Float32:
    """A spectrogram without centring, mirrored at the edges.

    Args:
        samples: float32 [S]; more than (fft - hop) / 2.
        fft: samples of a spectrum and of its window (periodic Hann).
        hop: samples from one frame to the next.
        rate: of the samples (Hz), for the error line.

    Returns:
        float32 [1, fft // 2 + 1, S // hop].

    Raises:
        AudioError: too short to be mirrored at its edges.
    """
    edge = (fft - hop) // 2
    if samples.size <= edge:
        raise AudioError(
            f"reference audio: {samples.size} samples at {rate // 1000} kHz; give more than {edge}"
        )
    padded = np.pad(samples.astype(np.float64), edge, mode="reflect")
    frames = sliding_window_view(padded, fft)[::hop]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(fft) / fft)
    spectrum = np.fft.rfft(frames * window)
    magnitude = np.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-8)
    return np.ascontiguousarray(magnitude.T[None], np.float32)


def ssl_audio(audio: Audio, tail_samples: int = TAIL_SAMPLES) -> Float32:
    """What HuBERT encodes of the reference: 16 kHz, as loud as it is, with silence behind it.

    Args:
        audio: of any rate, 3 to 10 s long.
        tail_samples: zeros appended; they change how many prompt tokens there are.

    Returns:
        float32 [1, S].

    Raises:
        AudioError: shorter than 3 s or longer than 10 s.

    Source: golden `sovits/frontend.npz`.
    """
    samples = resample_hq(audio.samples, audio.rate, SSL_HZ)
    if not SHORTEST_SAMPLES <= samples.size <= LONGEST_SAMPLES:
        raise AudioError(f"{audio.source}: {samples.size / SSL_HZ:.6g} s long; give 3 to 10 s")
    return np.pad(samples, (0, tail_samples))[None]


def speaker_audio(samples: Samples) -> Samples:
    """What the speaker network encodes: the normalised reference at 16 kHz, without a tail.

    Args:
        samples: float32 [S] at 32 kHz, from `normalised_32k`.

    Returns:
        float32 [ceil(S / 2)] at 16 kHz.
    """
    return resample_sinc(samples, OUTPUT_HZ, SSL_HZ)


def filter_bank(samples: Samples) -> Float32:
    """Log mel energies in Kaldi's manner: no dither, no energy, no mean subtraction.

    Args:
        samples: float32 [S] at 16 kHz, in -1..1; at least 400.

    Returns:
        float32 [M, 80], M = 1 + (S - 400) // 160.

    Raises:
        AudioError: shorter than one frame.

    Source: golden `sovits/frontend.npz`.
    """
    if samples.size < BANK_FRAME:
        raise AudioError(
            f"reference audio: {samples.size} samples at 16 kHz; give at least {BANK_FRAME}"
        )
    frames = sliding_window_view(samples.astype(np.float64), BANK_FRAME)[::BANK_HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(BANK_FRAME) / (BANK_FRAME - 1))
    spectrum = np.fft.rfft((frames - 0.97 * before) * hann**0.85, BANK_FFT)[:, :-1]
    energy = (spectrum.real**2 + spectrum.imag**2) @ mel_filters().T
    return np.log(np.maximum(energy, EPSILON)).astype(np.float32)


def log_mel_db(samples: Samples) -> NDArray[np.float64]:
    """What distances between sounds are taken of: log-mel spectrum, float64 [80, frames], in dB.

    Args:
        samples: float32 [S] at 32 kHz; short ones get zeros behind.
    """
    padded = np.pad(samples, (0, max(0, FFT - samples.size)))
    magnitudes = spectrogram(padded, FFT // 2)[0]
    bands = mel_filters(MEL_BINS, OUTPUT_HZ, FFT) @ magnitudes
    return np.asarray(20 * np.log10(np.maximum(bands, QUIETEST)))


def mel_filters(
    bins: int = MEL_BINS, rate: int = SSL_HZ, fft: int = BANK_FFT
) -> NDArray[np.float64]:
    """Triangles on the mel scale from 20 Hz to half the rate.

    Args:
        bins: how many.
        rate: of the samples (Hz).
        fft: samples per spectrum.

    Returns:
        float64 [bins, fft // 2]; the last bin of a spectrum is not used.
    """
    low, high = _mel(np.array([20.0, rate / 2]))
    step = (high - low) / (bins + 1)
    left = low + step * np.arange(bins)[:, None]
    mel = _mel(np.arange(fft // 2) * rate / fft)
    return np.asarray(np.minimum(mel - left, left + 2 * step - mel) / step).clip(min=0)


def _mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1127 * np.log(1 + hertz / 700)
