"""A decoder step in ONNX Runtime on a device, in each of the ways that it can be run.

A way is an attention implementation, a precision, whether a cache's input and output share
a buffer, and whether a step is replayed as a CUDA graph. What crosses the bus is counted.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from runtime.arrays import Float32, Logits
from runtime.backends import Threads
from runtime.backends.ort_loop import EAGER, run_options
from runtime.backends.sessions import Place, session_on, zeros
from workflow_scripts.engines.arithmetic import ARITHMETICS, compute_in
from workflow_scripts.engines.decoder import engine_decoder
from workflow_scripts.graphs.attention import FIRST_NEW_ROW
from workflow_scripts.proof.gpu.reports import Moved

MASKED = np.float32(-1e4)  # attention mask value, finite in every arithmetic
REPLAYED = 1  # number of its CUDA graph


@dataclass(frozen=True)
class Way:
    """How steps are run.

    Attributes:
        attention: key of ATTENTIONS.
        precision: key of ARITHMETICS; weights, caches and arithmetic.
        aliased: a cache's output is its input; else it is copied back on the device.
        replayed: as a CUDA graph.
    """

    attention: str
    precision: str
    aliased: bool
    replayed: bool

    def __str__(self) -> str:
        cache = "aliased" if self.aliased else "copied back"
        return f"{self.attention} {self.precision} {cache}{' CUDA graph' * self.replayed}"


def step_graph(decoder: onnx.ModelProto, max_len: int, way: Way) -> onnx.ModelProto:
    """`t2s_decoder` with a cache of fixed length, with the attention and precision of a way.

    Args:
        decoder: of the contract, fp32; not changed.
        max_len: rows of the cache.
        way: attention implementation and precision.
    """
    model = engine_decoder(decoder, max_len, way.attention, given_row=True)
    compute_in(model.graph, way.precision)
    return model


class DeviceStep:
    """One session and the buffers of one utterance.

    Attributes:
        moved: what was moved so far.
    """

    def __init__(self, path: Path, way: Way, place: Place, threads: int) -> None:
        """Load a graph of `step_graph`.

        Raises:
            GraphError: ONNX Runtime can't load it.
            BackendMissing: it would run elsewhere.
        """
        self._way, self._device, self.moved = way, place.device, Moved()
        options = dict(place.options)
        if place.device != "cpu":
            options["enable_cuda_graph"] = f"{int(way.replayed)}"
        there = Place(place.provider, place.device, options)
        self._session = session_on(there, path, Threads(threads))
        inputs = {tensor.name: tensor for tensor in self._session.get_inputs()}
        self._caches = [name for name in inputs if name.startswith("past_")]
        shape, self._cache_type = inputs["past_keys.0"].shape, inputs["past_keys.0"].type
        self.capacity = int(shape[2])
        hidden, vocabulary = inputs["rows"].shape[1], self._session.get_outputs()[0].shape[1]
        self._past = {name: self._zeros(shape) for name in self._caches}
        if way.aliased:
            self._present = self._past
        else:
            self._present = {name: self._zeros(shape) for name in self._caches}
        self._row = self._value(np.zeros((1, hidden), np.float32))
        self._first = self._value(np.zeros(1, np.int64))
        self._bias = self._value(np.zeros((1, 1, 1, self.capacity), np.float32))
        self._logits = self._value(np.zeros((1, vocabulary), np.float32))
        self._binding = self._bound(self._row, self._bias)
        self._runs = {
            (graph, goes_on): run_options(graph, goes_on=goes_on)
            for graph in (EAGER, REPLAYED)
            for goes_on in (False, True)
        }

    def _value(self, array: NDArray[Any]) -> Any:
        # on the CPU a value shares the array that it is made of
        return onnxruntime.OrtValue.ortvalue_from_numpy(array.copy(), self._device, 0)

    def _zeros(self, shape: list[int]) -> Any:
        return zeros(shape, self._cache_type, self._device)

    def _bound(self, row: Any, bias: Any) -> Any:
        binding = self._session.io_binding()
        for name, value in (("rows", row), (FIRST_NEW_ROW, self._first), ("bias", bias)):
            binding.bind_ortvalue_input(name, value)
        binding.bind_ortvalue_output("logits", self._logits)
        for name in self._caches:
            binding.bind_ortvalue_input(name, self._past[name])
            present = name.replace("past_", "present_", 1)
            binding.bind_ortvalue_output(present, self._present[name])
        return binding

    def _put(self, value: Any, array: NDArray[Any]) -> None:
        value.update_inplace(array)  # dtype and shape are those that it was made with
        self.moved = replace(self.moved, to_device=self.moved.to_device + array.nbytes)

    def prefill(self, rows: Float32, bias: Float32) -> Logits:
        """Fill the cache with a prompt's rows [Q, D] under its bias [1, 1, Q, Q]; logits [V]."""
        count = rows.shape[0]
        wide = np.full((1, 1, count, self.capacity), MASKED, np.float32)
        wide[..., :count] = np.maximum(bias, MASKED)
        self._put(self._first, np.zeros(1, np.int64))
        binding = self._bound(self._value(rows), self._value(wide))
        return self._done(binding, EAGER)

    def step(self, row: Float32, cached: int) -> Logits:
        """Logits [V] after one more row [D], the `cached`-th of the cache."""
        self._put_row(row, cached)
        return self._done(self._binding, REPLAYED if self._way.replayed else EAGER)

    def repeat(self, row: Float32, cached: int, count: int) -> None:
        """Such a step so many times; waits for the last one, and reads no logits."""
        self._put_row(row, cached)
        graph = REPLAYED if self._way.replayed else EAGER
        for step in range(count):
            goes_on = step < count - 1 and self._way.aliased  # copies are the host's to order
            self._run(self._binding, self._runs[graph, goes_on])

    def _put_row(self, row: Float32, cached: int) -> None:
        bias = np.full((1, 1, 1, self.capacity), MASKED, np.float32)
        bias[..., :cached] = 0
        self._put(self._row, row[None])
        self._put(self._first, np.array([cached - 1]))
        self._put(self._bias, bias)

    def _done(self, binding: Any, graph: int) -> Logits:
        self._run(binding, self._runs[graph, False])
        found: Logits = np.array(self._logits.numpy()[0])
        self.moved = replace(self.moved, to_host=self.moved.to_host + found.nbytes)
        return found

    def _run(self, binding: Any, options: Any) -> None:
        self._session.run_with_iobinding(binding, options)
        if not self._way.aliased:
            for name in self._caches:
                self._past[name].update_inplace(self._present[name])
                on_device = self.moved.on_device + self._cache_bytes(name)
                self.moved = replace(self.moved, on_device=on_device)

    def _cache_bytes(self, name: str) -> int:
        count: int = math.prod(self._past[name].shape())
        size: int = ARITHMETICS[self._way.precision].dtype.itemsize
        return count * size
