"""What matrices are multiplied with on recorded inputs, as the Gram matrix of each input."""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from workflow_scripts.variants.job import ReductionJob
from workflow_scripts.variants.measure import Running

Gram = NDArray[np.float32]


def grams(graph: onnx.ModelProto, job: ReductionJob, tensors: set[str]) -> dict[str, Gram]:
    """Rows' products summed over all recorded cases.

    Args:
        graph: fp32 model; not changed.
        job: its name and its recorded cases.
        tensors: names inside the graph, float32 [..., K].

    Returns:
        Tensor → float32 [K, K], xᵀx over all rows of all cases.

    Raises:
        GraphError: the graph can't be run.
    """
    probed = onnx.ModelProto()
    probed.CopyFrom(graph)
    given = {value.name for value in graph.graph.input}
    del probed.graph.output[:]
    probed.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        for name in sorted(tensors - given)
    )
    running = Running(probed.SerializeToString(), job.graph)
    found: dict[str, Gram] = {}
    for case in job.cases.values():
        arrays = {**running(case), **case.inputs}
        for name in tensors:
            rows = np.asarray(arrays[name], np.float32).reshape(-1, arrays[name].shape[-1])
            found[name] = found.get(name, 0) + rows.T @ rows
    return found
