"""Check a graph file against the contract: names, types, dims, inputs in use, nothing random."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from runtime.contract import GRAPHS, Graph, Tensor
from runtime.errors import GraphError

RANDOM = frozenset(
    {
        "Bernoulli",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    }
)
_LAYER_INPUT = re.compile(r"past_keys\.\d+")


def load_structure(path: Path) -> onnx.ModelProto:
    """Read a graph without external data.

    Raises:
        GraphError: it is missing or no ONNX file.
    """
    try:
        model = onnx.load(path, load_external_data=False)
    except FileNotFoundError:
        raise GraphError(f"{path}: no such graph; export it") from None
    except DecodeError:
        raise GraphError(f"{path}: not an ONNX file; export it again") from None
    if not model.graph.output:
        raise GraphError(f"{path}: holds no graph; export it again")
    return model


def check_graph(path: Path, name: str) -> None:
    """Check one file.

    Args:
        path: ONNX file.
        name: its name in the contract.

    Raises:
        GraphError: the first thing found that the contract does not allow.
    """
    check_model(load_structure(path), name, f"{path.name}")


def check_model(model: onnx.ModelProto, name: str, where: str) -> None:
    """Check a graph in memory; arguments and errors as of `check_graph`, `where` begins a line.

    A graph may lack the inputs that only some families have. Every letter of the contract that
    is static must be one number throughout, every other dim must carry the contract's own word.
    """
    graph = model.graph
    inputs = {value.name: value for value in graph.input}
    outputs = {value.name: value for value in graph.output}
    contract = _contract(name, inputs)
    if _holds_one(inputs):
        contract = contract.single()
    _check_names(where, "input", inputs, contract.inputs)
    _check_names(where, "output", outputs, contract.outputs)
    sizes: dict[str, int] = {}
    for tensor in (*contract.inputs, *contract.outputs):
        value = inputs.get(tensor.name) or outputs[tensor.name]
        _check_tensor(f"{where}: '{tensor.name}'", value, tensor, sizes)
    _check_nodes(where, graph, inputs)


def _holds_one(inputs: Mapping[str, onnx.ValueInfoProto]) -> bool:
    """Whether a decoder takes one sequence at a time, as attention in standard operators does."""
    if "live_rows" not in inputs:
        return False
    dims = inputs["live_rows"].type.tensor_type.shape.dim
    return len(dims) == 1 and dims[0].dim_value == 1


def _contract(name: str, inputs: Iterable[str]) -> Graph:
    if name not in GRAPHS:
        raise GraphError(f"{name}: no such graph in the contract; it has {', '.join(GRAPHS)}")
    given = set(inputs)
    graph = GRAPHS[name].without(frozenset(GRAPHS[name].optional - given))
    return graph.expanded(sum(bool(_LAYER_INPUT.fullmatch(name)) for name in given))


def _check_names(where: str, side: str, values: Iterable[str], wanted: tuple[Tensor, ...]) -> None:
    given, names = set(values), {tensor.name: tensor for tensor in wanted}
    for name, tensor in names.items():
        if name not in given:
            raise GraphError(
                f"{where}: {side} '{name}' is missing, the export lost it; the contract wants"
                f" {tensor.dtype} {_shown(tensor.dims)}"
            )
    for name in sorted(given - names.keys()):
        raise GraphError(f"{where}: {side} '{name}' is not in the contract, which has {[*names]}")


def _check_tensor(
    where: str, value: onnx.ValueInfoProto, tensor: Tensor, sizes: dict[str, int]
) -> None:
    kind = value.type.tensor_type
    dtype = f"{onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)}"
    if dtype not in (tensor.dtype, *tensor.reduced):
        raise GraphError(f"{where} is {dtype}, the contract wants {tensor.dtype}")
    found = [
        dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in kind.shape.dim
    ]
    both = f"is {_shown(found)}, the contract wants {_shown(tensor.dims)}"
    if len(found) != len(tensor.dims):
        raise GraphError(f"{where} {both}")
    for dim, wanted, dynamic in zip(found, tensor.dims, tensor.dynamic, strict=True):
        if dynamic and dim != wanted:
            raise GraphError(f"{where} {both}; {wanted} must be symbolic under that name")
        if not dynamic and (not isinstance(dim, int) or dim < 1):
            raise GraphError(f"{where} {both}; {wanted} must be a number")
        if not dynamic and dim != (size := _size(wanted, int(dim), sizes)):
            raise GraphError(f"{where} {both}, and that is {size} here")


def _size(wanted: int | str, found: int, sizes: dict[str, int]) -> int:
    """What a static dim has to be: its number, or what its letter was first."""
    return wanted if isinstance(wanted, int) else sizes.setdefault(wanted, found)


def _check_nodes(where: str, graph: onnx.GraphProto, inputs: Iterable[str]) -> None:
    used = {value.name for value in graph.output}
    for node in _nodes(graph):
        if node.op_type in RANDOM:
            raise GraphError(
                f"{where}: node '{node.name}' is a {node.op_type}; the contract wants noise as an"
                " input and nothing random inside"
            )
        used.update(node.input)
    for name in inputs:
        if name not in used:
            raise GraphError(f"{where}: input '{name}' is used by no node; the export froze it")


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Every node, those of subgraphs included."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


def _shown(dims: Iterable[int | str]) -> str:
    return f"[{', '.join(f'{dim}' or '?' for dim in dims)}]"
