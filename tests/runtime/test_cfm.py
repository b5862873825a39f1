"""Speaking as v3 and v4 do, through the graphs of the goldens' tiny models."""

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest

from runtime import noise as noises
from runtime.acoustic.cfm import Cfm, CfmGraphs, Prompt, first_row
from runtime.acoustic.cfm_model import CfmModel, cut
from runtime.acoustic.kind import AcousticSettings, Conditioning, Streaming
from runtime.acoustic.mel import denormalised
from runtime.acoustic.vocoder import MelVocoder
from runtime.arrays import Float32
from runtime.backends import Windows
from runtime.contract import OFFERED_STEPS
from runtime.errors import SettingError
from tests.goldens import Case, flow_matching_cases, flow_matching_file
from tests.graphs.exported import runner
from tests.models.files import mel_frames
from workflow_scripts.checkpoint.families import FAMILIES

TOLERANCE = 1e-4
SPEEDS = {"": 1.0, "0p8": 0.8, "1p25": 1.25, "0p75": 0.75, "1p3": 1.3, "1p65": 1.65}


@cache
def cfm(family: str) -> Cfm:
    """The graphs of a golden voice."""
    source, vocoder = flow_matching_file(f"{family} base"), FAMILIES[family].vocoder
    of_vocoder = flow_matching_file(f"{family} vocoder")
    own = (runner("sovits", source, name) for name in ("features", "cfm_condition", "cfm_step"))
    place = of_vocoder.parent if family == "v3" else of_vocoder
    frames = mel_frames(family)
    whole = MelVocoder(runner(vocoder, place, vocoder), Windows(), frames)
    return Cfm(CfmGraphs(*own, whole), frames)


@cache
def model(family: str) -> CfmModel:
    graphs = cfm(family)
    (encoder,) = of(family, "encp")
    style, features = encoder["ge"].shape[1], encoder["fea_ref"].shape[1]
    return CfmModel(graphs, style, features, FAMILIES[family].vocoder)


def of(family: str, ending: str) -> list[Case]:
    return [case for case in flow_matching_cases(ending) if case.facts["family"] == family]


def given_noise(case: Case, kept: int, size: int):
    """The recorded noise of new frames by their number; that of a prompt's is never used."""
    chunks = [name for name in case.facts["arrays"] if name.startswith("noise_")]
    new = [
        case[name][..., -size:] if n else case[name][..., kept:] for n, name in enumerate(chunks)
    ]
    total = sum(part.shape[-1] for part in new)
    assert total >= size

    def drawn(first: int, count: int, width: int) -> Float32:
        number = first // size
        recorded = case[f"noise_{number}"].astype(np.float32)
        assert recorded.shape[1] == width
        return recorded[..., recorded.shape[-1] - count :]

    return drawn


@pytest.mark.golden
@pytest.mark.parametrize("case", flow_matching_cases("encp"), ids=str)
def test_features_at_every_speed_equal_the_reference(case: Case) -> None:
    graphs = cfm(case.facts["family"])
    for array in [name for name in case.facts["arrays"] if name.startswith("fea_")]:
        stem, _, speed = array.removeprefix("fea_").partition("_speed_")
        tokens = case[f"codes_{stem}"][0, 0]
        phones = case["phones_ref" if stem == "short" else f"phones_{stem}"][0]
        found = graphs.features(tokens, phones, case["ge"], SPEEDS[speed])
        np.testing.assert_allclose(found, case[array], atol=TOLERANCE, rtol=0, err_msg=array)


@pytest.mark.golden
@pytest.mark.parametrize("case", flow_matching_cases("cfm"), ids=str)
def test_the_sampler_equals_the_reference(case: Case) -> None:
    graphs, given = cfm(case.facts["family"]), case["prompt"].shape[-1]
    features = np.ascontiguousarray(case["mu"].transpose(0, 2, 1))
    prompt = Prompt(case["prompt"], features[..., :given])
    new, drawn = features[..., given:], case["noise"][..., given:].astype(np.float32)
    tried = {f"out_{steps}": (drawn, steps, 0.0) for steps in (4, 8, 32)}
    tried |= {"out_4_cfg0p7": (drawn, 4, 0.7), "out_8_temp0p5": (drawn / 2, 8, 0.0)}
    for array, (noise, steps, guidance) in tried.items():
        found = graphs.sampled(new, prompt, noise, steps, guidance)
        wanted = case[array][..., given:]
        np.testing.assert_allclose(found, wanted, atol=TOLERANCE, rtol=0, err_msg=array)
    assert graphs.padded(features.shape[-1]) > features.shape[-1]  # so all of this was padded


@pytest.mark.golden
@pytest.mark.parametrize("case", flow_matching_cases("vocoder"), ids=str)
def test_the_vocoder_equals_the_reference(case: Case) -> None:
    vocoder = cfm(case.facts["family"])._graphs.vocoder
    for mel, wav in (("mel", "wav"), ("mel_one", "wav_one")):
        found = vocoder.samples(case[mel])
        np.testing.assert_allclose(found, case[wav][0, 0], atol=TOLERANCE, rtol=0)


