"""The decoder in fp16 and bf16: what is rounded, what is not, and how far its logits go."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from runtime.contract import CARRIED
from runtime.measure.calibration import relative_rms
from runtime.t2s.request import forced_logits
from tests.goldens import Case, t2s_cases
from tests.loops import ATTENTIONS, loop_decoder, loop_file
from tests.runtime.test_decode import prompt_of
from tests.t2s_models import t2s_decoder, t2s_graphs, t2s_model
from workflow_scripts.engines.arithmetic import ARITHMETICS, compute_in
from workflow_scripts.engines.decoder import engine_decoder
from workflow_scripts.engines.importer import Release, check_importable
from workflow_scripts.engines.loop import loop_graph
from workflow_scripts.graphs.t2s import step_tables
from workflow_scripts.variants.job import ReductionJob
from workflow_scripts.variants.precisions import PRECISIONS
from workflow_scripts.variants.stored import stored_half

ROWS = 512
HALVES = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}
MULTIPLIED = ("Gemm", "MatMul", "Softmax", "LayerNormalization", "TensorScatter", "ScatterElements")
SAMPLED = ("TopK", "CumSum", "ArgMax")


@pytest.fixture(scope="module")
def case() -> Case:
    return next(case for case in t2s_cases("single") if case["prompts"].size)


def types_of(model: onnx.ModelProto) -> dict[str, int]:
    """Element type of every value; raises where two types meet in a node."""
    graph = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True).graph
    values = (*graph.input, *graph.output, *graph.value_info)
    found = {value.name: value.type.tensor_type.elem_type for value in values}
    return found | {weight.name: weight.data_type for weight in graph.initializer}


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("arithmetic", HALVES)
def test_the_decoder_is_rounded_and_the_sampler_is_not(
    case: Case, arithmetic: str, attention: str
) -> None:
    model = onnx.load(loop_file(case.model, ROWS, attention, arithmetic))
    types = types_of(model)
    half = HALVES[arithmetic]
    for node in model.graph.node:
        if node.op_type in MULTIPLIED and not node.name.startswith("loop/"):
            assert types[node.output[0]] == half, node.name
        if node.op_type in SAMPLED:
            assert types[node.input[0]] == TensorProto.FLOAT, node.name
    caches = {name: kind for name, kind in types.items() if name.startswith(("past_", "present_"))}
    assert set(caches.values()) == {half}
    assert types["logits"] == types["noise"] == types["used"] == TensorProto.FLOAT
    assert {types[name] for name in CARRIED} == {TensorProto.INT64, TensorProto.FLOAT}
    release = Release("tensorrt", "11.4.0.106" if attention == "scatter_in_parts" else "10.13.3.9")
    check_importable(model, attention, release)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_at_fp16_the_logits_are_within_its_bar(case: Case, attention: str) -> None:
    tokens = np.arange(60)
    wanted, found = (
        forced_logits(decoder, prompt_of(case), tokens, ROWS)
        for decoder in (t2s_decoder(case.model), loop_decoder(case.model, ROWS, attention, "fp16"))
    )
    distance = relative_rms(found, wanted)
    assert 1e-6 < distance < ARITHMETICS["fp16"].worst_rms, "rounded, and not by much"


def test_weights_that_are_stored_in_fp16_make_the_same_graph(case: Case) -> None:
    stored, _ = stored_half(
        onnx.load(t2s_graphs(case.model) / "t2s_decoder.onnx"), ReductionJob("t2s", {})
    )
    tables = step_tables(t2s_model(case.model))
    made = loop_graph(stored, tables, ROWS, ATTENTIONS[0], "fp16")
    exact = onnx.load(loop_file(case.model, ROWS, ATTENTIONS[0], "fp16"))
    weights, wanted = (
        {weight.name: weight.raw_data for weight in model.graph.initializer}
        for model in (made, exact)
    )
    assert weights == wanted
    assert [node.op_type for node in made.graph.node] == [n.op_type for n in exact.graph.node]


def test_no_bias_becomes_infinite(case: Case) -> None:
    model = engine_decoder(
        onnx.load(t2s_graphs(case.model) / "t2s_decoder.onnx"), ROWS, ATTENTIONS[1]
    )
    compute_in(model.graph, "fp16")
    for weight in model.graph.initializer:
        assert np.isfinite(onnx.numpy_helper.to_array(weight)).all(), weight.name
    (finite,) = (node for node in model.graph.node if node.op_type == "Max")
    assert finite.input[0] == "bias"


def test_every_precision_names_an_arithmetic_of_the_table() -> None:
    assert {row.arithmetic for row in PRECISIONS.values()} <= ARITHMETICS.keys()
    assert PRECISIONS["fp16"].arithmetic == "fp16"
    assert PRECISIONS["fp16_stored"].arithmetic == "fp32"
