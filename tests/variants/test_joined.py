"""Products that add their bias, and norms that add their residual."""

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.variants import tiny
from workflow_scripts.graphs.answers import Answer
from workflow_scripts.variants.joined import join
from workflow_scripts.variants.weight_only import JOINED, weight_only

CASE = Answer({"x": tiny.drawn(3, tiny.SIZE, seed=9)}, {})


def block(bias: np.ndarray, sum_is_read: bool = False) -> onnx.ModelProto:
    """Product, bias, residual and layer norm, all nodes without names; then Relu or a sum."""
    make = helper.make_node
    last = make("Add", ["c", "b"], ["y"]) if sum_is_read else make("Relu", ["c"], ["y"])
    nodes = [
        make("MatMul", ["x", "matrix"], ["a0"]),
        make("Add", ["a0", "bias"], ["a"]),
        make("Add", ["x", "a"], ["b"]),
        make("LayerNormalization", ["b", "gain", "shift"], ["c"], axis=-1, epsilon=1e-3),
        last,
    ]
    kept = tiny.weights(
        matrix=tiny.drawn(tiny.SIZE, tiny.SIZE, seed=1) / 7,
        bias=bias,
        gain=tiny.drawn(tiny.SIZE, seed=2),
        shift=tiny.drawn(tiny.SIZE, seed=3),
    )
    return tiny.graph(nodes, kept)


def apart(model: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> onnx.ModelProto:
    """With the product in 8 bits and nothing joined."""
    with monkeypatch.context() as patch:
        patch.setattr("workflow_scripts.variants.weight_only.JOINED", frozenset())
        job = tiny.job(lambda: block(np.ones(tiny.SIZE)), name="t2s_decoder", block=16)
        return weight_only(model, job, bits=8)[0]


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node if node.op_type != "Cast"]


def test_a_decoder_in_integers_has_its_sums_joined_and_answers_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bias = tiny.drawn(tiny.SIZE, seed=4)
    plain = apart(block(bias), monkeypatch)
    job = tiny.job(lambda: block(bias), name="t2s_decoder", block=16)
    joined = weight_only(block(bias), job, bits=8)[0]
    assert "t2s_decoder" in JOINED
    assert operators(joined) == ["MatMulNBits", "SkipLayerNormalization", "Relu"]
    before = tiny.Made(plain).run(CASE)
    np.testing.assert_allclose(tiny.Made(joined).run(CASE), before, atol=1e-5)


def test_a_sum_that_something_else_reads_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    model = apart(block(tiny.drawn(tiny.SIZE), sum_is_read=True), monkeypatch)
    before = tiny.Made(model).run(CASE)
    join(model)
    assert operators(model) == ["MatMulNBits", "Add", "LayerNormalization", "Add"]
    np.testing.assert_allclose(tiny.Made(model).run(CASE), before, atol=1e-5)


def test_a_number_is_no_bias_of_a_product(monkeypatch: pytest.MonkeyPatch) -> None:
    model = apart(block(np.array(0.5)), monkeypatch)
    before = tiny.Made(model).run(CASE)
    join(model)
    assert operators(model) == ["MatMulNBits", "Add", "SkipLayerNormalization", "Relu"]
    np.testing.assert_allclose(tiny.Made(model).run(CASE), before, atol=1e-5)


def test_other_graphs_keep_operators_that_every_back_end_takes() -> None:
    bias = tiny.drawn(tiny.SIZE)
    job = tiny.job(lambda: block(bias), name="roberta", block=16)
    model = weight_only(block(bias), job, bits=8)[0]
    assert "SkipLayerNormalization" not in operators(model)


def test_what_can_t_be_joined_is_left_alone() -> None:
    model = tiny.ends_loud()
    join(model)
    assert operators(model) == ["Mul"]
