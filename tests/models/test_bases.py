import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from runtime.errors import CheckpointError
from tests.goldens import Case, base_cases, sovits_models, speaker_cases
from tests.models.files import sovits, speaker
from workflow_scripts.models.eres2net import load_eres2net
from workflow_scripts.models.hubert import load_hubert
from workflow_scripts.models.roberta import load_roberta


@pytest.mark.golden
@pytest.mark.parametrize("case", speaker_cases(), ids=str)
def test_speaker_embedding_equals_the_reference(case: Case) -> None:
    embedding = speaker(case.model)(torch.from_numpy(case[case.facts["fbank"]])[None])
    # up to 23 in size; the reference's own float32 is up to 2.6e-3 from float64
    np.testing.assert_allclose(embedding, case[case.facts["embedding"]], atol=3e-3, rtol=0)


@pytest.mark.golden
@pytest.mark.parametrize("case", base_cases("hubert"), ids=str)
def test_ssl_features_and_tokens_equal_the_reference(case: Case) -> None:
    tail = np.zeros(case.facts["tail_zeros"], np.float32)
    audio = torch.from_numpy(np.concatenate([case[case.facts["wave"]], tail]))[None]
    features = load_hubert(case.model)(audio)
    hidden = case[case.facts["last_hidden_state"]]
    np.testing.assert_allclose(features[0].T, hidden, atol=1e-4, rtol=0)
    if "codes" in case.facts:
        quantizer = next(model for model in sovits_models() if model.name == "v2")
        tokens = sovits(quantizer.model).quantize(features)
        np.testing.assert_array_equal(tokens, case[case.facts["codes"]][0])


@pytest.mark.golden
@pytest.mark.parametrize("case", base_cases("bert"), ids=str)
def test_text_features_equal_the_reference(case: Case) -> None:
    network = load_roberta(case.model)
    input_ids = torch.from_numpy(case[case.facts["input_ids"]])
    hidden = case[case.facts["hidden"]]
    np.testing.assert_allclose(network.hidden(input_ids)[0], hidden, atol=1e-4, rtol=0)
    per_phone = np.repeat(network(input_ids).numpy(), case[case.facts["word2ph"]], axis=0).T
    np.testing.assert_allclose(per_phone, case[case.facts["feature"]], atol=1e-4, rtol=0)


@pytest.mark.golden
@pytest.mark.parametrize("case", base_cases("bert")[:1], ids=str)
def test_layers_that_nobody_reads_are_not_built(case: Case) -> None:
    network = load_roberta(case.model).network
    assert len(network.encoder.layer) == case.facts["n_hidden_states"] - 3
    assert network.pooler is None


@pytest.mark.golden
@pytest.mark.parametrize("case", base_cases("bert")[:1], ids=str)
@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), r"no config\.json"),
        (lambda folder: (folder / "config.json").write_text("{"), r"config\.json: not JSON"),
        (lambda folder: (folder / "model.safetensors").unlink(), r"neither model\.safetensors"),
        (
            lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 64),
            r"model\.safetensors: can't be read",
        ),
        (
            lambda folder: (folder / "config.json").write_text(json.dumps({"model_type": "gpt"})),
            r"model_type is 'gpt'; give the folder of a 'bert'",
        ),
    ],
)
def test_a_broken_base_is_refused_and_the_fault_named(
    case: Case, harm: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(case.model, tmp_path / "base"))
    harm(folder)
    with pytest.raises(CheckpointError, match=message):
        load_roberta(folder)


@pytest.mark.golden
@pytest.mark.parametrize("case", speaker_cases()[-1:], ids=str)
def test_a_speaker_file_that_lacks_a_tensor_is_refused(case: Case) -> None:
    weights = torch.load(case.model, map_location="cpu", weights_only=True)
    lacking = {key: tensor for key, tensor in weights.items() if key != "layer1.0.bn1.weight"}
    with pytest.raises(CheckpointError, match=r"layer1\.0\.bn1\.weight is missing"):
        load_eres2net(lacking)
    with pytest.raises(CheckpointError, match=r"conv1\.weight is missing; not an ERes2NetV2"):
        load_eres2net({})
