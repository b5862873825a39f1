"""The built T2S graphs against the reference's own numbers and the contract."""

import numpy as np
import pytest

from runtime.backends import Threads
from runtime.backends.cpu import open_graph
from tests.goldens import Case, t2s_cases
from tests.t2s_models import t2s_graphs, t2s_model
from workflow_scripts.graphs.attention import ATTENTIONS, fits_group_query

ONE = Threads(intra_op=1)


def inputs(case: Case) -> dict[str, np.ndarray]:
    return {
        "phones": case["phoneme_ids"],
        "text_features": case["bert_feature"],
        "prompts": case["prompts"],
    }


def cases_and_attentions() -> list[tuple[Case, str]]:
    return [
        (case, attention)
        for case in t2s_cases("single")
        for attention in ATTENTIONS
        if attention != "group_query" or fits_group_query(t2s_model(case.model).sizes)
    ]


@pytest.mark.golden
@pytest.mark.parametrize(("case", "attention"), cases_and_attentions(), ids=str)
def test_prefill_and_forced_steps_equal_the_reference(case: Case, attention: str) -> None:
    model = t2s_model(case.model)
    folder = t2s_graphs(case.model, attention)
    rows, bias = open_graph(folder / "t2s_embed.onnx", ONE).run(inputs(case))
    np.testing.assert_allclose(rows[None], case["prefill_in"], atol=1e-4)
    decoder = open_graph(folder / "t2s_decoder.onnx", ONE)
    capacity = rows.shape[0] + case["forced_tokens"].size
    size = (1, model.sizes.heads, capacity, model.sizes.head_width)
    caches = {
        f"past_{kind}.{layer}": np.zeros(size, np.float32)
        for layer in range(model.sizes.layers)
        for kind in ("keys", "values")
    }
    cached = rows.shape[0]
    wanted = [case["prefill_logits"][0], *case["forced_logits"]]
    steps = [rows, *case["forced_in"][0][:, None]]
    for step, (taken, logits) in enumerate(zip(steps, wanted, strict=True)):
        feeds = {"rows": taken, "live_rows": np.array([cached + step], np.int32), "bias": bias}
        got, *caches_now = decoder.run(feeds | caches)
        np.testing.assert_allclose(got[0], logits, atol=1e-4)
        caches = dict(zip(caches, caches_now, strict=True))
        bias = np.zeros((1, 1, 1, cached + step + 1), np.float32)
