"""The decoder in standard operators: the same numbers, a cache of fixed length."""

import numpy as np
import onnx
import pytest

from runtime.backends import Threads
from runtime.backends.cpu import open_graph
from runtime.errors import GraphError
from tests.engines.files import MAX_LEN, TINY_DECODER, answers_of, for_engine, stored
from tests.goldens import OWN
from tests.t2s_models import t2s_model
from workflow_scripts.engines.decoder import attention_for, engine_decoder
from workflow_scripts.engines.importer import Release
from workflow_scripts.graphs import answers
from workflow_scripts.graphs.answers import Answer
from workflow_scripts.graphs.t2s import build_decoder
from workflow_scripts.variants.job import ReductionJob
from workflow_scripts.variants.stored import stored_half

TINY = TINY_DECODER
HIDDEN = np.finfo(np.float32).min
ATTENTIONS = ("scatter", "scatter_in_parts", "scatter_elements")


def cases() -> dict[str, Answer]:
    """Those that fit into MAX_LEN rows."""
    recorded = answers.load(answers_of(*TINY))
    return {k: v for k, v in recorded.items() if v.inputs["bias"].shape[3] <= MAX_LEN}


def widened(case: Answer) -> dict[str, np.ndarray]:
    """The inputs with caches of MAX_LEN rows and a bias that masks the rest."""
    inputs = dict(case.inputs)
    bias = inputs["bias"]
    hidden = ((0, 0), (0, 0), (0, 0), (0, MAX_LEN - bias.shape[3]))
    inputs["bias"] = np.pad(bias, hidden, constant_values=HIDDEN)
    for name in inputs:
        if name.startswith("past_"):
            rows = inputs[name].shape[2]
            more = ((0, 0), (0, 0), (0, MAX_LEN - rows), (0, 0))
            inputs[name] = np.pad(inputs[name], more, constant_values=9)  # must not be looked at
    return inputs


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_rewritten_it_answers_as_pytorch(attention: str) -> None:
    graph = for_engine(*TINY, attention)
    runner = open_graph(graph, Threads(intra_op=1))
    names = [value.name for value in onnx.load(graph).graph.output]
    assert {name.split(",")[0] for name in cases()} == {"prefill", "step"}
    for case in cases().values():
        found = dict(zip(names, runner.run(widened(case)), strict=True))
        cached = case.inputs["bias"].shape[3]
        np.testing.assert_allclose(found["logits"], case.outputs["logits"], atol=1e-4)
        for name in case.outputs.keys() - {"logits"}:
            np.testing.assert_allclose(
                found[name][:, :, :cached], case.outputs[name][:, :, :cached], atol=1e-4
            )


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_only_the_rows_of_a_call_keep_a_dynamic_dim(attention: str) -> None:
    graph = onnx.load(for_engine(*TINY, attention)).graph
    dynamic = {
        dim.dim_param
        for value in (*graph.input, *graph.output)
        for dim in value.type.tensor_type.shape.dim
        if dim.dim_param
    }
    assert dynamic == {"Q"}
    assert not any(node.domain for node in graph.node)


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("exported_as", ["group_query", "scatter"])
def test_a_step_that_is_told_its_row_asks_the_host_for_nothing(
    attention: str, exported_as: str
) -> None:
    exported = build_decoder(t2s_model(OWN / "t2s/tiny_a.ckpt"), exported_as)
    graph = engine_decoder(exported, MAX_LEN, attention, given_row=True).graph
    names = [value.name for value in graph.input if not value.name.startswith("past_")]
    assert sorted(names) == ["bias", "first_new_row", "rows"]
    operators = {node.op_type for node in graph.node}
    assert "Pad" not in operators
    if "TensorScatter" in operators:
        assert not any(node.op_type == "Shape" and node.input[0] == "rows" for node in graph.node)


def test_weights_keep_their_names_and_their_precision() -> None:
    half, _ = stored_half(onnx.load(stored(*TINY)), ReductionJob("t2s_decoder", {}))
    rewritten = engine_decoder(half, MAX_LEN, "scatter")
    before = {w.name: w.data_type for w in half.graph.initializer if len(w.dims) == 2}
    after = {w.name: w.data_type for w in rewritten.graph.initializer if len(w.dims) == 2}
    assert before == after
    assert onnx.TensorProto.FLOAT16 in set(after.values())


def test_the_graph_that_was_given_is_not_changed() -> None:
    model = onnx.load(stored(*TINY))
    before = model.SerializeToString()
    engine_decoder(model, MAX_LEN, "scatter")
    assert model.SerializeToString() == before


def test_attention_that_is_not_ours_is_refused() -> None:
    model = onnx.load(stored(*TINY))
    node = next(node for node in model.graph.node if node.op_type == "GroupQueryAttention")
    node.input[10] = "rows"
    with pytest.raises(GraphError, match=r"GroupQueryAttention\.\d+' is not as our export"):
        engine_decoder(model, MAX_LEN, "scatter")


@pytest.mark.parametrize(
    ("release", "attention"),
    [
        (Release("tensorrt", "10.13.3.9"), "scatter_elements"),
        (Release("tensorrt", "10.14.1.2"), "scatter_elements"),
        (Release("tensorrt", "10.15.0.1"), "scatter_in_parts"),
        (Release("tensorrt", "11.4.0.106"), "scatter_in_parts"),
        (Release("tensorrt_rtx", "1.7.1.116"), "scatter_in_parts"),
    ],
)
def test_the_attention_follows_the_importer(release: Release, attention: str) -> None:
    assert attention_for(release) == attention
