"""ONNX Runtime on the CPU: the back end that is always there."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from runtime.backends import Arrays, Port, Threads
from runtime.errors import GraphError

PROVIDER = "CPUExecutionProvider"
ERRORS_ONLY = 3
NUMPY_NAMES = {"float": "float32", "double": "float64"}  # of types that are named otherwise
DTYPES = {"tensor(float)": "float32", "tensor(int8)": "int8"}  # of KV caches


def missing() -> str | None:
    """Never missing: ONNX Runtime is a dependency."""
    return None


@contextlib.contextmanager
def running(where: str) -> Iterator[None]:
    """Turn what ONNX Runtime raises, as of an index out of range, into one line."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # the library's own types are not public
        raise GraphError(f"{where}: ONNX Runtime can't run it: {error}") from error


def _port(tensor: Any) -> Port:
    kind = tensor.type.removeprefix("tensor(").removesuffix(")")
    dims = tuple(dim if isinstance(dim, int) else None for dim in tensor.shape)
    return Port(tensor.name, NUMPY_NAMES.get(kind, kind), dims)


class SessionGraph:
    """One graph in an ONNX Runtime session.

    Attributes:
        device: ONNX Runtime's name of the memory that it computes in.
    """

    device = "cpu"

    def __init__(self, session: onnxruntime.InferenceSession, where: str = "graph") -> None:
        self.session = session
        self.where = where
        self.input_names = [given.name for given in session.get_inputs()]
        self._outputs = [output.name for output in session.get_outputs()]

    def run(self, inputs: Arrays) -> list[NDArray[Any]]:
        """All outputs in the graph's order."""
        with running(self.where):
            results: list[NDArray[Any]] = self.session.run(self._outputs, dict(inputs))
        return results

    def repeated(self, inputs: Arrays, carried: Mapping[str, str]) -> "RepeatedGraph":
        """Its own result in the place of an input; see `Repeats`."""
        return RepeatedGraph(self, inputs, carried)

    def ports(self) -> tuple[list[Port], list[Port]]:
        """Inputs and outputs, in the graph's order."""
        return (
            [_port(tensor) for tensor in self.session.get_inputs()],
            [_port(tensor) for tensor in self.session.get_outputs()],
        )

    def input_dim(self, name: str, axis: int) -> int:
        """A static size of an input."""
        (dims,) = (tensor.shape for tensor in self.session.get_inputs() if tensor.name == name)
        return int(dims[axis])

    def is_dynamic(self, name: str, axis: int) -> bool:
        """Whether a size of an input may change from call to call."""
        (dims,) = (tensor.shape for tensor in self.session.get_inputs() if tensor.name == name)
        return not isinstance(dims[axis], int)

    def input_dtype(self, name: str) -> str:
        """Numpy's name of an input's element type."""
        (kind,) = (tensor.type for tensor in self.session.get_inputs() if tensor.name == name)
        return DTYPES[kind]


class RepeatedGraph:
    """A graph over values that stay on its device; see `Repetition`."""

    def __init__(self, graph: SessionGraph, inputs: Arrays, carried: Mapping[str, str]) -> None:
        self._graph, self._binding = graph, graph.session.io_binding()
        place = graph.device
        self._values = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(np.array(array, order="C"), place, 0)
            for name, array in inputs.items()
        }
        for name, value in self._values.items():
            self._binding.bind_ortvalue_input(name, value)
        for output, name in carried.items():
            self._binding.bind_ortvalue_output(output, self._values[name])

    def run(self, changed: Arrays) -> None:
        """Run once, with other values of some inputs."""
        for name, array in changed.items():
            self._values[name].update_inplace(array)
        with running(self._graph.where):
            self._graph.session.run_with_iobinding(self._binding)

    def value(self, name: str) -> NDArray[Any]:
        """What an input holds now."""
        found: NDArray[Any] = self._values[name].numpy()
        return found


class CpuGraph(SessionGraph):
    """One graph on the CPU, whose buffers can be bound."""

    def __init__(self, path: Path, threads: Threads) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads.intra_op
        options.inter_op_num_threads = 1
        options.log_severity_level = ERRORS_ONLY
        # lengths are ever others: an arena would keep the most of each
        options.enable_cpu_mem_arena = options.enable_mem_pattern = False
        # spinning workers of an idle session would slow whatever runs next on the same cores
        stop = "0" if threads.spinning else "1"
        options.add_session_config_entry("session.force_spinning_stop", stop)
        try:
            session = onnxruntime.InferenceSession(path, options, providers=[PROVIDER])
        except Exception as error:  # the library's own types are not public
            raise GraphError(f"{path}: ONNX Runtime can't load it: {error}") from error
        super().__init__(session, f"{path}")

    def binding(self) -> "Binding":
        """An own set of bound buffers over this session."""
        return Binding(self.session, self.where)


class Binding:
    """Buffers bound by address: nothing is allocated or copied by a run.

    The caller keeps every bound array alive and in place.
    """

    def __init__(self, session: onnxruntime.InferenceSession, where: str = "graph") -> None:
        self._session = session
        self._where = where
        self._binding = session.io_binding()

    def bind_input(self, name: str, array: NDArray[Any]) -> None:
        """Read this input from `array` (contiguous)."""
        self._binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)

    def bind_output(self, name: str, array: NDArray[Any]) -> None:
        """Write this output into `array` (contiguous)."""
        self._binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)

    def run(self) -> None:
        """Run once over the bound buffers."""
        with running(self._where):
            self._session.run_with_iobinding(self._binding)


def open_graph(path: Path, threads: Threads) -> CpuGraph:
    """Load one ONNX file."""
    return CpuGraph(path, threads)
