"""The exported and simplified graphs against the reference's own numbers."""

import numpy as np
import pytest
import torch

from tests.goldens import (
    Case,
    base_cases,
    sovits_decodes,
    sovits_models,
    speaker_cases,
)
from tests.graphs.exported import exported, runner, simplified
from tests.models.files import prior_inputs, style_inputs
from workflow_scripts.graphs import answers
from workflow_scripts.graphs.export import EXPORTERS

PRIOR_INPUTS = (
    "tokens",
    "phones",
    "style",
    "noise",
    "noise_scale",
    "frame_index",
    "frame_fraction",
)


def sources() -> list[tuple[str, Case]]:
    """Each golden file or folder once, with the kind of its exporter."""
    found = {("sovits", case.model): case for case in sovits_models()}
    found |= {("speaker", case.model): case for case in speaker_cases()}
    found |= {("hubert", case.model): case for case in base_cases("hubert")}
    found |= {("roberta", case.model): case for case in base_cases("bert")}
    return [(kind, case) for (kind, _), case in found.items()]


@pytest.mark.golden
@pytest.mark.parametrize("case", sovits_decodes(), ids=str)
def test_decode_through_the_graphs_equals_the_reference(case: Case) -> None:
    names = ("spectrogram", "speaker_embedding")
    style_graph, prior, vocoder = (
        runner("sovits", case.model, graph) for graph in ("style", "prior", "vocoder")
    )
    styles = [
        style_graph.run({name: one.numpy() for name, one in zip(names, inputs, strict=False)})[0]
        for inputs in style_inputs(case)
    ]
    style = np.mean(styles, axis=0)
    inputs = prior_inputs(case, torch.from_numpy(style))
    (latent,) = prior.run(
        {name: one.numpy() for name, one in zip(PRIOR_INPUTS, inputs, strict=True)}
    )
    (audio,) = vocoder.run({"latent": latent, "style": style})
    np.testing.assert_allclose(audio[0], case[case.facts["audio"]], atol=1e-4, rtol=0)
    for array in case.facts["intermediates"]:
        name = array.split("__")[-1]
        if name in ("ge", "z"):
            found = style if name == "ge" else latent
            np.testing.assert_allclose(found, case[array], atol=1e-4, rtol=0, err_msg=array)


@pytest.mark.golden
@pytest.mark.parametrize("case", sovits_models(), ids=str)
def test_prompt_tokens_through_the_graph_equal_the_reference(case: Case) -> None:
    names = case.facts["tokenizer"]
    (tokens,) = runner("sovits", case.model, "quantizer").run({"features": case[names["ssl"]]})
    np.testing.assert_array_equal(tokens, case[names["codes"]][0])


@pytest.mark.golden
@pytest.mark.parametrize("case", speaker_cases(), ids=str)
def test_speaker_embedding_through_the_graph_equals_the_reference(case: Case) -> None:
    bank = case[case.facts["fbank"]][None]
    (embedding,) = runner("speaker", case.model, "speaker").run({"filter_bank": bank})
    # the reference and this graph are each up to 3e-3 from float64, of values up to 23
    np.testing.assert_allclose(embedding, case[case.facts["embedding"]], atol=6e-3, rtol=0)


@pytest.mark.golden
@pytest.mark.parametrize("case", base_cases("hubert"), ids=str)
def test_ssl_features_and_tokens_through_the_graphs_equal_the_reference(case: Case) -> None:
    tail = np.zeros(case.facts["tail_zeros"], np.float32)
    audio = np.concatenate([case[case.facts["wave"]], tail])[None]
    (features,) = runner("hubert", case.model, "hubert").run({"audio": audio})
    hidden = case[case.facts["last_hidden_state"]]
    np.testing.assert_allclose(features[0].T, hidden, atol=1e-4, rtol=0)
    if "codes" in case.facts:
        voice = next(model for model in sovits_models() if model.name == "v2")
        (tokens,) = runner("sovits", voice.model, "quantizer").run({"features": features})
        np.testing.assert_array_equal(tokens, case[case.facts["codes"]][0])


@pytest.mark.golden
@pytest.mark.parametrize("case", base_cases("bert"), ids=str)
def test_text_features_through_the_graph_equal_the_reference(case: Case) -> None:
    (rows,) = runner("roberta", case.model, "roberta").run(
        {"input_ids": case[case.facts["input_ids"]]}
    )
    per_phone = np.repeat(rows, case[case.facts["word2ph"]], axis=0).T
    np.testing.assert_allclose(per_phone, case[case.facts["feature"]], atol=1e-4, rtol=0)


@pytest.mark.golden
@pytest.mark.parametrize(("kind", "case"), sources(), ids=str)
def test_graphs_of_any_length_answer_as_pytorch_did(kind: str, case: Case) -> None:
    for graph in EXPORTERS[kind].graphs(case.model):
        recorded = answers.load(exported(kind, case.model) / f"{graph}.npz")
        assert len(recorded) >= 4
        for label, one in recorded.items():
            found = runner(kind, case.model, graph).run(one.inputs)
            for array, wanted in zip(found, one.outputs.values(), strict=True):
                allowed = 1e-4 * max(1, np.abs(wanted).max())
                note = f"{graph} {label}"
                np.testing.assert_allclose(array, wanted, atol=allowed, rtol=0, err_msg=note)


@pytest.mark.golden
@pytest.mark.parametrize(("kind", "case"), sources(), ids=str)
def test_every_graph_becomes_smaller_and_stays_the_same(kind: str, case: Case) -> None:
    for _, record in simplified(kind, case.model).values():
        assert record.simplified, record.reason
        assert record.nodes_after < record.nodes_before
        assert record.largest_difference <= 1e-4
