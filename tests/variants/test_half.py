"""fp16 where it holds; what does not hold goes back to fp32, measured and named."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from runtime.errors import GraphError
from tests.variants import tiny
from workflow_scripts.graphs.answers import Answer
from workflow_scripts.variants.half import METHOD, RANGE_OPS, to_half
from workflow_scripts.variants.measure import Running, distance
from workflow_scripts.variants.ranges import largest_values
from workflow_scripts.variants.stored import METHOD as STORED


def far(model: onnx.ModelProto, cases: dict[str, Answer]) -> float | None:
    onnx.checker.check_model(model)
    return distance(Running(model.SerializeToString(), "tiny"), cases)


def test_a_harmless_graph_is_fp16_throughout() -> None:
    job = tiny.job(tiny.dense)
    model, record = to_half(tiny.dense(), job)
    assert (record.method, record.kept) == (METHOD, {})
    assert set(tiny.Made(model).types.values()) == {TensorProto.FLOAT16}
    assert 1e-5 < far(model, job.cases) < job.aim


def test_casts_to_float_are_converted_or_kept_like_any_node() -> None:
    for keep in ((), ("count",), ("by rows",)):
        job = tiny.job(tiny.counting, keep_fp32=keep)
        model, record = to_half(tiny.counting(), job)
        assert (record.method, set(record.kept)) == (METHOD, set(keep))
        assert [trial.failure for trial in record.trials] == [""]
        assert far(model, job.cases) < job.aim


def test_whole_numbers_are_never_left_to_fp16() -> None:
    def best() -> onnx.ModelProto:
        model = tiny.graph([helper.make_node("ArgMax", ["x"], ["y"], axis=1)], [], 1)
        model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
        return model

    _, record = to_half(best(), tiny.job(best, name="quantizer"))
    assert record.method == STORED
    assert record.why == "y are whole numbers: a small error picks another"


def test_inputs_and_outputs_stay_fp32() -> None:
    for make in (tiny.dense, tiny.loud, tiny.ends_loud):
        model, _ = to_half(make(), tiny.job(make))
        ends = (*model.graph.input, *model.graph.output)
        assert {end.name for end in ends} == {"x", "y"}
        assert {end.type.tensor_type.elem_type for end in ends} == {TensorProto.FLOAT}


def test_nodes_over_the_range_stay_fp32_and_say_how_far() -> None:
    job = tiny.job(tiny.loud)
    model, record = to_half(tiny.loud(), job)
    assert record.method == METHOD
    assert set(record.kept) == {"louder", "softer", "Mul.3"}
    assert all("reaches" in reason for reason in record.kept.values())
    assert tiny.Made(model).types["matrix"] == TensorProto.FLOAT16
    assert far(model, job.cases) < job.aim
    casts = [node.name for node in model.graph.node if node.op_type == "Cast"]
    assert len(casts) == 5, f"values over the range must not pass through float16: {casts}"


def test_an_output_over_the_range_does_not_pass_through_float16() -> None:
    job = tiny.job(tiny.ends_loud)
    model, record = to_half(tiny.ends_loud(), job)
    assert set(record.kept) == {"louder"}
    assert far(model, job.cases) == 0


def test_only_the_segment_that_needs_it_stays_fp32() -> None:
    job = tiny.job(tiny.fine)
    model, record = to_half(tiny.fine(), job)
    assert {"offset", "difference"} <= set(record.kept)
    assert "relu y" not in record.kept
    assert far(model, job.cases) <= job.aim
    assert [trial.relative_rms > job.aim for trial in record.trials[:2]] == [True, True]
    assert record.trials[-1].relative_rms <= job.aim


def test_a_graph_that_can_not_hold_is_stored_and_says_why() -> None:
    job = tiny.job(tiny.hopeless)
    model, record = to_half(tiny.hopeless(), job)
    assert record.method == STORED
    assert record.why == "no choice of nodes came within 0.005 of the answers"
    assert len(record.trials) > 2
    assert far(model, job.cases) < job.aim


@pytest.mark.parametrize(
    ("make", "name", "why"),
    [
        (tiny.dense, "t2s_decoder", "the decoder's fp16 arithmetic is slower than fp32 on a CPU"),
        (tiny.dense, "t2s_embed", "its sines of late positions need more than 11 bits"),
        (
            tiny.dense,
            "hubert",
            "overflows on some recordings, and small errors move the prompt tokens",
        ),
        (tiny.contributed, "prior", "FusedMatMul is no standard operator"),
    ],
)
def test_sensitive_graphs_and_contributed_operators_are_stored(make, name: str, why: str) -> None:
    job = tiny.job(make, name=name)
    model, record = to_half(make(), job)
    assert (record.method, record.why, record.trials) == (STORED, why, ())
    assert far(model, job.cases) < job.aim


def test_a_node_named_on_request_stays_fp32_with_its_weight() -> None:
    job = tiny.job(tiny.dense, keep_fp32=("sec*",))
    model, record = to_half(tiny.dense(), job)
    assert record.kept == {"second": "kept on request"}
    types = tiny.Made(model).types
    assert (types["second"], types["first"]) == (TensorProto.FLOAT, TensorProto.FLOAT16)
    assert far(model, job.cases) < job.aim


def test_a_weight_of_a_kept_and_of_a_converted_node_exists_twice() -> None:
    def shared() -> onnx.ModelProto:
        model = tiny.dense()
        model.graph.node[3].input[1] = "first"
        return model

    job = tiny.job(shared, keep_fp32=("second",))
    model, _ = to_half(shared(), job)
    types = tiny.Made(model).types
    assert (types["first"], types["first.fp32"]) == (TensorProto.FLOAT16, TensorProto.FLOAT)
    assert far(model, job.cases) < job.aim


def test_another_output_than_the_answers_is_refused() -> None:
    job = tiny.job(tiny.dense)
    inputs = {"other": tiny.drawn(1, tiny.SIZE)}
    with pytest.raises(GraphError, match="prior: graph and recorded inputs differ in other, x"):
        to_half(tiny.dense(), type(job)("prior", {"one": Answer(inputs, {})}))


def test_the_largest_values_are_those_of_the_graph_and_skip_masks() -> None:
    model = tiny.loud()
    found = largest_values(model, "tiny", tiny.cases(model))
    assert set(found) == {"x", "a", "b", "c", "d", "y", "matrix", "gain", "loss"}
    inputs = [tiny.drawn(rows, tiny.SIZE, seed=rows) for rows in (1, 2, 5)]
    assert found["x"] == max(np.abs(array).max() for array in inputs)
    assert found["b"] == pytest.approx(found["a"] * 3e5)
    masked = Answer({"x": np.full((1, tiny.SIZE), -np.inf, np.float32)}, {})
    assert largest_values(tiny.ends_loud(), "tiny", {"mask": masked})["y"] == 0
    empty = Answer({"x": np.zeros((0, tiny.SIZE), np.float32)}, {})
    assert largest_values(tiny.ends_loud(), "tiny", {"empty": empty})["x"] == 0


def test_operators_that_lose_range_exist() -> None:
    for op in RANGE_OPS:
        assert onnx.defs.has(op)
