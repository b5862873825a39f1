"""Run a loaded engine: one execution context per request, weights shared by all.

The runner owns every buffer; callers get copies. Each False, None and list of missing names that
the library answers with becomes an error.
"""

import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.backends import Arrays
from runtime.backends.device import Device
from runtime.backends.engine_load import Loaded
from runtime.backends.steps import DeviceSteps, checked
from runtime.contract import CARRIED
from runtime.errors import GraphError, MachineError
from runtime.pool import Pool

Array = NDArray[Any]
Dims = tuple[int, ...]
STEP, PREFILL = "step", "prefill"
BYTES_OF = {"bfloat16": "uint16"}  # numpy has no such numbers, and nobody here looks at them
HOST = "HOST"


def done(answer: bool, call: str, where: str) -> None:
    """Refuse a call that answers with False.

    Raises:
        MachineError: it did.
    """
    if not answer:
        raise MachineError(f"{where}: {call} failed; the library gives no more than that")


def freed_with(owner: object, device: Device, address: int) -> Callable[[], object]:
    """Give memory of a device back when its owner is gone; or before, by calling the result."""
    release = weakref.finalize(owner, device.free, address)
    release.atexit = False  # the device takes all of it back by itself
    return release


@dataclass(eq=False)
class Buffer:
    """Memory of a device that grows, and is given back with this.

    Attributes:
        address: where it is; 0 before it was needed.
        size_bytes: how much.
    """

    address: int = 0
    size_bytes: int = 0
    _release: Callable[[], object] | None = None

    def hold(self, size_bytes: int, device: Device) -> int:
        """The address of at least so much."""
        if not self.address or size_bytes > self.size_bytes:
            if self._release:
                self._release()
            self.size_bytes = max(size_bytes, 1)  # an empty tensor has an address as well
            self.address = device.allocate(self.size_bytes)
            self._release = freed_with(self, device, self.address)
        return self.address


class Context:
    """An execution context with its stream.

    Attributes:
        dtypes, shapes: of every input and output, -1 where a dim is dynamic.
    """

    def __init__(self, loaded: Loaded, device: Device, profile: str = "") -> None:
        self.loaded, self.device, self.where = loaded, device, loaded.where
        # memory for the shapes of its profile alone: a step does without that of a prefill
        strategies = loaded.trt.ExecutionContextAllocationStrategy
        self.context = loaded.engine.create_execution_context(strategies.ON_PROFILE_CHANGE)
        if self.context is None:
            raise MachineError(f"{self.where}: no memory for one more request; run fewer at once")
        self.stream = device.stream()
        self.dtypes = {
            tensor["name"]: np.dtype(BYTES_OF.get(tensor["dtype"], tensor["dtype"]))
            for tensor in loaded.file.io_tensors
        }
        self.shapes: dict[str, Dims] = {
            tensor["name"]: tuple(tensor["shape"]) for tensor in loaded.file.io_tensors
        }
        self.inputs = [
            tensor["name"] for tensor in loaded.file.io_tensors if tensor["mode"] == "input"
        ]
        self.outputs = [
            tensor["name"] for tensor in loaded.file.io_tensors if tensor["mode"] == "output"
        ]
        if profile:
            self._choose(profile)

    def _choose(self, profile: str) -> None:
        number = self.loaded.file.profiles.index(profile)
        chosen = self.context.set_optimization_profile_async(number, self._handle)
        done(chosen, f"set_optimization_profile_async({profile})", self.where)
        self.device.wait(self.stream)

    @property
    def _handle(self) -> int:
        return int(self.stream)

    def give(self, name: str, address: int) -> None:
        """Where a tensor is."""
        done(
            self.context.set_tensor_address(name, address),
            f"set_tensor_address({name})",
            self.where,
        )

    def shape(self, name: str, shape: tuple[int, ...]) -> None:
        """How long an input is, where it may vary."""
        if -1 in self.shapes[name]:
            done(
                self.context.set_input_shape(name, shape),
                f"set_input_shape({name}, {list(shape)}), outside the engine's profile,",
                self.where,
            )

    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """Of every output, once the inputs have theirs."""
        if lacking := list(self.context.infer_shapes()):
            raise MachineError(f"{self.where}: shapes of {', '.join(lacking)} are not known")
        found = {name: tuple(self.context.get_tensor_shape(name)) for name in self.outputs}
        if open_ends := [name for name, dims in found.items() if -1 in dims]:
            raise MachineError(f"{self.where}: the size of '{open_ends[0]}' depends on data")
        return found

    def enqueue(self) -> None:
        """Put one run onto the stream."""
        done(self.context.execute_async_v3(self._handle), "execute_async_v3", self.where)

    def on_host(self, name: str) -> bool:
        """Whether an input is read by the host."""
        engine = self.loaded.engine
        return bool(
            engine.is_shape_inference_io(name) or engine.get_tensor_location(name).name == HOST
        )

    def size_bytes(self, name: str, shape: tuple[int, ...]) -> int:
        """Of a tensor."""
        return int(math.prod(shape) * self.dtypes[name].itemsize)


