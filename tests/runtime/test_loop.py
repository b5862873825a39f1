"""Embedding and sampler in the graph: the same tokens as the reference, for the same noise."""

import numpy as np
import pytest

from runtime.backends.steps import DeviceSteps
from runtime.contract import BLOCK_TOKENS
from runtime.errors import GraphError, SettingError
from runtime.t2s.request import Finish, Limits, Prompt, forced_logits, sampled
from runtime.t2s.sampler import Sampling
from tests.goldens import Case, t2s_cases
from tests.loops import ATTENTIONS, ONE, STAND_IN, OrtLoop, loop_decoder, loop_file
from tests.runtime.test_decode import greedy, prompt_of
from tests.t2s_models import t2s_decoder

SINGLE = t2s_cases("single")
ROWS = 2048  # nothing in the goldens is longer


@pytest.mark.golden
@pytest.mark.parametrize("case", SINGLE, ids=str)
def test_greedy_tokens_and_endings_equal_the_reference(case: Case) -> None:
    decoder = loop_decoder(case.model, ROWS)
    for name, facts in case.facts["info"]["greedy"].items():
        finish = Finish()
        limits = Limits(early_stop_tokens=facts["early_stop_num"])
        got = decoder.tokens(prompt_of(case), greedy(facts["repetition_penalty"]), limits, finish)
        assert list(got) == case[f"greedy_{name}_tokens"].tolist(), name
        assert finish.reason == facts["ended_by"].replace("cap1500", "cap")


@pytest.mark.golden
@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("case", SINGLE, ids=str)
def test_sampled_tokens_equal_the_reference(case: Case, attention: str) -> None:
    decoder = loop_decoder(case.model, ROWS, attention)
    for name, facts in case.facts["info"]["sampled"].items():
        noise = case[f"sampled_{name}_noise"]
        sampling = Sampling(
            facts["top_k"], facts["top_p"], facts["temperature"], facts["repetition_penalty"]
        )

        def drawn(step: int, count: int, noise: np.ndarray = noise) -> np.ndarray:
            inside = step < len(noise)  # a block goes on behind the end
            return noise[step, :count] if inside else np.ones(count, np.float32)

        limits = Limits(early_stop_tokens=facts["early_stop_num"])
        got = decoder.tokens(prompt_of(case), sampled(sampling, drawn), limits, Finish())
        assert list(got) == case[f"sampled_{name}_tokens"].tolist(), name


@pytest.fixture(scope="module")
def case() -> Case:
    return next(case for case in SINGLE if case["prompts"].size)


SETTINGS = {
    "all kept": Sampling(None, 1.0, 1.0, 1.0),
    "nucleus": Sampling(None, 0.6, 0.8, 1.35),
    "both": Sampling(20, 0.9, 1.3, 1.1),
    "cold": Sampling(15, 1.0, 0.0, 1.0),
    "one": Sampling(1, 0.0, 1.0, 1.0),
}


@pytest.mark.golden
@pytest.mark.parametrize("sampling", SETTINGS.values(), ids=SETTINGS)
def test_every_setting_gives_the_tokens_of_the_host_s_sampler(
    case: Case, sampling: Sampling
) -> None:
    noise = np.random.default_rng(5).exponential(size=(400, 1025)).astype(np.float32)
    chooser = sampled(sampling, lambda step, count: noise[step, :count])
    limits = Limits(early_stop_tokens=300)
    wanted, got = (
        list(decoder.tokens(prompt_of(case), chooser, limits, Finish()))
        for decoder in (t2s_decoder(case.model), loop_decoder(case.model, ROWS))
    )
    assert got == wanted
    assert len(got) > BLOCK_TOKENS


@pytest.mark.golden
def test_a_chooser_of_one_s_own_sees_the_same_logits(case: Case) -> None:
    tokens = np.arange(40)
    wanted, got = (
        forced_logits(decoder, prompt_of(case), tokens, ROWS)
        for decoder in (t2s_decoder(case.model), loop_decoder(case.model, ROWS))
    )
    np.testing.assert_allclose(got, wanted, atol=1e-4)


