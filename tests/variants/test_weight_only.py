"""MatMul weights in 8 and 4 bits."""

from functools import partial

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from runtime.errors import GraphError
from tests.proof import decoder
from tests.variants import tiny
from workflow_scripts.graphs.answers import Answer
from workflow_scripts.variants.job import ReductionJob
from workflow_scripts.variants.measure import Running, distance
from workflow_scripts.variants.packing import pack
from workflow_scripts.variants.weight_only import gemms_to_matmuls, weight_only

eight = partial(weight_only, bits=8)
four = partial(weight_only, bits=4)


def unpacked(
    matrix: np.ndarray, bits: int, block: int, gram: np.ndarray | None = None
) -> np.ndarray:
    """What the integers and scales stand for, float32 [K, N]."""
    packed = pack(matrix, bits, block, gram)
    numbers = packed.numbers.astype(np.int32)
    if bits == 4:
        numbers = np.stack([numbers & 15, numbers >> 4], -1).reshape(*numbers.shape[:2], -1)
    scales = packed.scales.reshape(*numbers.shape[:2], 1)
    zeros = 128
    if packed.zeros is not None:
        packed_rows = packed.zeros.reshape(numbers.shape[0], -1).astype(np.int32)
        rows = np.stack([packed_rows & 15, packed_rows >> 4], -1).reshape(numbers.shape[0], -1)
        zeros = rows[:, : numbers.shape[1], None]
    values = (numbers - zeros) * scales
    return values.reshape(values.shape[0], -1)[:, : matrix.shape[0]].T


@given(
    inner=st.integers(1, 70),
    outer=st.integers(1, 5),
    bits=st.sampled_from([4, 8]),
    block=st.sampled_from([16, 32]),
    scale=st.sampled_from([0.0, 1e-3, 1.0, 1e3]),
)
def test_a_packed_matrix_is_within_half_a_step(
    inner: int, outer: int, bits: int, block: int, scale: float
) -> None:
    matrix = tiny.drawn(inner, outer, seed=inner) * np.float32(scale)
    error = np.abs(unpacked(matrix, bits, block) - matrix)
    largest = np.abs(matrix).max()
    # a peak on the short side of the integers may lose a whole step, and 4 bits may cut it more
    assert error.max() <= largest * (1.01 / 128 if bits == 8 else 0.4)


def test_scales_that_err_least_beat_plain_rounding() -> None:
    matrix = tiny.drawn(128, 64)
    blocks = matrix.T.reshape(64, 4, 32)
    step = np.abs(blocks).max(-1, keepdims=True) / 7
    plain = (np.rint(blocks / step) * step).reshape(64, 128).T
    error, plain_error = (np.square(m - matrix).mean() for m in (unpacked(matrix, 4, 32), plain))
    assert error < 0.75 * plain_error


def test_a_block_on_one_side_of_zero_uses_all_numbers() -> None:
    matrix = np.linspace(0, 1, 16, dtype=np.float32)[:, None]  # 16 numbers, equally far apart
    np.testing.assert_allclose(unpacked(matrix, 4, 16), matrix, atol=1e-6)
    np.testing.assert_allclose(unpacked(-matrix, 4, 16), -matrix, atol=1e-6)


def correlated(rows: int, inner: int) -> np.ndarray:
    """Inputs as networks have them: a few directions carry most of the power."""
    return tiny.drawn(rows, 8) @ tiny.drawn(8, inner, seed=1) + tiny.drawn(rows, inner) / 10


@pytest.mark.parametrize("inner", [64, 70])
def test_what_is_multiplied_with_it_draws_the_rounding_to_nearer_products(inner: int) -> None:
    matrix, inputs = tiny.drawn(inner, 24, seed=2), correlated(400, inner)
    plain = unpacked(matrix, 4, 16)
    aware = unpacked(matrix, 4, 16, inputs.T @ inputs)
    error, plain_error = (
        np.square(correlated(300, inner)[200:] @ (found - matrix)).mean()
        for found in (aware, plain)
    )
    assert error < 0.5 * plain_error
    assert np.square(aware - matrix).mean() > np.square(plain - matrix).mean()


@pytest.mark.parametrize("power", [0.0, 3.0])
def test_inputs_that_tell_nothing_change_nothing(power: float) -> None:
    matrix = tiny.drawn(48, 5)
    gram = power * np.eye(48, dtype=np.float32)
    np.testing.assert_array_equal(unpacked(matrix, 4, 16, gram), unpacked(matrix, 4, 16))


def test_a_decoder_in_4_bits_is_rounded_by_its_recorded_inputs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = ReductionJob("t2s_decoder", decoder.cases(), block=16)
    aware, _ = four(decoder.model(), job)
    monkeypatch.setattr("workflow_scripts.variants.weight_only.COMPENSATED", frozenset())
    plain, _ = four(decoder.model(), job)
    far, plain_far = (
        distance(Running(model.SerializeToString(), "decoder"), job.cases)
        for model in (aware, plain)
    )
    assert 0 < far < plain_far


