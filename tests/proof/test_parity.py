"""Graphs against recorded answers: what is wrong is measured, named, and missed."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from runtime.errors import ConfigError, GraphError
from tests.proof import decoder
from tests.variants import tiny
from workflow_scripts.graphs import answers
from workflow_scripts.graphs.answers import Answer
from workflow_scripts.proof import parity
from workflow_scripts.proof.bars import missed, split
from workflow_scripts.proof.measured import Measured, read

BARS = {"max_abs": 1e-4, "y_snr_db": 60.0}


def saved(model: onnx.ModelProto, path: Path) -> Path:
    onnx.save(model, path)
    return path


def measured(model: onnx.ModelProto, cases: dict[str, Answer], folder: Path) -> Measured:
    """What the script writes."""
    graph, record = saved(model, folder / "graph.onnx"), folder / "answers.npz"
    answers.save(record, cases)
    output = folder / "parity" / "prior.json"
    options = ["--name", "prior", "--answers", str(record), "--output", str(output)]
    parity.main([str(graph), *options])
    return read(output)


def with_one_weight_changed(model: onnx.ModelProto, name: str, by: float) -> onnx.ModelProto:
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    values = numpy_helper.to_array(weight).copy()
    values.flat[0] += by
    weight.CopyFrom(numpy_helper.from_array(values, name))
    return model


def test_the_same_graph_is_perfect_and_misses_nothing(tmp_path: Path) -> None:
    report = measured(tiny.dense(), tiny.cases(tiny.dense()), tmp_path)
    assert (report.graph, report.finite) == ("prior", True)
    assert report.metrics == {"y_max_abs": 0, "y_relative_rms": 0, "y_snr_db": 200}
    assert [case.case for case in report.cases] == ["rows1", "rows2", "rows5"]
    assert missed(report, BARS) == ()


def test_one_changed_weight_is_caught_and_named(tmp_path: Path) -> None:
    broken = with_one_weight_changed(tiny.dense(), "second", by=0.1)
    report = measured(broken, tiny.cases(tiny.dense()), tmp_path)
    misses = missed(report, BARS)
    assert {(m.graph, m.output, m.metric) for m in misses} == {
        ("prior", "y", "max_abs"),
        ("prior", "y", "snr_db"),
    }
    by_case = {case.case: case.metrics["y_max_abs"] for case in report.cases}
    assert misses[0].case == max(by_case, key=by_case.get)
    assert misses[0].value == max(by_case.values()) == report.metrics["y_max_abs"]
    assert str(misses[0]).startswith("prior: y max_abs ")
    assert str(misses[0]).endswith(f"over the bar of 0.0001 (farthest at {misses[0].case})")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_null_and_misses_every_bar(tmp_path: Path, bad: float) -> None:
    broken = with_one_weight_changed(tiny.dense(), "shift", by=bad)
    report = measured(broken, tiny.cases(tiny.dense()), tmp_path)
    assert report.finite is False
    assert set(report.metrics.values()) == {None}
    assert {m.value for m in missed(report, BARS)} == {None}
    assert "y max_abs not finite, over the bar" in str(missed(report, BARS)[0])


def test_the_same_infinity_on_both_sides_is_a_mask_and_another_is_not(tmp_path: Path) -> None:
    node = helper.make_node("Add", ["x", "mask"], ["y"])
    mask = np.where(np.arange(tiny.SIZE) % 2, -np.inf, 0.0)
    model = tiny.graph([node], tiny.weights(mask=mask))
    cases = tiny.cases(model)
    assert measured(model, cases, tmp_path).metrics["y_max_abs"] == 0
    unmasked = tiny.graph([node], tiny.weights(mask=np.zeros(tiny.SIZE)))
    report = measured(unmasked, cases, tmp_path)
    assert report.metrics["y_max_abs"] is None
    assert missed(report, BARS)


def test_a_half_precision_output_is_measured_like_any_other(tmp_path: Path) -> None:
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT16)]
    model = tiny.graph(nodes, [])
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    inputs = {"x": tiny.drawn(2, tiny.SIZE)}
    report = measured(model, {"one": Answer(inputs, {"y": inputs["x"]})}, tmp_path)
    assert 0 < report.metrics["y_max_abs"] < 2e-3


def test_one_wrong_token_lowers_token_equality(tmp_path: Path) -> None:
    node = helper.make_node("ArgMax", ["x"], ["y"], axis=1)
    model = tiny.graph([node], [], 1)
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    cases = tiny.cases(model)
    assert measured(model, cases, tmp_path).metrics == {"y_token_equality": 1}
    cases["rows5"].outputs["y"][0] += 1
    report = measured(model, cases, tmp_path)
    assert report.metrics == {"y_token_equality": 0.8}
    assert [m.case for m in missed(report, {"token_equality": 1.0})] == ["rows5"]


def test_a_bar_that_names_no_metric_is_refused() -> None:
    report = Measured("prior", {}, ())
    with pytest.raises(ConfigError, match="'audio_snr' names no metric; known: max_abs, "):
        missed(report, {"audio_snr": 40.0})
    assert split("audio_snr_db") == ("audio", "snr_db")
    assert split("top1_agreement") == ("", "top1_agreement")


def test_a_graph_that_is_not_the_one_recorded_is_refused(tmp_path: Path) -> None:
    case = Answer({"x": tiny.drawn(1, tiny.SIZE)}, {"z": tiny.drawn(1, tiny.SIZE)})
    with pytest.raises(GraphError, match="prior: output 'z' is missing; export again"):
        measured(tiny.dense(), {"one": case}, tmp_path)
    (tmp_path / "graph.onnx").write_bytes(b"\xff" * 9)
    with pytest.raises(GraphError, match="prior: ONNX Runtime can't load it"):
        parity.parity(tmp_path / "graph.onnx", "prior", {"one": case})


def test_a_decoder_with_a_cache_is_measured_on_its_cached_positions(tmp_path: Path) -> None:
    report = measured(decoder.model(), decoder.cases(), tmp_path)
    assert report.metrics["logits_max_abs"] < 1e-5
    assert report.metrics["present_keys_max_abs"] < 1e-6
    assert report.metrics["present_values_max_abs"] < 1e-6
    assert "present_keys.1_max_abs" in report.cases[0].metrics
    assert missed(report, {"max_abs": 1e-5, "kl": 1e-6, "top1_agreement": 1.0}) == ()


def test_a_changed_layer_of_a_decoder_is_found_in_its_case(tmp_path: Path) -> None:
    broken = with_one_weight_changed(decoder.model(), "packed.1", by=0.5)
    report = measured(broken, decoder.cases(), tmp_path)
    outputs = {m.output for m in missed(report, {"max_abs": 1e-5})}
    assert outputs == {"logits"}, "the first column of the packed weight makes queries only"
    broken = with_one_weight_changed(decoder.model(), "keys_bias.1", by=0.5)
    report = measured(broken, decoder.cases(), tmp_path)
    misses = missed(report, {"present_keys_max_abs": 1e-5})
    assert [m.output for m in misses] == ["present_keys"]