@pytest.mark.golden
def test_the_cache_s_length_ends_an_utterance_and_says_so(case: Case) -> None:
    prompt, finish = prompt_of(case), Finish()
    decoder = loop_decoder(case.model, prompt.rows + 20)
    wanted = list(
        t2s_decoder(case.model).tokens(
            prompt, greedy(1.0), Limits(max_len=prompt.rows + 20), Finish()
        )
    )
    assert list(decoder.tokens(prompt, greedy(1.0), Limits(), finish)) == wanted
    assert (len(wanted), finish.reason) == (20, "max_len")
    with pytest.raises(SettingError, match="leave no room in"):
        next(decoder.tokens(prompt, greedy(1.35), Limits(max_len=prompt.rows), Finish()))


@pytest.mark.golden
def test_no_step_is_made_on_a_full_cache(case: Case) -> None:
    prompt = prompt_of(case)
    steps = begun(case, prompt, prompt.rows + 2)
    steps.step()
    steps.step()
    with pytest.raises(SettingError, match=rf"{prompt.rows + 3} rows do not fit into the"):
        steps.step()


def begun(case: Case, prompt: Prompt, rows: int) -> DeviceSteps:
    decoder = loop_decoder(case.model, rows)
    steps = OrtLoop(loop_file(case.model, rows), ONE, STAND_IN).steps()
    decoder._begin(steps, prompt, Sampling(), np.ones((BLOCK_TOKENS, 1025), np.float32))
    return steps


@pytest.mark.golden
def test_two_utterances_at_once_do_not_disturb_each_other(case: Case) -> None:
    decoder, limits = loop_decoder(case.model, ROWS), Limits(early_stop_tokens=60)
    chooser = greedy(1.35)
    alone = list(decoder.tokens(prompt_of(case), chooser, limits, Finish()))
    one, other = (decoder.tokens(prompt_of(case), chooser, limits, Finish()) for _ in range(2))
    assert list(zip(one, other, strict=True)) == list(zip(alone, alone, strict=True))


@pytest.mark.golden
def test_an_utterance_that_is_given_up_leaves_nothing_behind(case: Case) -> None:
    decoder, limits = loop_decoder(case.model, ROWS), Limits(early_stop_tokens=60)
    alone = list(decoder.tokens(prompt_of(case), greedy(1.35), limits, Finish()))
    begun = decoder.tokens(prompt_of(case), greedy(1.0), limits, Finish())
    next(begun)
    begun.close()
    assert list(decoder.tokens(prompt_of(case), greedy(1.35), limits, Finish())) == alone


@pytest.mark.golden
@pytest.mark.parametrize(
    "wrong", [np.zeros(1, np.float64), np.zeros(2, np.float32), np.zeros(1, np.int32)]
)
def test_an_input_of_another_kind_is_refused_not_reinterpreted(
    case: Case, wrong: np.ndarray
) -> None:
    buffers = OrtLoop(loop_file(case.model, ROWS), ONE, STAND_IN).steps().buffers
    with pytest.raises(GraphError, match=r"'top_p' is .*, the graph wants float32 \[1\]"):
        buffers.put("top_p", wrong)


class Captured:
    """Buffers whose CUDA graph goes wrong in a way that a test chooses."""

    def __init__(self, buffers: object, refuses: str = "", drifts: bool = False) -> None:
        self._buffers, self._refuses, self._drifts = buffers, refuses, drifts

    def __getattr__(self, name: str) -> object:
        return getattr(self._buffers, name)

    def capture(self) -> str:
        return self._refuses

    def replay(self, count: int) -> None:
        self._buffers.eager_steps(count)  # type: ignore[attr-defined]
        if self._drifts:
            self._buffers.put("used", np.ones((1, 1025), np.float32))  # type: ignore[attr-defined]


@pytest.mark.golden
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"refuses": "no memory"}, "no memory"),
        ({"drifts": True}, "a CUDA graph replay gives another used"),
        ({}, ""),
    ],
)
def test_a_cuda_graph_is_trusted_only_if_it_does_what_an_eager_step_does(
    case: Case, how: dict, reason: str
) -> None:
    prompt, given = prompt_of(case), (Sampling(), np.ones((BLOCK_TOKENS, 1025), np.float32))
    decoder = loop_decoder(case.model, 256)
    eager = begun(case, prompt, 256)
    tried = DeviceSteps(Captured(eager.buffers, **how))  # type: ignore[arg-type]
    assert tried.eager_because == reason
    decoder._begin(tried, prompt, *given)
    tried.step(5)
    found = tried.buffers.get("history").tolist()
    decoder._begin(eager, prompt, *given)
    for _ in range(5):
        eager.step()
    assert eager.buffers.get("history").tolist() == found