@dataclass
class _Request:
    """What one running call needs for itself."""

    context: Context
    buffers: dict[str, Buffer] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """What its buffers hold on the device."""
        return sum(buffer.size_bytes for buffer in self.buffers.values())

    def run(self, inputs: Arrays) -> list[Array]:
        """All outputs in the engine's order, as arrays of their own."""
        context, device = self.context, self.context.device
        given = self._given(inputs)
        for name, array in given.items():
            context.shape(name, array.shape)
            if context.on_host(name):
                context.give(name, array.ctypes.data)
                continue
            address = self._hold(name, array.nbytes)
            context.give(name, address)
            device.upload(address, array, context.stream)
        found = {}
        for name, shape in context.output_shapes().items():
            found[name] = np.empty(shape, context.dtypes[name])
            context.give(name, self._hold(name, found[name].nbytes))
        context.enqueue()
        for name, array in found.items():
            device.download(array, self.buffers[name].address, context.stream)
        device.wait(context.stream)  # `given` is read until here
        return list(found.values())

    def _given(self, inputs: Arrays) -> dict[str, Array]:
        context = self.context
        if odd := sorted({*inputs} ^ {*context.inputs}):
            raise GraphError(f"{context.where}: '{odd[0]}' is not given, or not an input")
        return {
            name: checked(name, inputs[name], context.dtypes[name], context.shapes[name])
            for name in context.inputs
        }

    def _hold(self, name: str, size_bytes: int) -> int:
        return self.buffers.setdefault(name, Buffer()).hold(size_bytes, self.context.device)


class EngineGraph:
    """One graph as an engine; each running call has a context of its own."""

    def __init__(self, loaded: Loaded, device: Device) -> None:
        self._loaded, self._device = loaded, device
        self._requests: Pool[_Request] = Pool()

    def run(self, inputs: Arrays) -> list[Array]:
        """All outputs in the graph's order."""
        request = self._requests.take(lambda: _Request(Context(self._loaded, self._device)))
        try:
            return request.run(inputs)
        finally:
            self._requests.give(request, request.size_bytes)

    def input_dim(self, name: str, axis: int) -> int:
        """A static size of an input."""
        (dims,) = (
            tensor["shape"] for tensor in self._loaded.file.io_tensors if tensor["name"] == name
        )
        return int(dims[axis])


class EngineLoop:
    """`t2s_loop` as an engine; each running utterance has contexts and buffers of its own."""

    def __init__(self, loaded: Loaded, device: Device) -> None:
        self._loaded, self._device = loaded, device
        shapes = {tensor["name"]: tensor["shape"] for tensor in loaded.file.io_tensors}
        self.capacity = int(shapes["past_keys.0"][2])
        self.vocabulary = int(shapes["used"][1])

    def steps(self) -> DeviceSteps:
        """Buffers for one more utterance at a time."""
        return DeviceSteps(_EngineBuffers(self._loaded, self._device))


