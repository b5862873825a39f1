"""Goldens of v3 and v4 through PyTorch: every array of every case, by the manifest."""

import numpy as np
import pytest
import torch
from torch import Tensor

from runtime.acoustic.mel import denormalised, mel_grid
from tests import goldens
from tests.goldens import Case, flow_matching_cases, full_size_case
from tests.models.files import flow_matching, mel_frames, mel_vocoder, watching
from tests.models.seeded import seeded
from workflow_scripts.checkpoint.cfm import FULL, cfm_layout
from workflow_scripts.checkpoint.vocoder_layout import (
    BIGVGAN,
    VOCODER_V4,
    bigvgan_layout,
    vocoder_v4_layout,
)
from workflow_scripts.models.bigvgan import SmoothActivation
from workflow_scripts.models.cfm import CfmSovits, load_cfm
from workflow_scripts.models.mel_vocoders import bigvgan, vocode, vocoder_v4
from workflow_scripts.random_voice.flow_matching import bigvgan_config

TOLERANCE = 1e-4
SPEEDS = {"": 1.0, "_speed_0p8": 0.8, "_speed_1p25": 1.25, "_speed_0p75": 0.75,
          "_speed_1p3": 1.3, "_speed_1p65": 1.65}  # fmt: skip
LAST_AXIS = {"v", "v_uncond"}  # stored [1, T, channels] where we have [1, channels, T]


def tensor(case: Case, name: str) -> Tensor:
    """An array; noise is stored in half precision."""
    stored = case[name]
    return torch.from_numpy(stored.astype(np.float32) if stored.dtype == np.float16 else stored)


def assert_near(found: Tensor, case: Case, array: str, tolerance: float = TOLERANCE) -> None:
    np.testing.assert_allclose(found, case[array], atol=tolerance, rtol=0, err_msg=array)


def features(model: CfmSovits, case: Case, tokens: Tensor, phones: str, speed: float) -> Tensor:
    grid = mel_grid(tokens.shape[-1], speed, mel_frames(case.facts["family"]))
    style = tensor(case, "ge")
    encoded = model.encode(tokens.reshape(1, -1), tensor(case, phones), style)
    places = torch.from_numpy(grid.index), torch.from_numpy(grid.fraction)
    return model.features(encoded, style, places, torch.from_numpy(grid.mask))


@pytest.mark.golden
@pytest.mark.parametrize("case", flow_matching_cases("frontend"), ids=str)
def test_style_and_prompt_tokens_equal_the_reference(case: Case) -> None:
    model = flow_matching(case.model)
    assert_near(model.style(tensor(case, "spec")[:, :704]), case, "ge")
    ssl = tensor(case, "ssl_content")
    assert_near(model.ssl_proj(ssl), case, "ssl_proj")
    np.testing.assert_array_equal(model.quantize(ssl), case["codes"][0])


@pytest.mark.golden
@pytest.mark.parametrize("case", flow_matching_cases("encp"), ids=str)
def test_features_equal_the_reference(case: Case) -> None:
    model = flow_matching(case.model)
    compared = 0
    for array in case.facts["arrays"]:
        stem, _, speed = array.removeprefix("fea_").partition("_")
        if not array.startswith("fea_"):
            continue
        phones = "phones_ref" if stem == "short" else f"phones_{stem}"
        with watching(model, case) as seen:
            found = features(
                model,
                case,
                tensor(case, f"codes_{stem}"),
                phones,
                SPEEDS[f"_{speed}" * bool(speed)],
            )
        assert found.shape == case[array].shape, array
        assert_near(found, case, array)
        if array == "fea_ref":
            compare_inner(seen, case)
        compared += 1
    assert compared == sum(array.startswith("fea_") for array in case.facts["arrays"]) > 0


def compare_inner(seen: dict[str, Tensor], case: Case) -> None:
    """Inner outputs, turned where the reference has channels last."""
    for array, output in seen.items():
        shape = case[array].shape
        if array == "mid_bridge":
            continue  # ours is read at the mel's rate, theirs before
        turned = output if output.shape == shape else output.reshape(1, *output.shape[-2:])
        assert_near(turned if turned.shape == shape else turned.transpose(1, 2), case, array)


@pytest.mark.golden
@pytest.mark.parametrize("case", flow_matching_cases("dit"), ids=str)
def test_the_estimator_equals_the_reference(case: Case) -> None:
    estimator = flow_matching(case.model).cfm.estimator
    x, prompt, mu = (tensor(case, name) for name in ("x", "prompt_x", "mu"))
    time, size = tensor(case, "t").reshape(1), tensor(case, "d").reshape(1)
    blind = estimator(x, 0 * prompt, 0 * mu, time, size)
    assert_near(blind.transpose(1, 2), case, "v_uncond")
    mask = torch.ones(1, x.shape[2], 1)
    nothing = estimator.text_embed(0 * mu.transpose(1, 2), mask)
    assert_near(nothing, case, "text_embed_uncond")
    with watching(estimator, case) as seen:
        assert_near(estimator(x, prompt, mu, time, size).transpose(1, 2), case, "v")
    modulations = {"mid_norm_out", "mid_transformer_blocks_0_attn_norm"}  # ours are rows, not norms
    compare_inner({name: out for name, out in seen.items() if name not in modulations}, case)
    assert len(seen) >= 8
    assert_near(estimator.text_embed(mu.transpose(1, 2), mask), case, "text_embed")


