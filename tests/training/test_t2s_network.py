"""The network that is trained is the one that the pipeline reads, and its losses teach it."""

from dataclasses import replace

import numpy as np
import torch

from runtime.t2s.sampler import penalised as of_runtime
from tests.training.test_t2s_examples import spoken
from training.t2s_examples import joined
from training.t2s_losses import loss, penalised, used_before
from training.t2s_network import UNUSED, Network, batch
from workflow_scripts.checkpoint.layout import t2s_layout
from workflow_scripts.checkpoint.sizes import T2SSizes
from workflow_scripts.models.t2s import FEATURE_WIDTH, PREFIX, T2S, KVCache

SIZES = T2SSizes(hidden=16, heads=2, layers=2, vocabulary=1025, phone_rows=732, max_sec=54)
CONFIG = {
    "model": {
        "hidden_dim": 16, "embedding_dim": 16, "head": 2, "n_layer": 2, "vocab_size": 1025,
        "phoneme_vocab_size": 732, "EOS": 1024,
    },
    "data": {"max_sec": 54},
}  # fmt: skip
CODES = 100
SHORT, LONG = joined([spoken(3, 6)], 99), joined([spoken(4, 9), spoken(5, 11)], 99)


def network() -> Network:
    torch.manual_seed(0)
    return Network(SIZES, CODES, dropout=0.0)


def test_names_and_shapes_are_those_of_the_file_format() -> None:
    shapes = {PREFIX + name: tuple(row.shape) for name, row in network().stored().items()}
    assert shapes == t2s_layout(SIZES)


def test_logits_are_those_of_the_pipeline_for_each_example_of_a_padded_batch() -> None:
    trained = network()
    logits, _ = trained(batch([SHORT, LONG], CODES + 1))
    model = T2S({PREFIX + name: row for name, row in trained.stored().items()}, CONFIG)
    for number, example in enumerate((SHORT, LONG)):
        features = torch.zeros(1, FEATURE_WIDTH, example.phones.size)
        phones, tokens = torch.from_numpy(example.phones), torch.from_numpy(example.encoded)
        cache = KVCache()
        _, hidden = model.decode(*model.embed(phones[None], features, tokens[None]), cache)
        wanted = hidden[phones.numel() :] @ model.weights["ar_predict_layer.weight"].T
        unused = wanted[:, CODES:1024].logsumexp(-1, keepdim=True)
        wanted = torch.cat([wanted[:, :CODES], unused, wanted[:, 1024:]], 1)
        assert torch.allclose(logits[number, : tokens.numel()], wanted, atol=1e-4)


def test_the_target_of_each_token_is_the_next_one_and_the_end_behind_the_last() -> None:
    seen = batch([SHORT, LONG], CODES + 1)
    assert seen.targets[0, :6].tolist() == [*SHORT.tokens[1:].tolist(), CODES + 1]
    assert (seen.targets[0, 6:] == UNUSED).all()
    assert seen.ahead[0, :6].tolist() == [0, 1, 1, 2, 2, 2]


def test_the_penalty_is_that_of_the_sampler() -> None:
    logits = np.random.default_rng(0).standard_normal(1025).astype(np.float32)
    tokens = torch.tensor([[7, 9, 7]])
    used = np.zeros(1025, np.bool_)
    used[[7, 9]] = True
    found = penalised(torch.from_numpy(logits), used_before(tokens, 1025)[0, -1], 1.35)
    assert np.array_equal(found.numpy(), of_runtime(logits, used, 1.35))
    assert used_before(tokens, 1025)[0, 0].nonzero().flatten().tolist() == [7]


def test_a_few_steps_teach_tokens_and_where_to_look() -> None:
    trained, seen = network(), batch([SHORT, LONG], CODES + 1)
    optimizer = torch.optim.AdamW(trained.parameters(), 3e-3)
    costs = []
    for _ in range(30):
        cost, parts = loss(*trained(seen), seen, 1.35)
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        costs.append(parts)
    assert costs[-1]["tokens"] < 0.8 * costs[0]["tokens"]
    assert costs[-1]["pointer"] < 0.8 * costs[0]["pointer"]


def test_padding_teaches_nothing() -> None:
    trained = network()
    seen = batch([SHORT, LONG], CODES + 1)
    other = replace(seen, tokens=torch.where(seen.targets == UNUSED, 5, seen.tokens))
    assert loss(*trained(seen), seen, 1.0)[1] == loss(*trained(other), other, 1.0)[1]
