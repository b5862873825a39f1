"""Weights in half the bytes, arithmetic in fp32."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.variants import tiny
from workflow_scripts.variants.job import ReductionJob
from workflow_scripts.variants.measure import Running, distance
from workflow_scripts.variants.stored import stored_half


def test_weights_take_half_the_bytes_and_no_other_node_changes() -> None:
    job, before = tiny.job(tiny.dense), tiny.dense()
    model, record = stored_half(tiny.dense(), job)
    onnx.checker.check_model(model)
    assert record.kept == {}
    assert list(model.graph.node)[2:] == list(before.graph.node)
    assert {"first.half", "second.half", "bias", "gain", "shift"} == set(tiny.Made(model).types)
    assert model.ByteSize() < 0.6 * before.ByteSize()
    assert 0 < distance(Running(model.SerializeToString(), "tiny"), job.cases) < 5e-4


def test_weights_that_were_float16_give_the_very_same_answers() -> None:
    def exact() -> onnx.ModelProto:
        model = tiny.dense()
        for weight in model.graph.initializer:
            half = numpy_helper.to_array(weight).astype(np.float16).astype(np.float32)
            weight.CopyFrom(numpy_helper.from_array(half, weight.name))
        return model

    job = tiny.job(exact)
    model, _ = stored_half(exact(), job)
    assert distance(Running(model.SerializeToString(), "tiny"), job.cases) == 0


def test_onnx_runtime_widens_the_weights_once_when_it_loads(tmp_path) -> None:
    model, _ = stored_half(tiny.dense(), tiny.job(tiny.dense))
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(model.SerializeToString(), options)
    loaded = onnx.load(tmp_path / "optimised.onnx")
    assert "Cast" not in {node.op_type for node in loaded.graph.node}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.full((48, 48), 7e4), "larger than float16 can hold"),
        (tiny.drawn(48, 48) * 1e-7, "smaller than float16 resolves"),
    ],
)
def test_weights_that_float16_can_not_hold_stay_and_are_named(values, reason: str) -> None:
    def strange() -> onnx.ModelProto:
        node = helper.make_node("MatMul", ["x", "matrix"], ["y"])
        return tiny.graph([node], tiny.weights(matrix=values))

    model, record = stored_half(strange(), tiny.job(strange))
    assert record.kept == {"matrix": reason}
    assert tiny.Made(model).types == {"matrix": TensorProto.FLOAT}


def test_infinities_of_a_mask_are_kept() -> None:
    mask = np.where(np.arange(48) % 2, -np.inf, 0.0)[None].repeat(48, 0)
    node = helper.make_node("MatMul", ["x", "mask"], ["y"])
    model, record = stored_half(
        tiny.graph([node], tiny.weights(mask=mask)), ReductionJob("prior", {})
    )
    assert record.kept == {}
    stored = numpy_helper.to_array(model.graph.initializer[0])
    np.testing.assert_array_equal(stored, mask)


def test_a_weight_named_on_request_stays() -> None:
    _, record = stored_half(tiny.dense(), tiny.job(tiny.dense, keep_fp32=("fir*",)))
    assert record.kept == {"first": "kept on request"}


def test_large_constants_are_weights_too() -> None:
    value = numpy_helper.from_array(tiny.drawn(48, 48))
    nodes = [
        helper.make_node("Constant", [], ["matrix"], value=value),
        helper.make_node("MatMul", ["x", "matrix"], ["y"]),
    ]
    model, _ = stored_half(tiny.graph(nodes, []), ReductionJob("prior", {}))
    assert [node.op_type for node in model.graph.node] == ["Cast", "MatMul"]
    assert tiny.Made(model).types == {"matrix.half": TensorProto.FLOAT16}
