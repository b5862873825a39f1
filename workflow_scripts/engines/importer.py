"""What NVIDIA's ONNX importer takes, checked without it: operators, attributes, types and dims.

A graph without a fault here may still be refused by the importer; one with a fault will be. The
operators by release are in `data/importer.json`; Release says which importer is meant.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from runtime.errors import GraphError

TABLE = Path(__file__).with_name("data") / "importer.json"
OLDEST_OPSET = 9
LARGEST_K = 3840
CACHE_DIMS = 4
STANDARD = ("", "ai.onnx")
RESIZE_MODES = (b"nearest", b"linear")
RESIZE_PLACES = (
    b"half_pixel",
    b"pytorch_half_pixel",
    b"tf_half_pixel_for_nn",
    b"asymmetric",
    b"align_corners",
)


@dataclass(frozen=True)
class Release:
    """A version of the importer.

    Attributes:
        library: `tensorrt` or `tensorrt_rtx`; the latter counts versions of its own.
        version: as the library reports it, "10.13.3.9".
    """

    library: str
    version: str

    @property
    def number(self) -> tuple[int, ...]:
        """What TensorRT's releases are compared by; RTX 1.7 takes what TensorRT 11 takes."""
        if self.library == "tensorrt_rtx":
            return (11, 0)
        return _number(self.version)

    @property
    def newest_opset(self) -> int:
        """The last operator set that it takes."""
        table: dict[str, int] = _table()["newest_opset"]
        return max(opset for since, opset in table.items() if _number(since) <= self.number)

    def takes(self, operator: str) -> bool:
        """Whether there is an importer for a standard operator."""
        if self.library == "tensorrt_rtx" and operator in _table()["absent_in_rtx"]:
            return False
        since = _since().get(operator)
        return since is not None and since <= self.number


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


@cache
def _table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(TABLE.read_text("utf-8"))
    return found


@cache
def _since() -> dict[str, tuple[int, ...]]:
    return {
        operator: _number(since)
        for since, operators in _table()["operators_since"].items()
        for operator in operators
    }


def check_importable(model: onnx.ModelProto, where: str, release: Release) -> None:
    """Refuse a graph that the importer would refuse.

    Args:
        model: the graph; initializers may be external.
        where: begins the line.
        release: the importer that is meant.

    Raises:
        GraphError: every fault found, in one line.
    """
    found = list(dict.fromkeys(faults(model, release)))
    if found:
        raise GraphError(
            f"{where}: {release.library} {release.version} can't import it: {'; '.join(found)};"
            " give the exported or simplified graph of standard operators"
        )


def faults(model: onnx.ModelProto, release: Release) -> Iterator[str]:
    """A phrase for each thing that the importer does not take."""
    yield from _faults_of_opset(model, release)
    graph = _Graph(model.graph)
    for value in (*model.graph.input, *model.graph.output):
        if value.type.tensor_type.elem_type == TensorProto.DOUBLE:
            yield f"'{value.name}' is float64, which would silently become float32"
    for node in _nodes(model.graph):
        named = f"{node.op_type} '{node.name}'"
        if node.domain not in STANDARD:
            yield f"{named} is of {node.domain}"
        elif not release.takes(node.op_type):
            since = _since().get(node.op_type)
            later = since is not None and since > release.number
            newer = f" before TensorRT {'.'.join(map(str, since or ()))}" if later else ""
            yield f"{named} has no importer{newer}"
        elif fault := _CHECKS.get(node.op_type, _anything)(node, graph):
            yield f"{named}: {fault}"


def _faults_of_opset(model: onnx.ModelProto, release: Release) -> Iterator[str]:
    (opset,) = (entry.version for entry in model.opset_import if entry.domain in STANDARD)
    if not OLDEST_OPSET <= opset <= release.newest_opset:
        yield f"opset {opset} is outside {OLDEST_OPSET} to {release.newest_opset}"


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Every node, those of subgraphs included."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


