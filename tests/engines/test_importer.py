"""The graphs of the embedded voices hold nothing that the importer refuses; each rule can fail."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from runtime.contract import GRAPHS
from runtime.errors import GraphError
from tests.engines.files import EVERY, TINY_DECODER, for_engine, stored
from workflow_scripts.engines.decoder import attention_for
from workflow_scripts.engines.importer import Release, check_importable, faults
from workflow_scripts.graphs.check import load_structure

RTX = Release("tensorrt_rtx", "1.7.1.116")
TRT_11 = Release("tensorrt", "11.4.0.106")
ATTENTIONS_OF = {graph: ("",) for _, graph in EVERY} | {
    "t2s_decoder": ("scatter_in_parts", "scatter_elements")
}
RELEASES = (Release("tensorrt", "10.13.3.9"), Release("tensorrt", "10.16.1.11"), TRT_11, RTX)


@pytest.mark.parametrize(("source", "graph"), EVERY)
def test_every_graph_of_the_embedded_voices_can_be_imported(source: str, graph: str) -> None:
    models = {
        attention: onnx.load(for_engine(source, graph, attention))
        for attention in ATTENTIONS_OF[graph]
    }
    for release in RELEASES:
        check_importable(models.get(attention_for(release)) or models[""], graph, release)


@pytest.mark.parametrize(("source", "graph"), EVERY)
def test_of_each_input_only_what_the_contract_lets_move_is_symbolic(
    source: str, graph: str
) -> None:
    model = load_structure(for_engine(source, graph))
    layers = sum(value.name.startswith("past_keys.") for value in model.graph.input)
    contract = {tensor.name: tensor for tensor in GRAPHS[graph].expanded(layers).inputs}
    for value in model.graph.input:
        dims = value.type.tensor_type.shape.dim
        for dim, dynamic in zip(dims, contract[value.name].dynamic, strict=True):
            assert dynamic or dim.dim_value > 0, f"{value.name} has a dynamic dim that is static"


def test_the_graph_for_a_cpu_is_refused_with_the_reason() -> None:
    with pytest.raises(GraphError, match=r"GroupQueryAttention\.\d+' is of com\.microsoft") as got:
        check_importable(onnx.load(stored(*TINY_DECODER)), "decoder.onnx", TRT_11)
    assert "\n" not in str(got.value)


def model_of(
    operator: str,
    inputs: int = 1,
    constants: dict[str, np.ndarray] | None = None,
    dims: tuple[int | str, ...] = (4, 4),
    **attributes: object,
) -> onnx.ModelProto:
    """One node over graph inputs `x0`, `x1`, ... and named constants behind them."""
    constants = constants or {}
    names = [f"x{i}" for i in range(inputs)]
    outputs = attributes.pop("outputs", ["y"])
    domain = attributes.pop("domain", "")
    node = helper.make_node(
        operator, [*names, *constants], outputs, name="it", domain=domain, **attributes
    )
    graph = helper.make_graph(
        [node],
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name in names],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


REFUSED = {
    "of com.microsoft": model_of("FusedMatMul", 2, domain="com.microsoft"),
    "Multinomial 'it' has no importer": model_of("Multinomial"),
    "Unique 'it' has no importer": model_of("Unique"),
    "DynamicQuantizeLinear 'it' has no importer": model_of("DynamicQuantizeLinear"),
    "seed is ignored": model_of("RandomNormalLike"),
    "depends on data": model_of("NonZero"),
    "reduction add": model_of("ScatterND", 3, reduction="add"),
    "zero point must be 0": model_of("DequantizeLinear", 2, {"zero": np.array(3, np.uint8)}),
    "K is over 3840": model_of("TopK", 1, {"k": ints(4000)}),
    "K must be a constant": model_of("TopK", 2),
    "must be sorted": model_of("TopK", 1, {"k": ints(5)}, sorted=0),
    "axis must be a constant": model_of("CumSum", 2),
    "axes must be a constant": model_of("ReduceSum", 2),
    "axes must be a constant ": model_of("Unsqueeze", 2),
    "depth must be a constant": model_of("OneHot", 3),
    "fold weight norm": model_of("ReduceL2", 0, {"weight": np.ones((2, 2), np.float32)}),
    "only its first output": model_of("LayerNormalization", 2, outputs=["y", "mean"]),
    "cache must be an input": model_of("TensorScatter", 0, {"c": ints(1), "u": ints(1)}),
    "four dims that are numbers": model_of("TensorScatter", 2, dims=(1, 2, "C", 4)),
    "axis must be -2": model_of("TensorScatter", 2, dims=(1, 2, 3, 4), axis=1),
    "past keys": model_of("Attention", 6),
    "softcap": model_of("Attention", 3, softcap=3.0),
    "dilations": model_of("MaxPool", kernel_shape=[2], dilations=[2]),
    "nearest or linear": model_of("Resize", 1, mode="cubic"),
    "antialias": model_of("Resize", 1, mode="linear", antialias=1),
    "tf_crop_and_resize": model_of(
        "Resize", 1, coordinate_transformation_mode="tf_crop_and_resize"
    ),
}


@pytest.mark.parametrize(("fault", "model"), REFUSED.items(), ids=REFUSED)
def test_what_the_importer_refuses_is_named(fault: str, model: onnx.ModelProto) -> None:
    (found,) = faults(model, TRT_11)
    assert fault.strip() in found


ACCEPTED = {
    "TopK": model_of("TopK", 1, {"k": ints(1025)}),
    "ReduceSum": model_of("ReduceSum", 1, {"axes": ints(1)}),
    "ReduceL2": model_of("ReduceL2", 1, {"axes": ints(1)}),
    "DequantizeLinear": model_of("DequantizeLinear", 2, {"zero": np.array(0, np.int8)}),
    "TensorScatter": model_of("TensorScatter", 2, dims=(1, 2, 3, 4), axis=-2),
    "ScatterND": model_of("ScatterND", 3),
}


@pytest.mark.parametrize("model", ACCEPTED.values(), ids=ACCEPTED)
def test_what_it_takes_is_not_named(model: onnx.ModelProto) -> None:
    assert list(faults(model, TRT_11)) == []


def test_releases_differ_in_what_they_take() -> None:
    scatter = model_of("TensorScatter", 2, dims=(1, 2, 3, 4))
    (older,) = faults(scatter, Release("tensorrt", "10.14.1.2"))
    assert older == "TensorScatter 'it' has no importer before TensorRT 10.15"
    deform = model_of("DeformConv", 3)
    assert list(faults(deform, TRT_11)) == []
    assert list(faults(deform, RTX)) == ["DeformConv 'it' has no importer"]


def test_operator_sets_out_of_range_and_double_values_are_named() -> None:
    model = model_of("Relu")
    model.opset_import[0].version = 25
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    assert list(faults(model, TRT_11)) == [
        "opset 25 is outside 9 to 24",
        "'x0' is float64, which would silently become float32",
    ]
    model.opset_import[0].version = 24
    assert "opset 24 is outside 9 to 20" in list(faults(model, Release("tensorrt", "10.13.0.1")))


def test_a_node_inside_a_branch_is_seen() -> None:
    inner = helper.make_graph(
        [helper.make_node("Multinomial", ["x0"], ["z"], name="deep")],
        "branch",
        [],
        [helper.make_tensor_value_info("z", TensorProto.INT64, None)],
    )
    model = model_of("If", then_branch=inner, else_branch=inner)
    assert "Multinomial 'deep' has no importer" in list(faults(model, TRT_11))
