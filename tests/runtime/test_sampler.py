"""The sampler against the reference's own numbers, and its rules one by one."""

import numpy as np
import pytest

from runtime.errors import SettingError
from runtime.t2s.sampler import Sampling, draw, penalised, probabilities
from tests.goldens import Case, t2s_cases


def sampling_rows() -> list[tuple[Case, dict]]:
    return [(case, row) for case in t2s_cases("sampling") for row in case.facts["settings"]]


@pytest.mark.golden
@pytest.mark.parametrize(
    ("case", "row"), sampling_rows(), ids=lambda v: v.get("id", "") if isinstance(v, dict) else ""
)
def test_token_and_shares_equal_the_reference(case: Case, row: dict) -> None:
    name = row["id"]
    logits = case[f"{name}_logits"]
    used = np.zeros(logits.size, np.bool_)
    used[case[f"{name}_previous"]] = True
    scores = penalised(logits, used, row["repetition_penalty"])
    np.testing.assert_allclose(scores, case[f"{name}_penalised"], atol=1e-6)
    sampling = Sampling(
        row["top_k"],
        1.0 if row["top_p"] is None else row["top_p"],
        row["temperature"],
        row["repetition_penalty"],
    )
    shares = probabilities(scores, sampling)
    np.testing.assert_allclose(shares, case[f"{name}_probs"], atol=1e-6)
    assert draw(shares, case[f"{name}_noise"]) == int(case[f"{name}_token"])


def test_the_entry_that_crosses_top_p_goes() -> None:
    logits = np.log(np.array([0.5, 0.3, 0.2], np.float32))
    np.testing.assert_allclose(probabilities(logits, Sampling(None, 0.6)), [1, 0, 0])


def test_ties_with_the_kth_survive() -> None:
    shares = probabilities(np.array([2, 1, 1, 0], np.float32), Sampling(top_k=2))
    assert np.count_nonzero(shares) == 3


def test_a_used_token_is_penalised_once_whatever_its_sign() -> None:
    used = np.array([True, True, False])
    np.testing.assert_allclose(penalised(np.array([2, -2, 2], np.float32), used, 2.0), [1, -4, 2])


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"top_k": 0}, "top_k: 0 is not between 1 and 2147483647"),
        ({"top_p": -0.1}, "top_p: -0.1 is not between 0 and 1000"),
        ({"temperature": -1.0}, "temperature: -1.0"),
        ({"repetition_penalty": 0.0}, "repetition_penalty: 0.0 is not above 0, up to 1000"),
        ({"temperature": float("nan")}, "temperature: nan"),
    ],
)
def test_a_setting_out_of_range_is_refused(wrong: dict, line: str) -> None:
    with pytest.raises(SettingError, match=line):
        Sampling(**wrong)