@pytest.mark.golden
@pytest.mark.parametrize("case", flow_matching_cases("chain"), ids=str)
def test_a_sentence_of_two_chunks_equals_the_reference(case: Case) -> None:
    family = case.facts["family"]
    (front,), (encoder,) = of(family, "frontend"), of(family, "encp")
    spoken = model(family)
    sound = {"style": encoder["ge"], "prompt_mel": front["mel_norm"]}
    kept = spoken.primed(sound, encoder["codes_ref"][0, 0], encoder["phones_ref"][0])
    frames = kept["prompt_mel"].shape[-1]
    drawn = given_noise(case, frames, mel_frames(family).chunk_frames - frames)
    settings = AcousticSettings(sample_steps=4)
    conditioning = Conditioning(encoder["phones_tgt"][0], kept, drawn, settings)
    whole = spoken.whole(encoder["codes_tgt"][0, 0], conditioning)
    mel = denormalised(whole.frames)
    np.testing.assert_allclose(mel, case["mel_out"], atol=3e-4, rtol=0)
    np.testing.assert_allclose(whole.samples[:16000], case["wav_head"], atol=TOLERANCE, rtol=0)
    silence = np.zeros(int(case["wav_len"]) - whole.samples.size, np.float32)
    ending = np.concatenate([whole.samples, silence])[-16000:]
    np.testing.assert_allclose(ending, case["wav_tail"], atol=TOLERANCE, rtol=0)


@pytest.mark.golden
@pytest.mark.parametrize("case", flow_matching_cases("chain_long"), ids=str)
def test_a_sentence_after_a_long_prompt_equals_the_reference(case: Case) -> None:
    family = case.facts["family"]
    (encoder,), spoken = of(family, "encp"), model(family)
    mel = case["prompt_mel_i8"].astype(np.float32) / 127
    sound = {"style": encoder["ge"], "prompt_mel": mel}
    kept = spoken.primed(sound, case["codes_ref"][0, 0], encoder["phones_ref"][0])
    grid = mel_frames(family)
    assert kept["prompt_mel"].shape[-1] == grid.prompt_frames
    drawn = given_noise(case, grid.prompt_frames, grid.chunk_frames - grid.prompt_frames)
    settings = AcousticSettings(sample_steps=4)
    conditioning = Conditioning(encoder["phones_tgt"][0], kept, drawn, settings)
    features = cfm(family).features(
        case["codes_tgt"][0, 0], conditioning.phones, kept["style"], 1.0
    )
    prompt = Prompt(kept["prompt_mel"], kept["prompt_features"])
    made = np.concatenate(list(cfm(family).chunks(features, prompt, conditioning)), -1)
    np.testing.assert_allclose(denormalised(made), case["mel_out"], atol=3e-4, rtol=0)


def conditioning_of(spoken: CfmModel, **settings: float) -> Conditioning:
    changed = AcousticSettings(**{"sample_steps": 4, **settings})  # type: ignore[arg-type]
    return Conditioning(np.arange(1, 30), spoken.made_up(), partial(noises.normals, 3, 0), changed)


@pytest.mark.golden
@pytest.mark.parametrize("case", flow_matching_cases("encp")[-1:], ids=str)
@pytest.mark.parametrize("speed", [1.0, 1.3])
def test_a_stream_is_the_whole_sentence_cut(case: Case, speed: float) -> None:
    spoken, tokens = model(case.facts["family"]), case["codes_tgt"][0, 0]
    under = conditioning_of(spoken, speed=speed)
    whole = spoken.whole(tokens, under)
    chunks = list(spoken.stream(iter(tokens.tolist()), under, Streaming()))
    assert len(chunks) > 1
    assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    for name in ("samples", "frames", "tokens"):
        joined = np.concatenate([getattr(chunk, name) for chunk in chunks], -1)
        np.testing.assert_array_equal(joined, getattr(whole, name))
    at_once = spoken.sound(whole.frames, under)
    assert at_once.size == whole.samples.size
    np.testing.assert_allclose(whole.samples, at_once, atol=1e-5)


@pytest.mark.golden
@pytest.mark.parametrize("case", flow_matching_cases("encp")[-1:], ids=str)
def test_nothing_is_spoken_of_no_tokens(case: Case) -> None:
    spoken = model(case.facts["family"])
    assert list(spoken.stream(iter(()), conditioning_of(spoken), Streaming())) == []


@pytest.mark.golden
@pytest.mark.parametrize("case", flow_matching_cases("encp")[-1:], ids=str)
def test_only_a_few_lengths_reach_the_sampler(case: Case) -> None:
    graphs = cfm(case.facts["family"])
    most = graphs.frames.chunk_frames
    lengths = {graphs.padded(frames) for frames in range(1, most + 1)}
    assert len(lengths) == 8
    assert max(lengths) == most
    assert all(graphs.padded(frames) >= frames for frames in range(1, most + 1))


@pytest.mark.golden
@pytest.mark.parametrize("case", flow_matching_cases("encp")[-1:], ids=str)
def test_a_reference_without_words_is_refused(case: Case) -> None:
    spoken = model(case.facts["family"])
    nothing = np.zeros(0, np.int64)
    with pytest.raises(SettingError, match="reference text: missing; v3 and v4 continue the ref"):
        spoken.primed({"style": case["ge"]}, nothing, nothing)


def test_a_prompt_keeps_its_end_where_it_is_too_long() -> None:
    grid = replace(mel_frames("v4"), prompt_frames=5)
    mel, features = np.arange(8.0)[None, None], np.arange(10.0)[None, None]
    kept = cut(mel.astype(np.float32), features.astype(np.float32), grid)
    assert kept["prompt_mel"].tolist() == kept["prompt_features"].tolist() == [[[3, 4, 5, 6, 7]]]


def test_the_steps_of_each_schedule_have_rows_of_their_own() -> None:
    rows = [first_row(steps) + step for steps in OFFERED_STEPS for step in range(steps)]
    assert rows == list(range(sum(OFFERED_STEPS)))


@pytest.mark.parametrize("wrong", [3, 5, 64, 4.5, "8"])
def test_steps_that_are_not_offered_are_refused(wrong: object) -> None:
    with pytest.raises(SettingError, match="sample_steps: "):
        AcousticSettings(sample_steps=wrong)  # type: ignore[arg-type]