class _Graph:
    """What is known of names without running anything."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.inputs = {value.name: value.type.tensor_type.shape.dim for value in graph.input}
        self._weights = {weight.name: weight for weight in graph.initializer}
        self._constants = {
            node.output[0]: node.attribute[0].t
            for node in _nodes(graph)
            if node.op_type == "Constant" and node.attribute[0].name == "value"
        }
        self._listed = {
            node.output[0]
            for node in _nodes(graph)
            if node.op_type == "Constant" and node.attribute[0].name != "value"
        }

    def is_constant(self, name: str) -> bool:
        """Whether it is known when the engine is built."""
        return name in self._weights or name in self._constants or name in self._listed

    def is_weight(self, name: str) -> bool:
        """Whether it is stored in the graph as a weight."""
        return name in self._weights

    def values(self, name: str) -> np.ndarray[Any, Any] | None:
        """Its numbers where they are stored in the graph itself."""
        tensor = self._weights.get(name, self._constants.get(name))
        if tensor is None or tensor.data_location == TensorProto.EXTERNAL:
            return None
        values: np.ndarray[Any, Any] = numpy_helper.to_array(tensor)
        return values


def _attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    found = [attribute for attribute in node.attribute if attribute.name == name]
    return onnx.helper.get_attribute_value(found[0]) if found else default


def _given(node: onnx.NodeProto, place: int) -> str:
    """Name of an input; empty if it is left out."""
    return node.input[place] if place < len(node.input) else ""


def _anything(_node: onnx.NodeProto, _graph: _Graph) -> str:
    return ""


def _constant(place: int, what: str) -> "Check":
    def check(node: onnx.NodeProto, graph: _Graph) -> str:
        name = _given(node, place)
        return f"{what} must be a constant" if name and not graph.is_constant(name) else ""

    return check


def _first_output_only(node: onnx.NodeProto, _graph: _Graph) -> str:
    return "only its first output is taken" if any(node.output[1:]) else ""


def _norm(node: onnx.NodeProto, graph: _Graph) -> str:
    if graph.is_weight(node.input[0]):
        return "is taken of a weight: fold weight norm before the export"
    return _constant(1, "axes")(node, graph)


def _top_k(node: onnx.NodeProto, graph: _Graph) -> str:
    count = graph.values(node.input[1])
    if count is None:
        return "K must be a constant"
    if int(count.reshape(-1)[0]) > LARGEST_K:
        return f"K is over {LARGEST_K}"
    return "" if _attribute(node, "sorted", 1) == 1 else "must be sorted"


def _scatter_nd(node: onnx.NodeProto, _graph: _Graph) -> str:
    reduction = _attribute(node, "reduction", b"none")
    return "" if reduction == b"none" else f"reduction {reduction.decode()} is not taken"


def _tensor_scatter(node: onnx.NodeProto, graph: _Graph) -> str:
    dims = graph.inputs.get(node.input[0])
    if dims is None:
        return "the cache must be an input of the graph"
    if len(dims) != CACHE_DIMS or not all(dim.HasField("dim_value") for dim in dims):
        return "the cache must have four dims that are numbers"
    if (_attribute(node, "axis", -2), _attribute(node, "mode", b"linear")) != (-2, b"linear"):
        return "axis must be -2, mode linear"
    return ""


def _attention(node: onnx.NodeProto, graph: _Graph) -> str:
    if any(_given(node, place) for place in range(4, 7)):
        return "past keys, past values and row counts are not taken"
    if _attribute(node, "softcap", 0.0):
        return "softcap is not taken"
    return _first_output_only(node, graph)


def _zero_point(node: onnx.NodeProto, graph: _Graph) -> str:
    name = _given(node, 2)
    values = graph.values(name) if name else np.zeros(1)
    return "" if values is not None and not values.any() else "the zero point must be 0"


def _pool(node: onnx.NodeProto, graph: _Graph) -> str:
    if any(size != 1 for size in _attribute(node, "dilations", [])):
        return "dilations are not taken"
    return _first_output_only(node, graph)


def _resize(node: onnx.NodeProto, _graph: _Graph) -> str:
    if _attribute(node, "mode", RESIZE_MODES[0]) not in RESIZE_MODES:
        return "mode must be nearest or linear"
    if _attribute(node, "antialias", 0):
        return "antialias is not taken"
    place = _attribute(node, "coordinate_transformation_mode", RESIZE_PLACES[0])
    return "" if place in RESIZE_PLACES else f"{place.decode()} is not taken"


def _random(_node: onnx.NodeProto, _graph: _Graph) -> str:
    return "its seed is ignored: noise must be an input"


def _by_data(_node: onnx.NodeProto, _graph: _Graph) -> str:
    return "the shape of its output depends on data"


Check = Callable[[onnx.NodeProto, _Graph], str]
_REDUCTIONS = ("L1", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
_CHECKS: dict[str, Check] = {
    **{f"Reduce{kind}": _constant(1, "axes") for kind in _REDUCTIONS},
    **dict.fromkeys(("RandomNormal", "RandomNormalLike", "RandomUniform"), _random),
    **dict.fromkeys(("RandomUniformLike",), _random),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), _zero_point),
    **dict.fromkeys(("MaxPool", "AveragePool"), _pool),
    **dict.fromkeys(("Squeeze", "Unsqueeze"), _constant(1, "axes")),
    "Attention": _attention,
    "CumSum": _constant(1, "axis"),
    "LayerNormalization": _first_output_only,
    "NonZero": _by_data,
    "OneHot": _constant(1, "depth"),
    "ReduceL2": _norm,
    "Resize": _resize,
    "ScatterND": _scatter_nd,
    "TensorScatter": _tensor_scatter,
    "TopK": _top_k,
}
