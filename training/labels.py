"""For each 25 Hz token its phone and whether it is voiced: phone * 2 + voiced.

Writes WORK/labels: `{speaker}.npz` with int16 [T] per sentence id. Labels are provisional tokens,
and the classes that the SSL network learns.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from runtime.arrays import Float32, Samples
from runtime.cli import option, run
from training.corpus import PHONES, RATE_HZ, SPEAKERS, SPLITS, Utterance, utterances
from workflow_scripts.files import atomic

Labels = NDArray[np.int16]
Hertz = NDArray[np.float64]

VOICINGS = 2  # unvoiced, voiced
LABELS = len(PHONES) * VOICINGS
HOP, FIELD = 320, 400  # samples between ssl frames, and covered by one
TOKEN = 2 * HOP
CENTRE = (HOP + FIELD) // 2  # of what the two frames of token 0 hear
LAGS = range(24, 124)  # samples at 8 kHz that a period may last: 65 to 333 Hz
WINDOW, FFT = 320, 512  # samples at 8 kHz: compared with themselves a lag later; of a spectrum
STEP = 160  # samples at 8 kHz between pitch estimates
SMOOTHED = 3  # estimates, of which the median counts
VOICED = 0.55  # of a perfect repeat
QUIETEST = 1e-5  # mean square


def tokens_in(samples: int) -> int:
    """Tokens that the pipeline makes of so many samples at 16 kHz."""
    return ((samples - FIELD) // HOP + 1) // 2


def centres(tokens: int) -> NDArray[np.int64]:
    """The sample in the middle of what each token covers, int64 [tokens]."""
    return CENTRE + TOKEN * np.arange(tokens)


def phones_at(phones: Sequence[tuple[str, float]], tokens: int) -> NDArray[np.int64]:
    """Which phone each token's middle lies in, int64 [tokens]; silence behind the last end."""
    ends = np.array([end for _, end in phones])
    ids = np.array([PHONES.index(name) for name, _ in phones] + [0])
    return np.asarray(ids[np.searchsorted(ends, centres(tokens) / RATE_HZ, side="right")])


def pitch_at(samples: Samples, tokens: int) -> Hertz:
    """Pitch (Hz) at each token's middle, 0 where there is no voice, float64 [tokens].

    Args:
        samples: float32 [S] at 16 kHz.
        tokens: how many.
    """
    halved = np.pad(samples, (0, samples.size % 2)).reshape(-1, 2).mean(axis=1)
    span, around = WINDOW + LAGS.stop, SMOOTHED // 2
    first = CENTRE // 2 - around * STEP - span // 2  # sample that the first estimate begins at
    count = TOKEN // 2 // STEP * (tokens - 1) + SMOOTHED
    missing = first + (count - 1) * STEP + span - halved.size
    padded = np.pad(halved, (-first, max(0, missing)))
    estimates = _pitch(sliding_window_view(padded, span)[::STEP][:count])
    smooth = np.median(sliding_window_view(estimates, SMOOTHED), axis=1)
    return np.asarray(smooth[:: TOKEN // 2 // STEP])


def _pitch(frames: Float32) -> Hertz:
    """Pitch of each frame, float64 [count], by the first lag that repeats nearly best."""
    head = frames[:, :WINDOW] - frames[:, :WINDOW].mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(head, FFT).conj() * np.fft.rfft(frames, FFT)
    products = np.fft.irfft(spectrum, FFT)[:, : LAGS.stop + 1]
    sums = np.cumsum(np.pad(frames**2, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
    energy = sums[:, WINDOW:] - sums[:, :-WINDOW]
    alike = products / np.sqrt(energy[:, :1] * energy + 1e-9)
    best = alike[:, LAGS.start : LAGS.stop].max(axis=1)
    lags = np.arange(LAGS.stop)
    near = (alike[:, :-1] > 0.92 * best[:, None]) & (lags >= LAGS.start)
    first = near.argmax(axis=1)[:, None]  # a shorter lag wins over its multiples
    beside = (lags >= first) & (lags < 1.2 * first)
    peak = np.where(beside, alike[:, :-1], -1).argmax(axis=1)
    rows = np.arange(len(frames))
    left, top, right = (alike[rows, peak + step] for step in (-1, 0, 1))
    bend = np.minimum(left + right - 2 * top, -1e-9)
    lag = peak + np.clip((left - right) / (2 * bend), -0.5, 0.5)  # of the parabola's top
    voiced = (best > VOICED) & (energy[:, 0] / WINDOW > QUIETEST)
    return np.where(voiced, RATE_HZ / 2 / np.maximum(lag, 1), 0.0)


def label(utterance: Utterance, pitch: Hertz) -> Labels:
    """Labels of one utterance, int16 [T].

    Args:
        utterance: with its phones.
        pitch: float64 [T], from `pitch_at`.
    """
    phones = phones_at(utterance.phones, pitch.size)
    return (phones * VOICINGS + (pitch > 0)).astype(np.int16)


def write_arrays(path: Path, arrays: Mapping[int, NDArray[np.int16]]) -> None:
    """Write one array per sentence id."""
    named: dict[str, Any] = {str(key): array for key, array in arrays.items()}
    with atomic(path) as (part,), part.open("wb") as file:
        np.savez_compressed(file, **named)


def read_arrays(path: Path) -> dict[int, NDArray[np.int16]]:
    """One array per sentence id."""
    with np.load(path) as stored:
        return {int(key): stored[key] for key in stored.files}


def write_labels(work: Path, speaker: str) -> None:
    """Label all that a speaker said."""
    labels = {}
    for one in (one for split in SPLITS for one in utterances(work, speaker, split)):
        samples = one.samples()
        labels[one.id] = label(one, pitch_at(samples, tokens_in(samples.size)))
    write_arrays(work / "labels" / f"{speaker}.npz", labels)


def main(argv: list[str] | None = None) -> None:
    """Label the corpus of every speaker."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    option(parser, "--work", type=Path, required=True, help="folder of the training")
    args = parser.parse_args(argv)
    for speaker in SPEAKERS:
        write_labels(args.work, speaker)
        sys.stderr.write(f"{speaker}: labelled\n")


if __name__ == "__main__":
    run(main)
