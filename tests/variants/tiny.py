"""Graphs of a few nodes, and what they answer in fp32."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from workflow_scripts.graphs.answers import Answer
from workflow_scripts.variants.job import ReductionJob
from workflow_scripts.variants.measure import Running

SIZE = 48


def weights(**arrays: np.ndarray) -> list[onnx.TensorProto]:
    return [numpy_helper.from_array(np.asarray(a, np.float32), name) for name, a in arrays.items()]


def graph(
    nodes: list[onnx.NodeProto], kept: list[onnx.TensorProto], width: int = SIZE
) -> onnx.ModelProto:
    """A model from `x` [R, 48] to `y` [R, width]."""
    inner = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["R", SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["R", width])],
        kept,
    )
    return helper.make_model(inner, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def dense() -> onnx.ModelProto:
    """Gemm with its weight turned, LayerNormalization, Relu, MatMul, and a residual."""
    nodes = [
        helper.make_node("Gemm", ["x", "first", "bias"], ["a"], name="first", transB=1),
        helper.make_node("LayerNormalization", ["a", "gain", "shift"], ["b"], name="norm"),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("MatMul", ["c", "second"], ["d"], name="second"),
        helper.make_node("Add", ["d", "x"], ["y"]),
    ]
    kept = weights(
        first=drawn(SIZE, SIZE, seed=1) / 7,
        bias=drawn(SIZE, seed=2),
        gain=np.ones(SIZE),
        shift=np.zeros(SIZE),
        second=drawn(SIZE, SIZE, seed=3) / 7,
    )
    return graph(nodes, kept)


def loud() -> onnx.ModelProto:
    """A product far over float16's range in the middle, read twice, and small again at the end."""
    nodes = [
        helper.make_node("MatMul", ["x", "matrix"], ["a"], name="matrix"),
        helper.make_node("Mul", ["a", "gain"], ["b"], name="louder"),
        helper.make_node("Mul", ["b", "loss"], ["c"], name="softer"),
        helper.make_node("Mul", ["b", "loss"], ["d"]),
        helper.make_node("Add", ["c", "d"], ["y"], name="sum"),
    ]
    return graph(nodes, weights(matrix=drawn(SIZE, SIZE), gain=np.array(3e5), loss=np.array(1e-6)))


def ends_loud() -> onnx.ModelProto:
    """An output that float16 can't hold."""
    nodes = [helper.make_node("Mul", ["x", "gain"], ["y"], name="louder")]
    return graph(nodes, weights(gain=np.array(3e5)))


def fine() -> onnx.ModelProto:
    """A difference of nearly equal numbers, then harmless nodes: only the first need fp32."""
    nodes = [
        helper.make_node("Add", ["x", "offset"], ["a"], name="offset"),
        helper.make_node("Sub", ["a", "offset"], ["b"], name="difference"),
        helper.make_node("MatMul", ["b", "matrix"], ["c"], name="matrix"),
        *[
            helper.make_node("Relu", [before], [after], name=f"relu {after}")
            for before, after in zip("cefghijklmn", "efghijklmny", strict=True)
        ],
    ]
    return graph(nodes, weights(offset=np.array(500.0), matrix=drawn(SIZE, SIZE)))


def counting() -> onnx.ModelProto:
    """A whole number of the shape becomes a float on the way."""
    nodes = [
        helper.make_node("Shape", ["x"], ["rows"], start=0, end=1),
        helper.make_node("Cast", ["rows"], ["float rows"], name="count", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["x", "float rows"], ["y"], name="by rows"),
    ]
    return graph(nodes, [])


def hopeless() -> onnx.ModelProto:
    """Twelve differences of nearly equal numbers: everything would have to stay fp32."""
    nodes = []
    for i in range(12):
        before, after = ("x" if i == 0 else f"b{i}"), ("y" if i == 11 else f"b{i + 1}")
        nodes += [
            helper.make_node("Add", [before, "offset"], [f"a{i}"]),
            helper.make_node("Sub", [f"a{i}", "offset"], [after]),
        ]
    return graph(nodes, weights(offset=np.full((1, SIZE), 900.0)))


def contributed() -> onnx.ModelProto:
    """A node outside the standard operators."""
    nodes = [
        helper.make_node("FusedMatMul", ["x", "matrix"], ["y"], domain="com.microsoft"),
    ]
    model = graph(nodes, weights(matrix=drawn(SIZE, SIZE)))
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model


def cases(model: onnx.ModelProto) -> dict[str, Answer]:
    """What the fp32 graph itself answers to three inputs."""
    running = Running(model.SerializeToString(), "tiny")
    found = {}
    for rows in (1, 2, 5):
        inputs = {"x": drawn(rows, SIZE, seed=rows)}
        found[f"rows{rows}"] = Answer(inputs, running(Answer(inputs, {})))
    return found


@dataclass(frozen=True)
class Made:
    """A converted graph that can be looked into."""

    model: onnx.ModelProto

    @property
    def types(self) -> dict[str, int]:
        """Element type of each weight."""
        return {tensor.name: tensor.data_type for tensor in self.model.graph.initializer}

    def run(self, case: Answer) -> np.ndarray:
        return Running(self.model.SerializeToString(), "made")(case)["y"]


def job(make: Callable[[], onnx.ModelProto], **options) -> ReductionJob:
    return ReductionJob(options.pop("name", "prior"), cases(make()), **options)