@pytest.mark.golden
@pytest.mark.parametrize("case", flow_matching_cases("cfm"), ids=str)
def test_the_sampler_equals_the_reference(case: Case) -> None:
    sample = flow_matching(case.model).cfm
    mu, prompt, noise = tensor(case, "mu").transpose(1, 2), tensor(case, "prompt"), "noise"
    drawn = tensor(case, noise)
    for steps in (4, 8, 32):
        assert_near(sample(mu, prompt, drawn, steps), case, f"out_{steps}")
    assert_near(sample(mu, prompt, drawn, 4, 0.7), case, "out_4_cfg0p7")
    assert_near(sample(mu, prompt, 0.5 * drawn, 8), case, "out_8_temp0p5")


@pytest.mark.golden
@pytest.mark.parametrize("case", flow_matching_cases("dit"), ids=str)
@pytest.mark.parametrize("padding", [1, 30])
def test_padded_frames_change_nothing(case: Case, padding: int) -> None:
    estimator = flow_matching(case.model).cfm.estimator
    x, prompt, mu = (
        torch.cat([tensor(case, name), torch.full((1, width, padding), 5.0)], dim=2)
        for name, width in (("x", 100), ("prompt_x", 100), ("mu", case["mu"].shape[1]))
    )
    frames = case["x"].shape[2]
    mask = (torch.arange(frames + padding) < frames).float().reshape(1, -1, 1)
    by_time = estimator.modulations(tensor(case, "t").reshape(1), tensor(case, "d").reshape(1))
    velocity = estimator.velocity(x, estimator.condition(mu, prompt, mask), by_time, mask)
    assert_near(velocity[..., :frames].transpose(1, 2), case, "v", 2e-5)


@pytest.mark.golden
@pytest.mark.parametrize("case", flow_matching_cases("vocoder"), ids=str)
def test_the_vocoder_equals_the_reference(case: Case) -> None:
    network = mel_vocoder(case.facts["family"])
    with watching(network, case) as seen:
        assert_near(network(tensor(case, "mel")), case, "wav")
    for array, output in seen.items():
        assert_near(output, case, array)
    assert len(seen) >= 5
    assert_near(network(tensor(case, "mel_one")), case, "wav_one")


@pytest.mark.golden
@pytest.mark.parametrize("case", flow_matching_cases("vocoder"), ids=str)
def test_the_smooth_activation_equals_the_reference(case: Case) -> None:
    if "act_in" not in case:
        pytest.skip("the vocoder of v4 has none")
    network = mel_vocoder(case.facts["family"])
    activations = [m for m in network.modules() if isinstance(m, SmoothActivation)]
    alphas = [m for m in activations if m.act.alpha.shape == case["act_alpha"].shape]
    (activation,) = [m for m in alphas if np.array_equal(m.act.alpha, case["act_alpha"])]
    np.testing.assert_array_equal(activation.act.beta, case["act_beta"])
    np.testing.assert_array_equal(activation.upsample.filter.flatten(), case["filter_up"])
    lowpass = activation.downsample.lowpass.filter
    np.testing.assert_array_equal(lowpass.flatten(), case["filter_down"])
    assert_near(activation.upsample(tensor(case, "act_in")), case, "act_up")
    assert_near(activation.act(tensor(case, "act_up")), case, "act_snake")
    assert_near(activation(tensor(case, "act_in")), case, "act_out")


@pytest.mark.golden
@pytest.mark.parametrize("case", flow_matching_cases("lora"), ids=str)
def test_a_merged_lora_equals_the_reference(case: Case) -> None:
    family = case.facts["family"]
    base = goldens.flow_matching_file(f"{family} base")
    model = flow_matching(case.model, base)
    block = model.cfm.estimator.transformer_blocks
    assert_near(block[0].attn.to_q.weight, case, "w_q0")
    assert_near(block[-1].attn.to_out[0].weight, case, "w_out_last")
    estimate = model.cfm.estimator
    x, mu = tensor(case, "x"), tensor(case, "mu")
    quarter = torch.tensor([0.25])
    velocity = estimate(x, torch.zeros_like(x), mu, quarter, quarter)
    assert_near(velocity.transpose(1, 2), case, "v")
    plain = flow_matching(base).state_dict()
    changed = {name for name, w in model.state_dict().items() if not torch.equal(w, plain[name])}
    named = {str(name).replace("weight_v", "weight") for name in case["changed_keys"]}
    assert {name for name in changed if name.startswith("cfm.")} == {
        name for name in named if name.startswith("cfm.") and name in plain
    }


