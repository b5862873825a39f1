"""`t2s_loop` in ONNX Runtime: every buffer stays on the device, and a step moves none of them.

On a GPU a step is replayed as a CUDA graph. ONNX Runtime keeps such graphs per thread and number,
with the addresses that they were captured with, and lets go of none: so one thread runs all steps
of a loop, each set of buffers has a number of its own, and sets are kept. At STAND_IN the same code
runs on the CPU.
"""

import itertools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from runtime.backends import Threads
from runtime.backends.gpu_work import gpu_work
from runtime.backends.sessions import (
    DTYPES,
    GPU,
    Place,
    copied,
    cpu_nodes,
    preload,
    session_on,
    zeros,
)
from runtime.backends.steps import DeviceSteps, checked
from runtime.contract import CARRIED
from runtime.errors import BackendMissing, GraphError

Array = NDArray[Any]
GRAPH_ID = "gpu_graph_id"
EAGER = -1
GOES_ON = "disable_synchronize_execution_providers"  # return before the device is done
CAPTURES = "enable_cuda_graph"
RUNS_BEFORE_REPLAY = 3  # warm up and capture; how many of each depends on the release
RECORD_PLACES = {"session.record_ep_graph_assignment_info": "1"}
MOVES_DATA = ("ScatterElements", "TensorScatter", "MatMul", "Gemm", "Softmax", "TopK")


class OrtLoop:
    """One session; each running utterance has buffers of its own.

    Attributes:
        thread: runs whatever the session runs.
        numbers: of CUDA graphs; each is used once.
    """

    def __init__(self, path: Path, threads: Threads, place: Place = GPU) -> None:
        if place == GPU:
            preload()
            place = Place(place.provider, place.device, {**place.options, CAPTURES: "1"})
        self.place = place
        self.session = _opened(path, threads, place)
        if place.provider == GPU.provider:
            _refuse_cpu_nodes(path, cpu_nodes(self.session))
        self.inputs = {tensor.name: tensor for tensor in self.session.get_inputs()}
        self.outputs = {tensor.name: tensor for tensor in self.session.get_outputs()}
        self.capacity = int(self.inputs["past_keys.0"].shape[2])
        self.vocabulary = int(self.inputs["used"].shape[1])
        self.thread = ThreadPoolExecutor(1, path.stem)
        self.numbers = itertools.count(1)

    def steps(self) -> DeviceSteps:
        """Buffers for one more utterance at a time."""
        return DeviceSteps(_OrtBuffers(self))


def _opened(path: Path, threads: Threads, place: Place) -> onnxruntime.InferenceSession:
    """A session; what a step would copy between host and device is named.

    Raises:
        BackendMissing: there is such a copy, so no CUDA graph can be captured.
    """
    try:
        return session_on(place, path, threads, RECORD_PLACES)
    except GraphError as reason:
        eager = Place(place.provider, place.device, {**place.options, CAPTURES: "0"})
        values = copied(path, eager, threads) if place.options.get(CAPTURES) == "1" else []
        if not values:
            raise
        raise BackendMissing(
            f"{path}: no CUDA graph can be captured: each step copies {', '.join(values)} between"
            " host and device; make the loop again, or use --provider t2s_decoder=cpu"
        ) from reason


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
        self._thread, self._number = loop.thread, next(loop.numbers)
        self._begun: Future[None] | None = None

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

    @property
    def idle_bytes(self) -> int:
        """Nothing: a captured graph stays."""
        return 0

    def put(self, name: str, array: Array) -> None:
        """Write an input; its dtype and shape are those of the graph."""
        whole = checked(name, array, self._dtypes[name], self._shapes[name])
        self._wait()
        with gpu_work().shared():
            self._values[name].update_inplace(whole)

    def get(self, name: str) -> Array:
        """Read an input as it now is, or `logits`; a copy."""
        self._wait()
        with gpu_work().shared():
            return self._read(name)

    def _read(self, name: str) -> Array:
        return np.array((self._logits if name == "logits" else self._values[name]).numpy())

    def prefill(self, rows: Array, bias: Array) -> None:
        """Run once over given rows."""
        self._begin(lambda: self._prefill(rows, bias))
        self._wait()

    def _prefill(self, rows: Array, bias: Array) -> None:
        given = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(array, self._place.device, 0)
            for name, array in (("rows", rows), ("bias", bias))
        }
        binding = self._bound({**self._values, **given})
        self._session.run_with_iobinding(binding, run_options(EAGER))

    def eager_steps(self, count: int) -> None:
        """Begin steps over the token of the state."""
        self._begin(lambda: self._run(EAGER, count))

    def replay(self, count: int) -> None:
        """The same as eager steps, by replaying the CUDA graph."""
        self._begin(lambda: self._run(self._number, count))

    def _run(self, graph: int, count: int) -> None:
        """The device is waited for behind the last step."""
        goes_on, last = run_options(graph, goes_on=True), run_options(graph)
        for _ in range(count - 1):
            self._session.run_with_iobinding(self._step, goes_on)
        self._session.run_with_iobinding(self._step, last)

    def _begin(self, work: Callable[[], None]) -> None:
        self._wait()

        def beside_others() -> None:
            with gpu_work().shared():
                work()

        self._begun = self._thread.submit(beside_others)

    def _wait(self) -> None:
        begun, self._begun = self._begun, None
        if begun is not None:
            begun.result()

    def capture(self) -> str:
        """Nothing is lost by the steps that it takes: the caller restores the state."""
        self._wait()
        return self._thread.submit(self._captured).result()

    def _captured(self) -> str:
        with gpu_work().alone():
            kept = {name: self._read(name) for name in CARRIED.values()}
            for _ in range(RUNS_BEFORE_REPLAY):
                for name, array in kept.items():
                    self._values[name].update_inplace(array)
                try:
                    self._run(self._number, 1)
                except Exception as error:  # the library's own types are not public
                    return f"onnxruntime can't capture a step: {' '.join(str(error).split())}"
        return ""


def run_options(graph: int, *, goes_on: bool = False) -> Any:
    """Options of a run.

    Args:
        graph: number of the CUDA graph; EAGER for none.
        goes_on: return before the device is done.
    """
    options = onnxruntime.RunOptions()
    options.add_run_config_entry(GRAPH_ID, f"{graph}")
    options.add_run_config_entry(GOES_ON, f"{int(goes_on)}")
    return options
