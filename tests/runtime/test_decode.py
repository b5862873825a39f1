"""The runtime's decode loop against the reference's own tokens, and its limits."""

from dataclasses import replace

import numpy as np
import pytest

from runtime.errors import SettingError
from runtime.pool import Pool
from runtime.t2s.cache import CAPACITIES
from runtime.t2s.request import Chooser, Finish, Limits, Prompt, sampled
from runtime.t2s.sampler import Sampling
from tests.goldens import Case, t2s_cases
from tests.t2s_models import t2s_decoder

SINGLE = t2s_cases("single")


def ones(_step: int, count: int) -> np.ndarray:
    return np.ones(count, np.float32)


def prompt_of(case: Case, row: str = "") -> Prompt:
    return Prompt(case[f"{row}phoneme_ids"][0], case[f"{row}bert_feature"][0], case["prompts"][0])


def greedy(penalty: float) -> Chooser:
    return sampled(Sampling(top_k=1, repetition_penalty=penalty), ones)


@pytest.mark.golden
@pytest.mark.parametrize("case", SINGLE, ids=str)
def test_greedy_tokens_and_endings_equal_the_reference(case: Case) -> None:
    decoder = t2s_decoder(case.model)
    for name, facts in case.facts["info"]["greedy"].items():
        finish = Finish()
        limits = Limits(early_stop_tokens=facts["early_stop_num"])
        got = list(
            decoder.tokens(prompt_of(case), greedy(facts["repetition_penalty"]), limits, finish)
        )
        assert got == case[f"greedy_{name}_tokens"].tolist(), name
        assert finish.reason == facts["ended_by"].replace("cap1500", "cap")


@pytest.mark.golden
@pytest.mark.parametrize("case", SINGLE, ids=str)
def test_sampled_tokens_equal_the_reference(case: Case) -> None:
    decoder = t2s_decoder(case.model)
    for name, facts in case.facts["info"]["sampled"].items():
        noise = case[f"sampled_{name}_noise"]
        sampling = Sampling(
            facts["top_k"], facts["top_p"], facts["temperature"], facts["repetition_penalty"]
        )
        limits = Limits(early_stop_tokens=facts["early_stop_num"])
        chooser = sampled(sampling, lambda step, count, noise=noise: noise[step, :count])
        got = decoder.tokens(prompt_of(case), chooser, limits, Finish())
        assert list(got) == case[f"sampled_{name}_tokens"].tolist(), name


@pytest.mark.golden
@pytest.mark.parametrize("case", t2s_cases("batch"), ids=str)
def test_each_row_of_a_batch_equals_the_reference(case: Case) -> None:
    decoder, facts = t2s_decoder(case.model), case.facts["info"]
    limits = Limits(early_stop_tokens=facts["early_stop_num"])
    for row in range(len(facts["rows"])):
        prompt = prompt_of(case, f"row{row}_")
        got = list(decoder.tokens(prompt, greedy(facts["repetition_penalty"]), limits, Finish()))
        assert got == case[f"row{row}_tokens_alone"].tolist()


@pytest.fixture(scope="module")
def case() -> Case:
    return next(case for case in SINGLE if case["prompts"].size)


@pytest.mark.golden
def test_the_cache_grows_without_changing_the_tokens(case: Case) -> None:
    chooser, limits = greedy(1.0), Limits(early_stop_tokens=600)
    prompt = prompt_of(case)
    decoder = t2s_decoder(case.model)
    first = list(decoder.tokens(prompt, chooser, limits, Finish()))
    assert prompt.rows + len(first) > CAPACITIES[0], "never grew"
    # the grown state is kept for the next utterance, which therefore does not grow
    assert list(decoder.tokens(prompt, chooser, limits, Finish())) == first


@pytest.mark.golden
@pytest.mark.parametrize(
    ("most", "max_len", "capacity"),
    [(100, 2048, 512), (600, 2048, 1024), (1400, 2048, 2048), (600, 700, 700), (1, 4096, 512)],
)
def test_the_first_cache_is_the_smallest_that_holds_prompt_and_forecast(
    case: Case, most: int, max_len: int, capacity: int
) -> None:
    decoder = t2s_decoder(case.model)
    decoder._idle = Pool()
    prompt = replace(prompt_of(case), most_tokens=most)
    limits = Limits(early_stop_tokens=11, max_len=max_len)
    assert list(decoder.tokens(prompt, greedy(1.35), limits, Finish()))
    assert decoder._idle.idle_bytes == capacity * decoder.cache_shape.row_bytes


@pytest.mark.golden
def test_room_is_what_every_limit_leaves(case: Case) -> None:
    prompt = prompt_of(case)
    assert Limits(max_len=prompt.rows + 5).room(prompt) == 5
    assert Limits(early_stop_tokens=20).room(prompt) == 21
    assert Limits(max_len=4096).room(prompt) == 1500
    assert Limits(max_len=4096, pace_tokens=100).room(prompt) == 100


@pytest.mark.golden
def test_max_len_ends_an_utterance_and_says_so(case: Case) -> None:
    decoder, prompt, finish = t2s_decoder(case.model), prompt_of(case), Finish()
    limits = Limits(max_len=prompt.rows + 5)
    tokens = list(decoder.tokens(prompt, greedy(1.35), limits, finish))
    assert len(tokens) == 5
    assert finish.reason == "max_len"


@pytest.mark.golden
def test_a_prompt_that_fills_max_len_is_refused(case: Case) -> None:
    prompt = prompt_of(case)
    with pytest.raises(SettingError, match="leave no room in"):
        limits = Limits(max_len=prompt.rows)
        next(t2s_decoder(case.model).tokens(prompt, greedy(1.35), limits, Finish()))


@pytest.mark.golden
def test_more_tokens_than_the_text_explains_end_an_utterance(case: Case) -> None:
    decoder, prompt, finish = t2s_decoder(case.model), prompt_of(case), Finish()
    limits = Limits(pace_tokens=7)
    assert len(list(decoder.tokens(prompt, greedy(1.35), limits, finish))) == 7
    assert (finish.reason, finish.truncated) == ("pace", True)
