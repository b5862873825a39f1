"""`t2s_loop` in ONNX Runtime: every buffer stays on the device, and a step moves none of them.

On a GPU a step is replayed as a CUDA graph. At STAND_IN the same code runs on the CPU.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from runtime.backends import Threads
from runtime.backends.sessions import DTYPES, GPU, Place, cpu_nodes, preload, session_on, zeros
from runtime.backends.steps import DeviceSteps, checked
from runtime.contract import CARRIED
from runtime.errors import BackendMissing

Array = NDArray[Any]
GRAPH_ID = "gpu_graph_id"
EAGER, REPLAYED = "-1", "1"
RUNS_BEFORE_REPLAY = 3  # warm up and capture; how many of each depends on the release
RECORD_PLACES = {"session.record_ep_graph_assignment_info": "1"}
MOVES_DATA = ("ScatterElements", "TensorScatter", "MatMul", "Gemm", "Softmax", "TopK")


class OrtLoop:
    """One session; each running utterance has buffers of its own."""

    def __init__(self, path: Path, threads: Threads, place: Place = GPU) -> None:
        if place == GPU:
            preload()
            options = {**place.options, "enable_cuda_graph": "1"}
            place = Place(place.provider, place.device, options)
        self.place = place
        self.session = session_on(place, path, threads, RECORD_PLACES)
        if place.provider == GPU.provider:
            _refuse_cpu_nodes(path, cpu_nodes(self.session))
        self.inputs = {tensor.name: tensor for tensor in self.session.get_inputs()}
        self.outputs = {tensor.name: tensor for tensor in self.session.get_outputs()}
        self.capacity = int(self.inputs["past_keys.0"].shape[2])
        self.vocabulary = int(self.inputs["used"].shape[1])

    def steps(self) -> DeviceSteps:
        """Buffers for one more utterance at a time."""
        return DeviceSteps(_OrtBuffers(self))


def _refuse_cpu_nodes(path: Path, nodes: list[str]) -> None:
    """A node of the loop on the CPU would copy the cache there and back at each step."""
    moving = [node for node in nodes if node.split()[0] in MOVES_DATA]
    if moving:
        raise BackendMissing(
            f"{path}: the CUDA provider leaves {', '.join(moving[:3])} to the CPU;"
            " use --provider t2s_decoder=cpu"
        )


class _OrtBuffers:
    """OrtValues at fixed addresses, and a binding for a step."""

    def __init__(self, loop: OrtLoop) -> None:
        self._session, self._place = loop.session, loop.place
        self.capacity, self.vocabulary = loop.capacity, loop.vocabulary
        self._dtypes = {name: DTYPES[tensor.type] for name, tensor in loop.inputs.items()}
        self._shapes = {
            name: tuple(1 if isinstance(dim, str) else int(dim) for dim in tensor.shape)
            for name, tensor in loop.inputs.items()
        }
        self._values = {
            name: zeros(self._shapes[name], tensor.type, self._place.device)
            for name, tensor in loop.inputs.items()
        }
        logits = loop.outputs["logits"]
        self._logits = zeros(logits.shape, logits.type, self._place.device)
        self._outputs = list(loop.outputs)
        self._step = self._bound(self._values)
        self._runs = {graph: _run_options(graph) for graph in (EAGER, REPLAYED)}

    def _bound(self, values: dict[str, Any]) -> Any:
        binding = self._session.io_binding()
        for name, value in values.items():
            binding.bind_ortvalue_input(name, value)
        for name in self._outputs:
            binding.bind_ortvalue_output(name, self._left(name))
        return binding

    def _left(self, output: str) -> Any:
        """Where an output goes: onto the input that it replaces."""
        if output == "logits":
            return self._logits
        return self._values[CARRIED.get(output, output.replace("present_", "past_", 1))]

    def put(self, name: str, array: Array) -> None:
        """Write an input; its dtype and shape are those of the graph."""
        whole = checked(name, array, self._dtypes[name], self._shapes[name])
        self._values[name].update_inplace(whole)

    def get(self, name: str) -> Array:
        """Read an input as it now is, or `logits`; a copy."""
        value = self._logits if name == "logits" else self._values[name]
        return np.array(value.numpy())

    def prefill(self, rows: Array, bias: Array) -> None:
        """Run once over given rows."""
        given = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(array, self._place.device, 0)
            for name, array in (("rows", rows), ("bias", bias))
        }
        binding = self._bound({**self._values, **given})
        binding.synchronize_inputs()
        self._session.run_with_iobinding(binding, self._runs[EAGER])

    def eager_step(self) -> None:
        """Run once over the token of the state."""
        self._run(EAGER)

    def capture(self) -> str:
        """Nothing is lost by the steps that it takes: the caller restores the state."""
        kept = {name: self.get(name) for name in CARRIED.values()}
        for _ in range(RUNS_BEFORE_REPLAY):
            for name, array in kept.items():
                self.put(name, array)
            try:
                self._run(REPLAYED)
            except Exception as error:  # the library's own types are not public
                return f"onnxruntime can't capture a step: {' '.join(str(error).split())}"
        return ""

    def replay(self) -> None:
        """The same as an eager step, by replaying the CUDA graph."""
        self._run(REPLAYED)

    def _run(self, graph: str) -> None:
        self._step.synchronize_inputs()
        self._session.run_with_iobinding(self._step, self._runs[graph])


def _run_options(graph: str) -> Any:
    options = onnxruntime.RunOptions()
    options.add_run_config_entry(GRAPH_ID, graph)
    return options
