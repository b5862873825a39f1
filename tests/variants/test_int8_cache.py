"""A decoder whose KV cache is int8: what it answers, how it decodes, what a wrong scale does."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from runtime.backends import Threads
from runtime.backends.cpu import open_graph
from runtime.t2s.cache import CAPACITIES, CacheShape
from runtime.t2s.decode import Decoder
from runtime.t2s.request import Prompt, forced_logits
from tests.goldens import OWN
from tests.proof import decoder
from tests.t2s_models import t2s_decoder, t2s_graphs, t2s_model
from workflow_scripts.graphs.check import check_model
from workflow_scripts.graphs.t2s_answers import t2s_answers
from workflow_scripts.proof.metrics import METRICS
from workflow_scripts.variants.int8_cache import int8_cache, measured_scales, scales_of, to_integers
from workflow_scripts.variants.job import ReductionJob
from workflow_scripts.variants.measure import Running, distance

WIDE, ODD = OWN / "t2s/tiny_a.ckpt", OWN / "t2s/tiny_c.ckpt"  # heads of 16 and of 12
LONGEST = 2048


def job() -> ReductionJob:
    return ReductionJob("t2s_decoder", decoder.cases())


def far(model: onnx.ModelProto) -> float:
    found = distance(Running(model.SerializeToString(), "t2s_decoder"), decoder.cases())
    assert found is not None
    return found


def caches(model: onnx.ModelProto) -> set[int]:
    values = (*model.graph.input, *model.graph.output)
    return {
        v.type.tensor_type.elem_type for v in values if v.name.startswith(("past_", "present_"))
    }


@pytest.fixture(scope="module")
def int8_decoder(tmp_path_factory: pytest.TempPathFactory) -> Decoder:
    model = t2s_model(WIDE)
    folder = t2s_graphs(WIDE)
    answers = t2s_answers(model)["t2s_decoder"]
    graph, _ = int8_cache(
        onnx.load(folder / "t2s_decoder.onnx"), ReductionJob("t2s_decoder", answers)
    )
    check_model(graph, "t2s_decoder", "int8")
    path = tmp_path_factory.mktemp("int8") / "t2s_decoder.onnx"
    onnx.save(graph, path)
    runner, one = open_graph(path, Threads(1)), Threads(1)
    sizes = model.sizes
    shape = CacheShape(
        sizes.layers, sizes.heads, sizes.head_width, runner.input_dtype("past_keys.0")
    )
    tables = t2s_decoder(WIDE)._tables
    return Decoder(open_graph(folder / "t2s_embed.onnx", one), runner, tables, shape)


def prompt() -> Prompt:
    drawn = np.random.default_rng(0)
    features = drawn.normal(size=(1024, 20)).astype(np.float32)
    return Prompt(drawn.integers(0, 700, 20), features, drawn.integers(0, 1024, 30))


def test_answers_stay_near_and_every_cache_is_int8() -> None:
    model, record = int8_cache(decoder.model(), job())
    assert caches(model) == {TensorProto.INT8}
    assert (record.method, record.why) == ("KV cache in 8 bits, a scale per channel", "")
    assert 0 < far(model) < 0.02


def test_a_scale_is_a_tenth_above_the_largest_recorded_value_of_its_channel() -> None:
    cases = decoder.cases()
    scales = scales_of(int8_cache(decoder.model(), job())[0])
    assert scales.keys() == measured_scales(cases).keys() == decoder_caches()
    recorded = [case.outputs["present_keys.1"] for case in cases.values()]
    cached = [case.inputs["bias"].shape[-1] for case in cases.values()]
    peaks = [np.abs(c[:, :, :n]).max(2) for c, n in zip(recorded, cached, strict=True)]
    np.testing.assert_allclose(scales["keys.1"][:, :, 0] * 127, 1.1 * np.max(peaks, 0), rtol=1e-6)


def decoder_caches() -> set[str]:
    return {f"{kind}.{layer}" for kind in ("keys", "values") for layer in range(decoder.LAYERS)}


@pytest.mark.parametrize("spoilt", sorted(decoder_caches()))
def test_a_wrong_scale_shows_in_the_distance(spoilt: str) -> None:
    model, _ = int8_cache(decoder.model(), job())
    right = far(model)
    scale = next(w for w in model.graph.initializer if w.name == f"cache_scale.{spoilt}")
    scale.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(scale) / 4, scale.name))
    assert far(model) > 10 * right  # what is four times too large is cut


def test_values_are_rounded_and_cut_as_the_operator_does() -> None:
    scale = np.full((1, 1, 1, 1), 0.5, np.float32)
    cache = np.array([0, 0.24, 0.26, 63.5, 900, -64, -900], np.float32).reshape(1, 1, -1, 1)
    assert to_integers(cache, scale).ravel().tolist() == [0, 0, 1, 127, 127, -128, -128]


def test_a_channel_that_is_always_zero_has_a_scale() -> None:
    cases = decoder.cases()
    for case in cases.values():
        case.outputs["present_keys.0"][..., 3] = 0
    assert measured_scales(cases)["keys.0"][..., 3].tolist() == [[[1.0], [1.0]]]


def test_a_head_width_that_the_operator_refuses_keeps_its_float_cache_and_says_why() -> None:
    graph = onnx.load(t2s_graphs(ODD) / "t2s_decoder.onnx")
    model, record = int8_cache(graph, job())
    assert caches(model) == {TensorProto.FLOAT}
    assert record.method == "KV cache in fp32"
    assert record.why.startswith("its head width is not GroupQueryAttention's")


def test_logits_under_teacher_forcing_stay_near_those_of_the_float_cache(
    int8_decoder: Decoder,
) -> None:
    assert int8_decoder.cache_shape.dtype == "int8"
    tokens = np.random.default_rng(1).integers(0, 1024, 60)
    found, wanted = (
        forced_logits(each, prompt(), tokens, LONGEST) for each in (int8_decoder, t2s_decoder(WIDE))
    )
    assert 0 < METRICS["kl"].measure(found, wanted) < 0.01
    assert METRICS["top1_agreement"].measure(found, wanted) > 0.9


def test_an_int8_cache_grows_without_changing_the_scores(int8_decoder: Decoder) -> None:
    forced = np.random.default_rng(2).integers(0, 1024, CAPACITIES[0])
    assert prompt().rows + forced.size > CAPACITIES[0], "never grows"
    grown = forced_logits(int8_decoder, prompt(), forced, LONGEST)
    # the grown state is kept for the next utterance, which therefore does not grow
    np.testing.assert_array_equal(forced_logits(int8_decoder, prompt(), forced, LONGEST), grown)


def test_a_row_takes_a_quarter_of_the_bytes(int8_decoder: Decoder) -> None:
    assert 4 * int8_decoder.cache_shape.row_bytes == t2s_decoder(WIDE).cache_shape.row_bytes
    (buffer, *_) = int8_decoder.state_at(9).cache.keys
    assert (buffer.dtype, buffer.any()) == (np.int8, True)
