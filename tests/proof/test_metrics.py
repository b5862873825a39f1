"""Every metric of the table: perfect on equals, worse with distance, never infinite."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.proof import metrics
from workflow_scripts.proof.metrics import METRICS, Metric

PERFECT = {
    "max_abs": 0.0,
    "relative_rms": 0.0,
    "snr_db": 200.0,
    "top1_agreement": 1.0,
    "kl": 0.0,
    "token_equality": 1.0,
    "log_mel_distance": 0.0,
    "seam_error": 0.0,
    "lost_samples": 0.0,
}


def wanted(metric: Metric, *shape: int) -> np.ndarray:
    """Integers for a metric of integers, else floats like logits or loud sound."""
    rng = np.random.default_rng(0)
    if metric.integers:
        return rng.integers(0, 1024, shape)
    return rng.normal(size=shape).astype(np.float32)


def spoilt(array: np.ndarray, by: float) -> np.ndarray:
    """Each value moved, by more if `by` is more; of integers, a share of `by` / 10."""
    rng = np.random.default_rng(1)
    if np.issubdtype(array.dtype, np.integer):
        return np.where(rng.uniform(size=array.shape) < by / 10, array + 1, array)
    return array + np.float32(by) * rng.normal(size=array.shape).astype(np.float32)


def shortened(array: np.ndarray, by: float) -> np.ndarray:
    """Less at the end the more `by` is."""
    return array[: len(array) - int(by * 5)]


def test_every_metric_has_its_perfect_value_here() -> None:
    assert set(PERFECT) == set(METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_equal_arrays_are_perfect(name: str) -> None:
    array = wanted(METRICS[name], 50, 40)
    assert METRICS[name].measure(array, array) == PERFECT[name]


@pytest.mark.parametrize("name", METRICS)
def test_more_distance_is_worse(name: str) -> None:
    metric = METRICS[name]
    array = wanted(metric, 50, 40)
    spoil = shortened if name == "lost_samples" else spoilt
    values = [metric.measure(spoil(array, by), array) for by in (0.1, 1.0, 9.0)]
    worse = values if metric.better == "lower" else values[::-1]
    assert worse == sorted(worse)
    assert len(set(values)) == 3
    assert metric.note


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("shape", [(1, 0), (1, 1), (1, 640)])
def test_silent_short_and_empty_answers_give_numbers(name: str, shape: tuple[int, ...]) -> None:
    metric = METRICS[name]
    zeros = wanted(metric, *shape) * 0
    if zeros.size or metric.outputs != metrics.LOGITS:
        assert metric.measure(zeros, zeros) == PERFECT[name]
        assert math.isfinite(metric.measure(zeros + 1, zeros))


@given(decibels=st.integers(0, 120))
def test_snr_is_the_ratio_of_powers(decibels: int) -> None:
    clean = np.ones(8, np.float32).astype(np.float64)
    noisy = clean + 10 ** (-decibels / 20)
    assert metrics.snr_db(noisy, clean) == pytest.approx(decibels, abs=1e-6)


def test_kl_is_that_of_the_distributions_not_of_the_logits() -> None:
    logits = np.array([[1.0, 2.0, 3.0]])
    assert metrics.kl(logits + 100, logits) == pytest.approx(0, abs=1e-12)
    even = np.zeros((1, 2))
    uneven = np.log(np.array([[0.25, 0.75]]))
    expected = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    assert metrics.kl(uneven, even) == pytest.approx(expected)


def test_log_mel_distance_hears_a_filter_and_a_gain_in_decibels() -> None:
    noise = wanted(METRICS["log_mel_distance"], 1, 32_000)
    assert metrics.log_mel_distance(noise * 2, noise) == pytest.approx(6.02, abs=0.01)
    assert metrics.log_mel_distance(-noise, noise) == pytest.approx(0, abs=1e-6)


def test_a_metric_is_taken_of_its_kind_of_output_only() -> None:
    floats, integers = np.zeros((1, 2), np.float32), np.zeros((1, 2), np.int64)
    fitting = {
        (output, array.dtype.kind): {n for n, m in METRICS.items() if m.fits(output, array)}
        for output, array in [
            ("logits", floats), ("audio", floats), ("style", floats), ("tokens", integers),
        ]
    }  # fmt: skip
    common = {"max_abs", "relative_rms", "snr_db"}
    assert fitting == {
        ("logits", "f"): common | {"top1_agreement", "kl"},
        ("audio", "f"): common | {"log_mel_distance"},
        ("style", "f"): common,
        ("tokens", "i"): {"token_equality"},
    }


def test_cases_are_put_together_by_the_worst_or_by_the_mean() -> None:
    assert METRICS["max_abs"].together([1.0, 3.0]) == 3.0
    assert METRICS["snr_db"].together([30.0, 50.0]) == 30.0
    assert METRICS["top1_agreement"].together([1.0, 0.0, 1.0, 1.0]) == 0.75