class _EngineBuffers:
    """Buffers at fixed addresses, shared by the context of a step and that of a prefill."""

    def __init__(self, loaded: Loaded, device: Device) -> None:
        self._device = device
        self._step = Context(loaded, device, STEP)
        self._prefill = Context(loaded, device, PREFILL)
        self._graph: Any = None
        self._given = {name: Buffer() for name in ("rows", "bias")}  # of a prefill
        one_row = {name: _with(self._step.shapes[name], 1) for name in self._step.inputs}
        self.capacity = int(one_row["past_keys.0"][2])
        self.vocabulary = int(one_row["used"][1])
        self._shapes = one_row | {n: self._step.shapes[n] for n in self._step.outputs}
        self._held_bytes = 0
        self._at: dict[str, int] = {}
        self._copies: list[tuple[int, int, int]] = []  # to, from, bytes
        self._allocate(loaded)
        for name in self._step.inputs:
            self._step.shape(name, one_row[name])
        self._step.output_shapes()
        for name, address in self._at.items():
            self._step.give(name, address)
        self._staged = {
            name: device.host_array(self._shapes[name], self._step.dtypes[name])
            for name in [*self._step.inputs, "logits"]
            if not name.startswith("past_")
        }

    def _allocate(self, loaded: Loaded) -> None:
        """An output that replaces an input shares its address if the engine wants so."""
        context = self._step
        for name in context.inputs:
            size = context.size_bytes(name, self._shapes[name])
            self._at[name] = self._held(size)
        for name in context.outputs:
            taken = CARRIED.get(name, name.replace("present_", "past_", 1))
            if loaded.engine.get_aliased_input_tensor(name):
                self._at[name] = self._at[taken]
                continue
            size = context.size_bytes(name, self._shapes[name])
            self._at[name] = self._held(size)
            if taken != name:
                self._copies.append((self._at[taken], self._at[name], size))

    def _held(self, size_bytes: int) -> int:
        """An address that is given back with these buffers."""
        address = self._device.allocate(size_bytes)
        freed_with(self, self._device, address)
        self._held_bytes += size_bytes
        return address

    @property
    def idle_bytes(self) -> int:
        """What the device gets back when these are let go."""
        return self._held_bytes + sum(buffer.size_bytes for buffer in self._given.values())

    def put(self, name: str, array: Array) -> None:
        """Write an input; its dtype and shape are those of the graph."""
        staged = self._staged[name]
        staged[...] = checked(name, array, staged.dtype, self._shapes[name])
        self._device.upload(self._at[name], staged, self._step.stream)
        self._device.wait(self._step.stream)

    def get(self, name: str) -> Array:
        """Read an input as it now is, or `logits`; a copy."""
        staged = self._staged[name]
        self._device.download(staged, self._at[name], self._step.stream)
        self._device.wait(self._step.stream)
        return staged.copy()

    def prefill(self, rows: Array, bias: Array) -> None:
        """Run once over given rows."""
        context = self._prefill
        for name, address in self._at.items():
            context.give(name, address)
        for name, array in (("rows", rows), ("bias", bias)):
            whole = checked(name, array, context.dtypes[name], context.shapes[name])
            context.shape(name, whole.shape)
            address = self._given[name].hold(whole.nbytes, self._device)
            context.give(name, address)
            self._device.upload(address, whole, context.stream)
        context.output_shapes()
        self._enqueue(context)
        self._device.wait(context.stream)

    def _enqueue(self, context: Context) -> None:
        """A run, and what it leaves put where the next one takes it."""
        context.enqueue()
        for to, source, size in self._copies:
            self._device.copy(to, source, size, context.stream)

    def eager_steps(self, count: int) -> None:
        """Begin steps over the token of the state."""
        for _ in range(count):
            self._enqueue(self._step)

    def capture(self) -> str:
        """Capture a step as a CUDA graph; why it can't be done, or nothing."""
        context, stream = self._step.context, self._step.stream
        if hasattr(context, "is_stream_capturable") and not context.is_stream_capturable(
            int(stream)
        ):
            return "the engine can't be captured"
        self._device.wait(stream)
        try:
            self._device.begin_capture(stream)
            try:
                self._enqueue(self._step)
            except MachineError:
                self._device.drop_capture(stream)  # else the stream would record for ever
                raise
            self._graph = self._device.end_capture(stream)
        except MachineError as error:
            return f"a step can't be captured: {error}"
        return ""

    def replay(self, count: int) -> None:
        """The same as eager steps, by replaying the CUDA graph."""
        for _ in range(count):
            self._device.launch(self._graph, self._step.stream)


def _with(shape: tuple[int, ...], rows: int) -> tuple[int, ...]:
    """A shape whose dynamic dim is known."""
    return tuple(rows if dim == -1 else dim for dim in shape)