def sentence(
    model: CfmSovits, case: Case, prompt: Tensor, of_prompt: Tensor, new: Tensor
) -> Tensor:
    """All mel frames of a sentence, chunk after chunk, each after the end of the one before."""
    grid = mel_frames(case.facts["family"])
    most = min(prompt.shape[2], of_prompt.shape[2])
    prompt, of_prompt = prompt[..., :most], of_prompt[..., :most]
    prompt, of_prompt = prompt[..., -grid.prompt_frames :], of_prompt[..., -grid.prompt_frames :]
    kept, made = prompt.shape[2], []
    for number, chunk in enumerate(new.split(grid.chunk_frames - kept, dim=2)):
        noise = tensor(case, f"noise_{number}")
        mel = model.cfm(torch.cat([of_prompt, chunk], dim=2), prompt, noise, 4)
        made.append(mel[..., prompt.shape[2] :])
        prompt, of_prompt = made[-1][..., -kept:], chunk[..., -kept:]
    return torch.from_numpy(denormalised(torch.cat(made, dim=2).numpy()))


@pytest.mark.golden
@pytest.mark.parametrize("case", flow_matching_cases("chain"), ids=str)
def test_a_whole_sentence_equals_the_reference(case: Case) -> None:
    family = case.facts["family"]
    model, network = flow_matching(case.model), mel_vocoder(family)
    (front,) = [c for c in flow_matching_cases("frontend") if c.facts["family"] == family]
    (encoder,) = [c for c in flow_matching_cases("encp") if c.facts["family"] == family]
    of_prompt = features(model, encoder, tensor(encoder, "codes_ref"), "phones_ref", 1.0)
    new = features(model, encoder, tensor(encoder, "codes_tgt"), "phones_tgt", 1.0)
    mel = sentence(model, case, tensor(front, "mel_norm"), of_prompt, new)
    assert_near(mel, case, "mel_out", 3e-4)
    audio = vocode(network, mel)[0]
    assert_near(audio[:16000], case, "wav_head")
    pause = case["wav_len"] - audio.numel()  # the reference's silence behind a sentence
    ending = torch.cat([audio, torch.zeros(int(pause))])[-16000:]
    assert_near(ending, case, "wav_tail")


@pytest.mark.golden
@pytest.mark.parametrize("case", flow_matching_cases("chain_long"), ids=str)
def test_a_sentence_after_a_long_prompt_equals_the_reference(case: Case) -> None:
    family = case.facts["family"]
    model = flow_matching(case.model)
    (encoder,) = [c for c in flow_matching_cases("encp") if c.facts["family"] == family]
    prompt = tensor(case, "prompt_mel_i8").float() / 127
    of_prompt = features(model, encoder, tensor(case, "codes_ref"), "phones_ref", 1.0)
    new = features(model, encoder, tensor(case, "codes_tgt"), "phones_tgt", 1.0)
    assert_near(sentence(model, case, prompt, of_prompt, new), case, "mel_out", 3e-4)


@pytest.mark.golden
def test_vocoders_of_real_sizes_equal_the_reference() -> None:
    if (found := full_size_case("full_vocoders")) is None:
        pytest.skip("this set holds no full-size case")
    case, seed = found
    mel = tensor(case, "mel")
    v3 = bigvgan(seeded(bigvgan_layout(BIGVGAN), seed, half=False), bigvgan_config(BIGVGAN), "v3")
    assert_near(v3(mel), case, "wav_v3")
    v4 = vocoder_v4(seeded(vocoder_v4_layout(VOCODER_V4), seed, half=False), "v4")
    assert_near(v4(mel), case, "wav_v4")


@pytest.mark.golden
@pytest.mark.full
def test_an_acoustic_model_of_real_sizes_equals_the_reference() -> None:
    if (found := full_size_case("full_v3")) is None:
        pytest.skip("this set holds no full-size case")
    case, seed = found
    weights = seeded(cfm_layout(FULL), seed, half=True)
    for array in case.facts["arrays"]:
        if array.startswith("w:"):
            np.testing.assert_array_equal(weights[array[2:]].flatten()[:8], case[array])
    model = load_cfm(weights, {})
    style = model.style(tensor(case, "spec")[:, :704])
    assert_near(style, case, "ge")
    case.facts["family"] = "v3"
    mu = features(model, case, tensor(case, "codes"), "phones", 1.0)
    assert_near(mu, case, "fea")
    x, prompt = tensor(case, "x"), tensor(case, "prompt_x")
    times = torch.tensor([0.5]), torch.tensor([0.125])
    velocity = model.cfm.estimator(x, prompt, mu[..., : x.shape[2]], *times)
    assert_near(velocity.transpose(1, 2), case, "v")
    noise, given = tensor(case, "noise"), int(np.abs(case["prompt_x"]).max((0, 1)).nonzero()[0][-1])
    made = model.cfm(mu[..., : noise.shape[2]], prompt[..., : given + 1], noise, 4)
    assert_near(made, case, "cfm_out")
