"""A thin hand on onnx.helper: nodes in order, weights by name, one model at the end."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from runtime.contract import Graph, Tensor

MICROSOFT = "com.microsoft"
ELEMENT_TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "bfloat16": TensorProto.BFLOAT16,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
}


class GraphBuilder:
    """Collects the nodes and weights of one graph of the contract."""

    def __init__(self, name: str, contract: Graph, sizes: dict[str, int], prefix: str = "") -> None:
        """Begin a graph.

        Args:
            name: the graph's name.
            contract: its inputs and outputs, layers written out.
            sizes: the number for each static letter.
            prefix: before every name that is made up, and before weights' names.
        """
        self.name = name
        self._contract = contract
        self._sizes = sizes
        self._prefix = prefix
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, onnx.TensorProto] = {}

    def weight(self, name: str, values: NDArray[Any]) -> str:
        """Store an initializer once under its name and return the name."""
        name = f"{self._prefix}{name}"
        if name not in self._weights:
            self._weights[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def integers(self, *values: int) -> str:
        """A constant int64 vector."""
        return self.weight("int64." + "_".join(map(str, values)), np.array(values, np.int64))

    def add(self, operator: str, inputs: Sequence[str], *, to: str = "", **attributes: Any) -> str:
        """Append a node with one output and return its name, made up unless `to` gives it."""
        return self.add_many(operator, inputs, [to], **attributes)[0]

    def cast(self, name: str, dtype: str) -> str:
        """Append a Cast to a dtype of the contract."""
        return self.add_many("Cast", [name], [""], to=ELEMENT_TYPES[dtype])[0]

    def add_many(
        self, operator: str, inputs: Sequence[str], names: Sequence[str], **attributes: Any
    ) -> list[str]:
        """Append a node; an empty name in `names` is made up."""
        number = len(self._nodes)
        made = f"{self._prefix}{operator}.{number}"
        outputs = [name or f"{made}.{i}" for i, name in enumerate(names)]
        domain = MICROSOFT if operator == "GroupQueryAttention" else ""
        node = helper.make_node(operator, inputs, outputs, name=made, domain=domain, **attributes)
        self._nodes.append(node)
        return outputs

    def parts(self) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
        """Nodes and weights so far, for who puts them into another graph."""
        return list(self._nodes), list(self._weights.values())

    def borders(self) -> tuple[list[onnx.ValueInfoProto], list[onnx.ValueInfoProto]]:
        """Inputs and outputs as the contract declares them."""
        return (
            [self._declared(tensor) for tensor in self._contract.inputs],
            [self._declared(tensor) for tensor in self._contract.outputs],
        )

    def model(self, opset: int) -> onnx.ModelProto:
        """The finished model, checked."""
        graph = helper.make_graph(
            self._nodes, self.name, *self.borders(), list(self._weights.values())
        )
        domains = {node.domain for node in self._nodes}
        opsets = [helper.make_opsetid("", opset)]
        opsets += [helper.make_opsetid(MICROSOFT, 1)] if MICROSOFT in domains else []
        model = helper.make_model(
            graph, opset_imports=opsets, producer_name="sovits-foundry", ir_version=10
        )
        onnx.checker.check_model(model)
        return model

    def _declared(self, tensor: Tensor) -> onnx.ValueInfoProto:
        dims = [self._sizes.get(dim, dim) if isinstance(dim, str) else dim for dim in tensor.dims]
        return helper.make_tensor_value_info(tensor.name, ELEMENT_TYPES[tensor.dtype], dims)
