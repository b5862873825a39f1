"""The distances that are reported, and that bars are set for. To add one is a function and a row.

A function takes what was found and what was wanted (arrays of one shape) and gives a number; it
knows nothing of graphs and bars.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.variants.distance import TINY, relative_rms

Array = NDArray[Any]

SNR_OF_EQUALS_DB = 200.0  # of equal arrays: a number that JSON has


@dataclass(frozen=True)
class Metric:
    """One kind of distance.

    Attributes:
        measure: found, wanted -> number.
        unit: of the number; empty if it has none.
        better: which direction is nearer to PyTorch.
        note: a sentence for reports and docs.
        outputs: names of outputs that it is for; None for all of its kind.
        integers: whether it is for integers, not for floats.
        over_cases: how cases are put together: the worst, or the mean of yes-or-no metrics.
    """

    measure: Callable[[Array, Array], float]
    unit: str
    better: Literal["lower", "higher"]
    note: str
    outputs: frozenset[str] | None = None
    integers: bool = False
    over_cases: Literal["worst", "mean"] = "worst"

    def fits(self, output: str, wanted: Array) -> bool:
        """Whether it can be taken of this output."""
        of_kind = np.issubdtype(wanted.dtype, np.integer) == self.integers
        return of_kind and (self.outputs is None or output in self.outputs)

    def together(self, values: list[float]) -> float:
        """One number for several cases or layers."""
        if self.over_cases == "mean":
            return sum(values) / len(values)
        return max(values) if self.better == "lower" else min(values)


def max_abs(found: Array, wanted: Array) -> float:
    """Largest absolute difference."""
    return float(np.abs(_difference(found, wanted)).max(initial=0))


def snr_db(found: Array, wanted: Array) -> float:
    """Power of what was wanted over power of the difference, in decibels."""
    if not wanted.size:
        return SNR_OF_EQUALS_DB
    noise = _power(_difference(found, wanted))
    if noise == 0:
        return SNR_OF_EQUALS_DB
    return float(min(10 * np.log10(max(_power(wanted), TINY**2) / noise), SNR_OF_EQUALS_DB))


def top1_agreement(found: Array, wanted: Array) -> float:
    """Share of rows whose largest logit is at the same place."""
    return _share(found.argmax(-1) == wanted.argmax(-1))


def kl(found: Array, wanted: Array) -> float:
    """Mean Kullback-Leibler divergence of the rows' distributions from the wanted ones, in nats."""
    here, there = _log_softmax(found), _log_softmax(wanted)
    return float(max(np.mean((np.exp(there) * (there - here)).sum(-1)), 0.0))


def token_equality(found: Array, wanted: Array) -> float:
    """Share of equal integers."""
    return _share(found == wanted)


def log_mel_distance(found: Array, wanted: Array) -> float:
    """Mean absolute difference of log-mel spectra, in decibels.

    Args:
        found: [..., S] at 32 kHz.
        wanted: of the same shape.
    """
    return float(np.mean(np.abs(_log_mel_db(found) - _log_mel_db(wanted))))


def lost_samples(found: Array, wanted: Array) -> float:
    """How many samples there are too few, or too many."""
    return float(abs(wanted.size - found.size))


def _difference(found: Array, wanted: Array) -> NDArray[np.float64]:
    return np.asarray(found, np.float64) - np.asarray(wanted, np.float64)


def _power(values: Array) -> float:
    return float(np.mean(np.square(values, dtype=np.float64)))


def _share(equal: NDArray[np.bool_]) -> float:
    return float(equal.mean()) if equal.size else 1.0


def _log_softmax(logits: Array) -> NDArray[np.float64]:
    shifted = np.asarray(logits - logits.max(-1, keepdims=True), np.float64)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))


def _log_mel_db(audio: Array) -> NDArray[np.float64]:
    """Log-mel spectrum of one mono signal, float64 [80, frames]."""
    from runtime.reference import (
        features,  # heavy, and the workflow reads this table when it is parsed
    )

    return features.log_mel_db(np.asarray(audio, np.float32).reshape(-1))


LOGITS = frozenset({"logits"})
AUDIO = frozenset({"audio"})
STREAM = frozenset({"stream"})  # of chunks, which no single graph puts out

METRICS: dict[str, Metric] = {
    "max_abs": Metric(max_abs, "", "lower", "largest absolute difference"),
    "relative_rms": Metric(relative_rms, "", "lower", "rms of the difference over rms"),
    "snr_db": Metric(snr_db, "dB", "higher", "power over power of the difference; 200 if equal"),
    "top1_agreement": Metric(
        top1_agreement, "", "higher", "share of steps with the same best token", LOGITS,
        over_cases="mean",
    ),
    "kl": Metric(kl, "nat", "lower", "divergence of the token distribution", LOGITS),
    "token_equality": Metric(
        token_equality, "", "higher", "share of equal tokens", integers=True
    ),
    "log_mel_distance": Metric(
        log_mel_distance, "dB", "lower", "mean difference of log-mel spectra", AUDIO
    ),
    "seam_error": Metric(
        max_abs, "", "lower", "largest difference of joined chunks from one vocoder call", STREAM
    ),
    "lost_samples": Metric(
        lost_samples, "samples", "lower", "difference in length from the whole decode", STREAM
    ),
}  # fmt: skip
