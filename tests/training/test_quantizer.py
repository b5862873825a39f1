"""Codebook and projection: a token is the likeliest label."""

import numpy as np
import torch

from training.labels import LABELS
from training.quantizer import SCORES, codebook, projection
from workflow_scripts.models.sovits import nearest


def test_the_nearest_code_is_the_likeliest_phone_and_voicing() -> None:
    rng = np.random.default_rng(1)
    scores = 3 * rng.standard_normal((500, SCORES)).astype(np.float32)
    scores[:100] -= 50  # however low all scores are
    rows = torch.from_numpy(np.pad(scores, ((0, 0), (0, 768 - SCORES))))[None]
    tokens = nearest(rows, torch.from_numpy(codebook()))[0].numpy()
    np.testing.assert_array_equal(tokens, 2 * scores[:, :41].argmax(1) + scores[:, 41:].argmax(1))


def test_an_unused_code_is_near_silence_and_never_nearest() -> None:
    rows = codebook()
    apart = np.linalg.norm(rows[LABELS:, None] - rows[None, :LABELS:2], axis=2)
    assert (apart.argmin(axis=1) == 0).all()
    silence = torch.zeros(1, 1, 768)
    silence[..., [0, 41]] = 9.0
    assert nearest(silence, torch.from_numpy(rows)).item() == 0


def test_codes_differ_from_each_other() -> None:
    used = codebook()[:LABELS]
    assert len(np.unique(used, axis=0)) == LABELS
    np.testing.assert_array_equal(np.square(used).sum(1), 3)


def test_the_projection_gives_the_scores_and_nothing_else() -> None:
    rng = np.random.default_rng(2)
    head = rng.standard_normal((SCORES, 768, 2)).astype(np.float32)
    weight, bias = projection(head, np.ones(SCORES, np.float32))
    assert weight.shape == (768, 768, 2)
    np.testing.assert_array_equal(weight[:SCORES], head)
    assert not weight[SCORES:].any()
    assert bias.tolist() == [1] * SCORES + [0] * (768 - SCORES)