@pytest.mark.parametrize(("convert", "bits", "limit"), [(eight, 8, 0.02), (four, 4, 0.2)])
def test_answers_stay_near_and_the_file_shrinks(convert, bits: int, limit: float) -> None:
    job = tiny.job(tiny.dense, name="roberta", block=16)
    model, record = convert(tiny.dense(), job)
    assert {node.op_type for node in model.graph.node} >= {"MatMulNBits", "Add"}
    assert "Gemm" not in {node.op_type for node in model.graph.node}
    assert record.method == f"MatMul weights in {bits} bits, others in fp16"
    assert not {"first", "first.transposed", "second"} & set(tiny.Made(model).types)
    assert 0 < distance(Running(model.SerializeToString(), "tiny"), job.cases) < limit


def test_named_layers_keep_eight_bits_or_fp32_and_are_recorded() -> None:
    job = tiny.job(tiny.dense, keep_int8=("second",), keep_fp32=("first*",), block=16)
    model, record = four(tiny.dense(), job)
    assert record.kept == {
        "first.transposed": "kept in fp32 on request",
        "second": "kept in 8 bits on request",
    }
    types = tiny.Made(model).types
    assert types["first.transposed"] == TensorProto.FLOAT
    assert "second.int8" in types
    assert distance(Running(model.SerializeToString(), "tiny"), job.cases) < 0.02


def test_products_with_fp32_are_nearer_than_those_with_int8() -> None:
    found = {}
    for activations, level in (("int8", 4), ("fp32", 1)):
        job = tiny.job(tiny.dense, activations=activations, block=16)
        model, _ = eight(tiny.dense(), job)
        levels = {
            field.i
            for node in model.graph.node
            for field in node.attribute
            if field.name == "accuracy_level"
        }
        assert levels == {level}
        found[activations] = distance(Running(model.SerializeToString(), "tiny"), job.cases)
    assert found["fp32"] < found["int8"]


def test_the_layer_that_gives_logits_keeps_eight_bits_unasked() -> None:
    def predicting() -> onnx.ModelProto:
        nodes = [
            helper.make_node("MatMul", ["x", "inner"], ["a"], name="inner"),
            helper.make_node("MatMul", ["a", "ar_predict_layer.weight"], ["y"], name="logits"),
        ]
        drawn = {"inner": tiny.drawn(48, 48), "ar_predict_layer.weight": tiny.drawn(48, 48)}
        return tiny.graph(nodes, tiny.weights(**drawn))

    job = tiny.job(predicting, name="t2s_decoder", block=16)
    model, record = four(predicting(), job)
    assert record.kept == {"ar_predict_layer.weight": "8 bits: gives logits"}
    assert {"inner.int4", "ar_predict_layer.weight.int8"} <= set(tiny.Made(model).types)
    assert eight(predicting(), job)[1].kept == {}


@pytest.mark.parametrize("fields", [{}, {"transB": 1}, {"alpha": 0.5}, {"beta": 2.0}])
@pytest.mark.parametrize("biased", [True, False])
def test_a_gemm_computes_the_same_as_a_matmul(fields: dict, biased: bool) -> None:
    inputs = ["x", "matrix", "bias"][: 3 if biased else 2]
    node = helper.make_node("Gemm", inputs, ["y"], name="gemm", **fields)
    model = tiny.graph([node], tiny.weights(matrix=tiny.drawn(48, 48), bias=tiny.drawn(48)))
    case = Answer({"x": tiny.drawn(3, 48)}, {})
    before = tiny.Made(model).run(case)
    gemms_to_matmuls(model)
    onnx.checker.check_model(model)
    np.testing.assert_allclose(tiny.Made(model).run(case), before, atol=1e-4)
    plain = not {"alpha", "beta"} & set(fields)
    assert (model.graph.node[0].op_type == "MatMul") == plain


def test_a_weight_that_others_read_too_stays_for_them() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "matrix"], ["a"]),
        helper.make_node("MatMul", ["a", "matrix"], ["b"]),
        helper.make_node("Add", ["matrix", "b"], ["y"]),
    ]
    model = tiny.graph(nodes, tiny.weights(matrix=tiny.drawn(48, 48) / 7))
    case = Answer({"x": tiny.drawn(1, 48)}, {})
    before = tiny.Made(model).run(case)
    model, _ = eight(model, tiny.job(tiny.dense, block=16))
    assert [node.op_type for node in model.graph.node].count("MatMulNBits") == 2
    np.testing.assert_allclose(tiny.Made(model).run(case), before, atol=0.1)


def test_a_graph_without_matrices_is_refused() -> None:
    with pytest.raises(GraphError, match="vocoder: has no MatMul weights"):
        eight(tiny.ends_loud(), tiny.job(tiny.ends_loud, name="vocoder"))
