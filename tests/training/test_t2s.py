"""Training: it ends where it should, goes on where it stopped, and writes a file of the format."""

from pathlib import Path

import numpy as np
import torch

from runtime.t2s.sampler import Sampling
from tests.training.test_t2s_examples import spoken
from training import t2s
from training.labels import LABELS
from training.state import resume
from training.t2s import Plan, Training, configuration, misheard, train
from training.t2s_examples import joined
from training.t2s_heard import Decoded, compared, evaluated, runs, summary
from training.t2s_network import batch
from workflow_scripts.checkpoint.read import read

TINY = configuration(hidden=16, heads=2, layers=2)
SPOKEN = {"one": [spoken(10 + number, 76 + number) for number in range(4)]}


def trained(steps: int, state: Path) -> Training:
    made = Training(TINY, Plan(steps=steps, warm_up=2, rows=400, seed=3))
    made.step = resume(state, made.parts)
    train(made, SPOKEN, state)
    return made


def test_training_goes_on_where_it_stopped(tmp_path: Path) -> None:
    assert trained(2, tmp_path / "state.pt").step == 2
    first = torch.load(tmp_path / "state.pt", weights_only=True)["network"]
    again = trained(3, tmp_path / "state.pt")
    assert again.step == 3
    last = "ar_predict_layer.weight"
    moved = again.network.state_dict()[last]
    assert not torch.equal(moved, first[last])
    assert torch.allclose(moved, first[last], atol=0.01)


def test_the_rate_rises_and_falls() -> None:
    made = Training(TINY, Plan(steps=100, warm_up=10, rate=1.0))
    rates = []
    for made.step in (0, 9, 10, 55, 100, 1000):
        rates.append(round(made.rate(), 3))
    assert rates == [0.1, 1.0, 1.0, 0.51, 0.02, 0.02]


def test_the_file_is_one_of_the_format_and_sharper_logits_are_larger(tmp_path: Path) -> None:
    made = Training(TINY, Plan())
    t2s.write(made, tmp_path / "voice.ckpt", sharpness=2.0)
    stored = read(tmp_path / "voice.ckpt", "t2s")
    assert {row.dtype for row in stored.weights.values()} == {torch.float16}
    last = "model.ar_predict_layer.weight"
    assert torch.allclose(stored.weights[last].float(), 2 * made.weights()[last].float(), rtol=1e-2)


def test_some_tokens_are_misheard_and_targets_stay() -> None:
    seen = batch([joined(SPOKEN["one"], 4)], LABELS + 1)
    other = misheard(seen, np.random.default_rng(0))
    changed = (other.tokens != seen.tokens).float().mean()
    assert 0.01 < changed < 0.2
    assert torch.equal(other.targets, seen.targets)


def test_an_untrained_model_loses_phones_and_is_told_so() -> None:
    found_all = evaluated(Training(TINY, Plan()).model(), SPOKEN, 4, 2, Sampling())
    found = summary(found_all)
    assert found["utterances"] == 2
    assert found["phone_error"] > 0.5


def test_phones_are_counted_whatever_their_length_and_voicing() -> None:
    said, due = np.array([2, 3, 3, 6, 6]), np.array([2, 4, 5, 7])
    assert runs(said) == [1, 3]
    assert compared(said, due, ended=True) == Decoded(True, 4, 5, 3, 1)
