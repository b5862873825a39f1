"""Trace a module into a graph of the contract, and record what the module answers.

The TorchScript exporter is used: it needs no further package and keeps standard operators of one
opset. Whatever would bake a traced length into the graph makes it warn; that is an error here.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.jit import TracerWarning  # type: ignore[attr-defined] # public, though not declared

from runtime.contract import GRAPHS, Graph
from workflow_scripts.graphs import answers
from workflow_scripts.graphs.answers import Answer
from workflow_scripts.graphs.cases import Inputs

OPSET = 18
_PARTS = {1: "weight", 2: "bias"}  # what the inputs of a module's own operator are


def trace(name: str, module: nn.Module, cases: Mapping[str, Inputs], to: tuple[Path, Path]) -> None:
    """Write one graph and its recorded answers.

    Args:
        name: of the graph in the contract.
        module: takes the contract's inputs in their order and returns its one output.
        cases: inputs by case; the first is traced.
        to: the ONNX file and the npz file.
    """
    recorded = record(name, module, cases)
    graph_path, answers_path = to
    answers.save(answers_path, recorded)
    example = next(iter(cases.values()))
    contract = contract_for(name, len(example))
    _export(module, example, contract, graph_path)
    model = onnx.load(graph_path)
    model.graph.name = name
    model.producer_name, model.producer_version = "sovits-foundry", ""
    _declare(model.graph, contract, next(iter(recorded.values())))
    _name_weights(model.graph, module)
    onnx.save(model, graph_path)


def record(name: str, module: nn.Module, cases: Mapping[str, Inputs]) -> dict[str, Answer]:
    """What a module answers.

    Args:
        name: of the graph in the contract.
        module: as in `trace`.
        cases: inputs by case.

    Returns:
        Inputs and outputs by case, under the contract's names.
    """
    contract = contract_for(name, len(next(iter(cases.values()))))
    output = contract.outputs[0].name
    found: dict[str, Answer] = {}
    for case, inputs in cases.items():
        with torch.inference_mode():
            answer: Tensor = module(*inputs)
        named = zip(contract.inputs, inputs, strict=True)
        found[case] = Answer(
            {tensor.name: values.numpy() for tensor, values in named}, {output: answer.numpy()}
        )
    return found


def contract_for(name: str, inputs: int) -> Graph:
    """The contract of a graph with so many inputs: without the optional ones if there are fewer."""
    graph = GRAPHS[name]
    return graph if len(graph.inputs) == inputs else graph.without(graph.optional)


def _export(module: nn.Module, example: Inputs, contract: Graph, path: Path) -> None:
    tensors = (*contract.inputs, *contract.outputs)
    dynamic_axes = {
        tensor.name: {
            axis: f"{dim}"
            for axis, (dim, dynamic) in enumerate(zip(tensor.dims, tensor.dynamic, strict=True))
            if dynamic
        }
        for tensor in tensors
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the exporter itself
        warnings.filterwarnings("ignore", message="Constant folding - Only steps=1")
        warnings.simplefilter("error", TracerWarning)
        # torch's own check of a batch of one value, which no trace keeps
        warnings.filterwarnings("ignore", category=TracerWarning, module=r"torch\.nn\.functional")
        torch.onnx.export(
            module,
            example,
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=[tensor.name for tensor in contract.inputs],
            output_names=[tensor.name for tensor in contract.outputs],
            dynamic_axes=dynamic_axes,
        )


def _declare(graph: onnx.GraphProto, contract: Graph, answer: Answer) -> None:
    """Write the dims of every input and output: the contract's words where a dim is dynamic."""
    values = {value.name: value for value in (*graph.input, *graph.output)}
    arrays = {**answer.inputs, **answer.outputs}
    for tensor in (*contract.inputs, *contract.outputs):
        if tensor.name not in values:
            continue  # an input that the exporter dropped as unused: the contract check will say
        shape = values[tensor.name].type.tensor_type.shape
        del shape.dim[:]
        sizes = arrays[tensor.name].shape
        for dim, dynamic, size in zip(tensor.dims, tensor.dynamic, sizes, strict=True):
            added = shape.dim.add()
            if dynamic:
                added.dim_param = f"{dim}"
            else:
                added.dim_value = size


def _name_weights(graph: onnx.GraphProto, module: nn.Module) -> None:
    """Name every initializer as in the checkpoint, transposed and merged ones after their place."""
    children = list(dict(module.named_children()))
    prefix = f"{children[0]}." if len(children) == 1 else ""
    owners = {
        name.removeprefix(prefix)
        for name, part in module.named_modules()
        if hasattr(part, "weight")
    }
    taken = {weight.name for weight in graph.initializer}
    names = {name: name.removeprefix(prefix) for name in taken if "::" not in name}
    for node in graph.node:
        for place, source in enumerate(node.input):
            if source in taken and source not in names:
                path = _path(node.name).removeprefix(prefix)
                part = _PARTS.get(place) if path in owners else None
                wanted = f"{path}.{part or f'{node.op_type}{place}'}".strip(".")
                names[source] = _unused(wanted, set(names.values()))
    for weight in graph.initializer:
        weight.name = names[weight.name]
    for node in graph.node:
        node.input[:] = [names.get(source, source) for source in node.input]


def _path(node_name: str) -> str:
    """`layer1.0.conv1` of a node `/layer1/layer1.0/conv1/Conv`."""
    parts: list[str] = []
    for scope in node_name.strip("/").split("/")[:-1]:
        if parts and scope.startswith(f"{parts[-1]}."):
            parts.pop()  # members of a list repeat its name
        parts.append(scope)
    return ".".join(parts)


def _unused(name: str, taken: set[str]) -> str:
    count = 0
    while (found := f"{name}.{count}" if count else name) in taken:
        count += 1
    return found
