"""Memory, streams and captured graphs of a GPU, as little as running engines takes.

CUDA's functions come from a module that is given (`cuda.bindings.runtime`), so that tests can
stand in for the GPU.
"""

import ctypes
import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from runtime.errors import MachineError

Array = NDArray[Any]


class Device(Protocol):
    """What a GPU does for us. Addresses and handles are plain numbers or opaque."""

    def allocate(self, size_bytes: int) -> int:
        """Memory of the device, zeroed; its address."""
        ...

    def free(self, address: int) -> None:
        """Give memory back."""
        ...

    def host_array(self, shape: Sequence[int], dtype: DTypeLike) -> Array:
        """An array that the device can copy from and to while the host goes on."""
        ...

    def stream(self) -> Any:
        """A new stream; never the default one, which waits for all others."""
        ...

    def wait(self, stream: Any) -> None:
        """Until everything on a stream is done."""
        ...

    def upload(self, address: int, array: Array, stream: Any) -> None:
        """From a contiguous array to the device."""
        ...

    def download(self, array: Array, address: int, stream: Any) -> None:
        """From the device into a contiguous array."""
        ...

    def copy(self, to: int, source: int, size_bytes: int, stream: Any) -> None:
        """Within the device."""
        ...

    def begin_capture(self, stream: Any) -> None:
        """From now on, work on the stream is recorded and not done."""
        ...

    def end_capture(self, stream: Any) -> Any:
        """The recorded work, ready to be launched."""
        ...

    def drop_capture(self, stream: Any) -> None:
        """End a recording that failed, and forget it."""
        ...

    def launch(self, graph: Any, stream: Any) -> None:
        """Do recorded work."""
        ...


class CudaDevice:
    """The GPU of this process."""

    def __init__(self, cudart: ModuleType, number: int = 0) -> None:
        """Take a GPU.

        Args:
            cudart: `cuda.bindings.runtime`.
            number: of the GPU.

        Raises:
            MachineError: CUDA can't.
        """
        self._cudart = cudart
        self._ask("cudaSetDevice", number)

    def _ask(self, name: str, *arguments: Any) -> Any:
        """Call a function of CUDA; what it answers besides its error code."""
        code, *found = getattr(self._cudart, name)(*arguments)
        if int(code):
            raise MachineError(f"CUDA: {name} answers with {getattr(code, 'name', code)}")
        return found[0] if found else None

    def allocate(self, size_bytes: int) -> int:
        """Memory of the device, zeroed; its address."""
        address = int(self._ask("cudaMalloc", size_bytes))
        self._ask("cudaMemset", address, 0, size_bytes)
        return address

    def free(self, address: int) -> None:
        """Give memory back."""
        self._ask("cudaFree", address)

    def host_array(self, shape: Sequence[int], dtype: DTypeLike) -> Array:
        """A page-locked array; it lives as long as this process."""
        kind = np.dtype(dtype)
        size = max(1, math.prod(shape) * kind.itemsize)
        address = int(self._ask("cudaHostAlloc", size, self._cudart.cudaHostAllocDefault))
        held = (ctypes.c_ubyte * size).from_address(address)
        return np.ndarray(tuple(shape), kind, memoryview(held))

    def stream(self) -> Any:
        """A new stream beside the default one."""
        return self._ask("cudaStreamCreateWithFlags", self._cudart.cudaStreamNonBlocking)

    def wait(self, stream: Any) -> None:
        """Until everything on a stream is done."""
        self._ask("cudaStreamSynchronize", stream)

    def upload(self, address: int, array: Array, stream: Any) -> None:
        """From a contiguous array to the device."""
        kind = self._cudart.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._ask("cudaMemcpyAsync", address, array.ctypes.data, array.nbytes, kind, stream)

    def download(self, array: Array, address: int, stream: Any) -> None:
        """From the device into a contiguous array."""
        kind = self._cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._ask("cudaMemcpyAsync", array.ctypes.data, address, array.nbytes, kind, stream)

    def copy(self, to: int, source: int, size_bytes: int, stream: Any) -> None:
        """Within the device."""
        kind = self._cudart.cudaMemcpyKind.cudaMemcpyDeviceToDevice
        self._ask("cudaMemcpyAsync", to, source, size_bytes, kind, stream)

    def begin_capture(self, stream: Any) -> None:
        """From now on, this thread's work on the stream is recorded and not done."""
        mode = self._cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._ask("cudaStreamBeginCapture", stream, mode)

    def end_capture(self, stream: Any) -> Any:
        """The recorded work, ready to be launched."""
        graph = self._ask("cudaStreamEndCapture", stream)
        try:
            return self._ask("cudaGraphInstantiate", graph, 0)
        finally:
            self._ask("cudaGraphDestroy", graph)

    def drop_capture(self, stream: Any) -> None:
        """End a recording that failed; what CUDA answers to that is no news."""
        code, graph = self._cudart.cudaStreamEndCapture(stream)
        if not int(code) and graph:
            self._ask("cudaGraphDestroy", graph)

    def launch(self, graph: Any, stream: Any) -> None:
        """Do recorded work."""
        self._ask("cudaGraphLaunch", graph, stream)
