"""The PyTorch T2S model against the reference's own numbers."""

import numpy as np
import pytest
import torch

from runtime.t2s.request import HARD_CAP_TOKENS, sampled
from runtime.t2s.sampler import Sampling
from tests.goldens import Case, t2s_cases
from tests.t2s_models import t2s_model
from workflow_scripts.models.t2s import T2S, KVCache, position_frequencies, position_rows

SINGLE = t2s_cases("single")


def prefilled(case: Case, model: T2S) -> tuple[torch.Tensor, torch.Tensor, KVCache]:
    cache = KVCache()
    rows, bias = model.embed(
        *(torch.from_numpy(case[name]) for name in ("phoneme_ids", "bert_feature", "prompts"))
    )
    logits, hidden = model.decode(rows, bias, cache)
    return logits, hidden, cache


def flat(rows: torch.Tensor) -> np.ndarray:
    """[1, H, K, A] as the reference stores it, [1, K, D]."""
    return rows.transpose(1, 2).flatten(2).numpy()


@pytest.mark.golden
@pytest.mark.parametrize("case", SINGLE, ids=str)
def test_prefill_equals_the_reference(case: Case) -> None:
    logits, hidden, cache = prefilled(case, t2s_model(case.model))
    np.testing.assert_allclose(logits.numpy(), case["prefill_logits"], atol=1e-4)
    np.testing.assert_allclose(hidden.numpy()[None], case["prefill_hidden"], atol=1e-4)
    for layer, name in ((0, "l0"), (-1, "last")):
        np.testing.assert_allclose(flat(cache.keys[layer]), case[f"prefill_k_{name}"], atol=1e-4)
        np.testing.assert_allclose(flat(cache.values[layer]), case[f"prefill_v_{name}"], atol=1e-4)


@pytest.mark.golden
@pytest.mark.parametrize("case", SINGLE, ids=str)
def test_forced_steps_equal_the_reference(case: Case) -> None:
    model = t2s_model(case.model)
    _, _, cache = prefilled(case, model)
    first, before = case["prompts"].shape[1], cache.keys[0].shape[2]
    for step, token in enumerate(case["forced_tokens"]):
        logits = model.step(int(token), first + step, cache)
        np.testing.assert_allclose(logits[0].numpy(), case["forced_logits"][step], atol=1e-4)
    for layer, name in ((0, "l0"), (-1, "last")):
        new = flat(cache.keys[layer])[:, before:]
        np.testing.assert_allclose(new, case[f"forced_k_{name}"], atol=1e-4)


@pytest.mark.golden
@pytest.mark.parametrize("case", SINGLE, ids=str)
def test_greedy_tokens_equal_the_reference(case: Case) -> None:
    model = t2s_model(case.model)
    for name, facts in case.facts["info"]["greedy"].items():
        if facts["steps"] > 200:
            continue  # the 1500-step run goes through the runtime, which is faster
        sampling = Sampling(top_k=1, repetition_penalty=facts["repetition_penalty"])
        choose = sampled(sampling, lambda _, count: np.ones(count, np.float32))
        logits, _, cache = prefilled(case, model)
        used = np.zeros(model.sizes.vocabulary, np.bool_)
        used[case["prompts"][0]] = True
        tokens: list[int] = []
        for step in range(HARD_CAP_TOKENS):
            token = choose(logits[0].numpy(), used, step)
            if token is None:
                break
            tokens.append(token)
            used[token] = True
            if len(tokens) > facts["early_stop_num"]:
                break
            logits = model.step(token, case["prompts"].shape[1] + step, cache)
        assert tokens == case[f"greedy_{name}_tokens"].tolist()


@pytest.mark.golden
@pytest.mark.parametrize("case", t2s_cases("pe"), ids=str)
def test_position_rows_equal_the_reference(case: Case) -> None:
    positions = torch.from_numpy(case["positions"])
    for name in [array["name"] for array in case.facts["arrays"] if array["name"] != "positions"]:
        width = int(name.removeprefix("pe_"))
        frequencies = position_frequencies(width)
        rows = position_rows(positions, frequencies).numpy()
        # the reference's `exp` is its CPU's: one bit of a frequency moves an angle by so much
        steps, at = frequencies.numpy(), case["positions"][:, None].astype(np.float32)
        bound = 1e-6 + at * np.spacing(steps) + np.spacing(at * steps)
        np.testing.assert_array_less(np.abs(rows - case[name]), np.repeat(bound, 2, axis=1))
