import numpy as np
import pytest
import torch
from torch import Tensor, nn

from runtime.errors import CheckpointError
from tests.goldens import Case, sovits_decodes, sovits_models
from tests.models.files import prior_inputs, sovits, style_inputs
from workflow_scripts.checkpoint.read import read
from workflow_scripts.models.encoders import resampled
from workflow_scripts.models.sovits import Sovits, load_sovits

HOOKED = {
    "enc_ssl": "enc_p.encoder_ssl",
    "enc_text": "enc_p.encoder_text",
    "mrte": "enc_p.mrte",
    "enc2": "enc_p.encoder2",
}


def decoded(model: Sovits, case: Case) -> dict[str, Tensor]:
    """Audio and every intermediate that goldens name."""
    seen: dict[str, Tensor] = {}
    hooks = [
        model.get_submodule(path).register_forward_hook(keeper(seen, name))
        for name, path in HOOKED.items()
    ]
    style = torch.stack([model.style(*inputs) for inputs in style_inputs(case)]).mean(0)
    tokens, phones, _, noise, scale, index, fraction = prior_inputs(case, style)
    seen["enc2_speed"] = resampled(model.encode(tokens, phones, style), index, fraction)
    seen["ge"], seen["ge_mrte"] = style, model.bridge(style)
    seen["m_p"], seen["logs_p"] = model.enc_p.moments(seen["enc2_speed"])
    seen["z_p"] = model.sample(seen["enc2_speed"], noise, scale)
    seen["z"] = model.flow(seen["z_p"], style)
    seen["audio"] = model.vocode(seen["z"], style)[0]
    for hook in hooks:
        hook.remove()
    return seen


def keeper(seen: dict[str, Tensor], name: str) -> "nn.modules.module._forward_hook_type":
    def keep(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
        seen[name] = output

    return keep


@pytest.mark.golden
@pytest.mark.parametrize("case", sovits_decodes(), ids=str)
def test_decode_equals_the_reference(case: Case) -> None:
    seen = decoded(sovits(case.model), case)
    for array in [case.facts["audio"], *case.facts["intermediates"]]:
        name = array.split("__")[-1]
        np.testing.assert_allclose(seen[name], case[array], atol=1e-4, rtol=0, err_msg=array)


@pytest.mark.golden
@pytest.mark.parametrize("case", sovits_models(), ids=str)
def test_prompt_tokens_equal_the_reference(case: Case) -> None:
    names = case.facts["tokenizer"]
    tokens = sovits(case.model).quantize(torch.from_numpy(case[names["ssl"]]))
    np.testing.assert_array_equal(tokens, case[names["codes"]][0])


@pytest.mark.golden
@pytest.mark.parametrize("case", sovits_models()[-1:], ids=str)
def test_new_spelling_of_weight_norm_gives_the_same_model(case: Case) -> None:
    stored = read(case.model)
    weights, config = stored.weights, stored.config
    respelt = {
        key.replace(".weight_g", ".parametrizations.weight.original0").replace(
            ".weight_v", ".parametrizations.weight.original1"
        ): tensor
        for key, tensor in weights.items()
    }
    assert respelt.keys() != weights.keys()
    ours, theirs = load_sovits(respelt, config).state_dict(), sovits(case.model).state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


@pytest.mark.parametrize("case", sovits_models()[:1], ids=str)
@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda w, c: w.pop("dec.conv_pre.bias"), r"mia\.pth: dec\.conv_pre\.bias is missing"),
        (lambda w, c: w.update(extra=w["ssl_proj.bias"]), r"mia\.pth: extra belongs to no network"),
        (lambda w, c: w.pop("dec.ups.0.weight_v"), r"mia\.pth: dec\.ups\.0\.weight_v is missing"),
        (lambda w, c: w.pop("dec.ups.0.weight_g"), r"mia\.pth: dec\.ups\.0\.weight_v has no"),
        (lambda w, c: w.pop("enc_p.text_embedding.weight"), r"mia\.pth: enc_p\.text_embedding"),
        (lambda w, c: c["model"].pop("n_heads"), r"mia\.pth: n_heads is missing"),
        (
            lambda w, c: c["model"].update(gin_channels=8),
            r"is \[512, 128\], its configuration states \[8, 128\]",
        ),
    ],
)
def test_a_wrong_checkpoint_is_refused_and_the_fault_named(case, harm, message) -> None:
    stored = read(case.model)
    weights, config = dict(stored.weights), stored.config
    config = config | {"model": dict(config["model"])}
    harm(weights, config)
    with pytest.raises(CheckpointError, match=message):
        load_sovits(weights, config, where="mia.pth")
