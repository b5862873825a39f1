"""Simplifying changes nothing but the nodes, and a graph that it would change is refused."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from runtime.errors import GraphError
from tests.goldens import Case, sovits_models, t2s_cases
from tests.graphs.exported import exported, simplified
from tests.t2s_models import t2s_graphs, t2s_model
from workflow_scripts.graphs import answers
from workflow_scripts.graphs.simplify import largest_difference, main, simplify_file

VOICE = sovits_models()[1:2]


def with_one_weight_changed(graph: Path, by: float, to: Path) -> Path:
    model = onnx.load(graph)
    weight = next(w for w in model.graph.initializer if w.name == "conv_pre.bias")
    values = numpy_helper.to_array(weight).copy()
    values[0] += by
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    onnx.save(model, to)
    return to


@pytest.mark.golden
@pytest.mark.parametrize("case", VOICE, ids=str)
def test_a_graph_with_one_changed_weight_is_refused(case: Case, tmp_path: Path) -> None:
    folder = exported("sovits", case.model)
    raw, recorded = folder / "vocoder.onnx", answers.load(folder / "vocoder.npz")
    assert largest_difference(raw, raw, "vocoder", recorded) == 0
    for by in (0.1, np.nan):
        broken = with_one_weight_changed(raw, by, tmp_path / "broken.onnx")
        with pytest.raises(GraphError, match=r"broken\.onnx: vocoder: 'audio' differs .* case N20"):
            largest_difference(raw, broken, "vocoder", recorded)


@pytest.mark.golden
@pytest.mark.parametrize("case", VOICE, ids=str)
def test_a_raw_graph_that_breaks_the_contract_is_refused(case: Case, tmp_path: Path) -> None:
    folder = exported("sovits", case.model)
    recorded = answers.load(folder / "vocoder.npz")
    with pytest.raises(GraphError, match=r"vocoder\.onnx: input 'tokens' is missing"):
        simplify_file(folder / "vocoder.onnx", "prior", recorded, tmp_path / "out.onnx")


@pytest.mark.golden
@pytest.mark.parametrize("case", VOICE, ids=str)
def test_simplified_graphs_hold_standard_operators_and_the_checkpoint_s_names(case: Case) -> None:
    for graph, (path, _) in simplified("sovits", case.model).items():
        model = onnx.load(path)
        operators = {node.op_type for node in model.graph.node}
        assert {node.domain for node in model.graph.node} == {""}
        assert not operators & {"Loop", "If", "NonZero", "SequenceAt", "Where"}, graph
        assert not [w.name for w in model.graph.initializer if "::" in w.name]
    weights = {w.name: w for w in onnx.load(path).graph.initializer}  # of the vocoder, the last
    assert list(weights["conv_pre.weight"].dims)[2] == 1, "a convolution of height 1"


@pytest.mark.golden
@pytest.mark.parametrize("case", VOICE, ids=str)
def test_the_command_writes_graph_and_record_or_neither(case: Case, tmp_path: Path) -> None:
    folder = exported("sovits", case.model)
    output, record = tmp_path / "out" / "style.onnx", tmp_path / "out" / "style.json"
    paths = ["--output", f"{output}", "--record", f"{record}"]
    command = [f"{folder / 'style.onnx'}", "--graph", "style"]
    with pytest.raises(GraphError, match=r"case N20 of the recorded answers differs .* 'audio'"):
        main([*command, "--answers", f"{folder / 'vocoder.npz'}", *paths])
    assert not output.exists()
    assert not record.exists()
    main([*command, "--answers", f"{folder / 'style.npz'}", *paths])
    written = json.loads(record.read_text("utf-8"))
    assert written["graph"] == "style"
    assert written["simplified"] is True
    assert written["nodes_after"] == len(onnx.load(output).graph.node) < written["nodes_before"]
    assert written["cases"] == ["R60", "R1", "R4", "R500"]


@pytest.mark.golden
@pytest.mark.parametrize("case", t2s_cases("single")[:1], ids=str)
def test_graphs_with_operators_of_onnx_runtime_are_taken(case: Case, tmp_path: Path) -> None:
    raw = t2s_graphs(case.model) / "t2s_decoder.onnx"
    sizes = t2s_model(case.model).sizes
    assert "GroupQueryAttention" in {node.op_type for node in onnx.load(raw).graph.node}
    generator = np.random.default_rng(0)
    inputs = {
        "rows": generator.standard_normal((5, sizes.hidden)).astype(np.float32),
        "live_rows": np.array([5], np.int32),
        "bias": np.zeros((1, 1, 5, 5), np.float32),
    }
    outputs = {"logits": np.zeros((1, sizes.vocabulary), np.float32)}
    for layer in range(sizes.layers):
        for kind in ("keys", "values"):
            cache = np.zeros((1, sizes.heads, 16, sizes.head_width), np.float32)
            inputs[f"past_{kind}.{layer}"] = cache
            outputs[f"present_{kind}.{layer}"] = cache
    recorded = {"prefill": answers.Answer(inputs, outputs)}
    record = simplify_file(raw, "t2s_decoder", recorded, tmp_path / "t2s_decoder.onnx")
    assert record.simplified or record.reason
    operators = [node.op_type for node in onnx.load(tmp_path / "t2s_decoder.onnx").graph.node]
    assert operators.count("GroupQueryAttention") == sizes.layers
