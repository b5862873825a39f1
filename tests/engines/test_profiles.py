"""Lengths that engines are built for follow from contract and capacity alone."""

import pytest

from runtime.backends import BACKENDS
from runtime.contract import DYNAMIC, GRAPHS
from runtime.errors import GraphError
from workflow_scripts.checkpoint import families
from workflow_scripts.engines.profiles import Shapes, profiles, spans_of

ROWS, BIAS, CACHE = (-1, 64), (1, 1, -1, 500), (1, 4, 500, 16)
DECODER = {"rows": ROWS, "bias": BIAS, "live_rows": (1,), "past_keys.0": CACHE}


def test_the_decoder_has_a_profile_for_a_step_and_one_for_a_prefill() -> None:
    step, prefill = profiles("t2s_decoder", DECODER, 500)
    assert (step.name, prefill.name) == ("step", "prefill")
    assert step.inputs["rows"] == Shapes((1, 64), (1, 64), (1, 64))
    assert prefill.inputs["bias"] == Shapes((1, 1, 1, 500), (1, 1, 210, 500), (1, 1, 500, 500))
    assert "past_keys.0" not in step.inputs


def test_sums_of_letters_become_sums_of_lengths() -> None:
    (only,) = profiles("roberta", {"input_ids": (1, -1)}, 1000)
    assert only.inputs == {"input_ids": Shapes((1, 3), (1, 44), (1, 512))}


def test_phones_and_prompts_fit_into_the_cache_and_prompts_may_be_none() -> None:
    inputs = {"phones": (1, -1), "text_features": (1, 1024, -1), "prompts": (1, -1)}
    (only,) = profiles("t2s_embed", inputs, 64)
    assert only.inputs["phones"].max == only.inputs["prompts"].max == (1, 64)
    assert only.inputs["prompts"].min == (1, 0)


def test_slow_speech_doubles_the_frames() -> None:
    (only,) = profiles("vocoder", {"latent": (1, 192, -1), "style": (1, 512, 1)}, 100)
    assert only.inputs == {"latent": Shapes((1, 192, 1), (1, 192, 400), (1, 192, 400))}


def test_the_sampler_s_engine_is_for_the_lengths_that_its_runs_are_padded_to() -> None:
    for sizes in (families.FAMILIES[name].numbers for name in ("v3", "v4")):
        (only,) = profiles("cfm_step", {"frame_mask": (1, 1, -1)}, 4096)
        assert sizes["chunk_frames"] <= only.inputs["frame_mask"].max[2] == 1000


def test_features_of_slow_speech_fit_at_the_mel_s_rate() -> None:
    (only,) = profiles("features", {"frame_mask": (1, 1, -1)}, 100)
    fastest = max(row.frames_per_token for row in families.FAMILIES.values())
    assert only.inputs["frame_mask"].max == (1, 1, int(100 * fastest / 0.5))


@pytest.mark.parametrize("family", ["v3", "v4"])
def test_a_window_of_a_mel_vocoder_fits_into_its_engine(family: str) -> None:
    row = families.FAMILIES[family]
    (only,) = profiles(row.vocoder, {"mel": (1, 100, -1)}, 1000)
    for windows in BACKENDS["tensorrt"].windows:
        for size in windows.seeing(int(row.numbers["context_frames"])).sizes:
            assert size <= only.inputs["mel"].max[2]
    assert only.inputs["mel"].max[2] >= row.numbers["chunk_frames"] + row.numbers["context_frames"]


def test_a_graph_that_stands_still_needs_no_profile() -> None:
    assert profiles("vocoder", {"latent": (1, 192, 40), "style": (1, 512, 1)}, 100) == ()


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("max_len", [32, 1000, 4096])
def test_every_graph_of_the_contract_gets_lengths_in_order(graph: str, max_len: int) -> None:
    inputs = {
        tensor.name: tuple(
            -1 if dynamic and dim not in ("C", "K") else 8
            for dim, dynamic in zip(tensor.dims, tensor.dynamic, strict=True)
        )
        for tensor in GRAPHS[graph].single().expanded(2).inputs  # an engine decodes one
    }
    for profile in profiles(graph, inputs, max_len):
        for shapes in profile.inputs.values():
            for low, usual, high in zip(shapes.min, shapes.opt, shapes.max, strict=True):
                assert 0 <= low <= usual <= high
    for spans in spans_of(graph, max_len).values():
        assert spans.keys() <= DYNAMIC


def test_what_must_stand_still_in_an_engine_is_refused_when_it_is_dynamic() -> None:
    with pytest.raises(GraphError, match=r"t2s_decoder: 'past_keys\.0' is dynamic in C; fix it"):
        profiles("t2s_decoder", DECODER | {"past_keys.0": (1, 4, -1, 16)}, 500)
    with pytest.raises(GraphError, match="'style' is dynamic in G"):
        profiles("vocoder", {"latent": (1, 192, -1), "style": (1, -1, 1)}, 100)


def test_an_input_that_the_contract_has_not_is_refused() -> None:
    with pytest.raises(GraphError, match="input 'speed' is not in the contract"):
        profiles("vocoder", {"speed": (1,)}, 100)
    with pytest.raises(GraphError, match="'latent' has 2 dims"):
        profiles("vocoder", {"latent": (1, -1)}, 100)
