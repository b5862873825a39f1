"""OpenVINO on the CPU, float32: the same ONNX files, faster where convolutions dominate.

Never float16, which a CPU computes many times slower. Importing the library would make it report
its use over the network (its package `openvino-telemetry` takes silence for consent), so that
package is hidden while it is imported: it then takes its own silent stand-in.
"""

import importlib
import importlib.util
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.backends import Arrays, Port, Threads
from runtime.errors import BackendMissing, GraphError
from runtime.pool import IDLE_BYTES, Pool

DEVICE = "CPU"
PRECISION = "f32"
REQUEST_BYTES = IDLE_BYTES // 2  # the library does not say; two are kept
REPORTER = "openvino_telemetry"
IMPORTING = threading.Lock()


def missing() -> str | None:
    """Why it can't be used here, or None."""
    if importlib.util.find_spec("openvino") is None:
        return "openvino is not installed; pip install '.[openvino]' in the checkout"
    return None


def library() -> Any:
    """The module `openvino`, imported without its telemetry.

    Raises:
        BackendMissing: it is not installed, or does not load here.
    """
    reason = missing()
    if reason:
        raise BackendMissing(f"provider openvino: {reason}")
    with IMPORTING:
        hidden = {name: sys.modules.pop(name) for name in [*sys.modules] if _reports(name)}
        sys.modules[REPORTER] = None  # type: ignore[assignment]  # an import of it then fails
        try:
            return importlib.import_module("openvino")
        except (ImportError, OSError) as error:
            raise BackendMissing(f"provider openvino: it does not load here: {error}") from error
        finally:
            del sys.modules[REPORTER]
            sys.modules.update(hidden)


def _reports(module: str) -> bool:
    return module.partition(".")[0] == REPORTER


def capabilities() -> list[str]:
    """What OpenVINO states that this CPU computes with, as FP32 and BF16."""
    return list(library().Core().get_property(DEVICE, "OPTIMIZATION_CAPABILITIES"))


class OpenVinoGraph:
    """One compiled graph; each running call has a request of its own."""

    def __init__(self, path: Path, threads: Threads, compiled: Path | None, precision: str) -> None:
        self._path = path
        self._openvino = library()
        options = {
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",  # else int8 weights would make int8 arithmetic
        }
        if threads.intra_op:
            options["INFERENCE_NUM_THREADS"] = str(threads.intra_op)
        if compiled is not None:
            compiled.mkdir(parents=True, exist_ok=True)
            options["CACHE_DIR"] = str(compiled)
        try:
            self._compiled = self._openvino.Core().compile_model(str(path), DEVICE, options)
        except Exception as error:  # the library's own types are not public
            raise GraphError(f"{path}: OpenVINO can't load it: {error}") from error
        self._refuse_fallback(path, precision)
        self._outputs = range(len(self._compiled.outputs))
        self._requests: Pool[Any] = Pool()

    def _refuse_fallback(self, path: Path, precision: str) -> None:
        devices = list(self._compiled.get_property("EXECUTION_DEVICES"))
        found = self._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        if (devices, found) != ([DEVICE], precision):
            raise BackendMissing(
                f"{path}: OpenVINO computes in {found} on {', '.join(devices)} where {precision}"
                f" on {DEVICE} was asked for; use --provider cpu"
            )

    def run(self, inputs: Arrays) -> list[NDArray[Any]]:
        """All outputs in the graph's order."""
        request = self._requests.take(self._compiled.create_infer_request)
        try:
            try:
                request.infer({name: self._tensor(array) for name, array in inputs.items()})
            except RuntimeError as error:
                raise GraphError(f"{self._path}: OpenVINO can't run it: {error}") from error
            return [request.get_output_tensor(i).data.copy() for i in self._outputs]
        finally:
            self._requests.give(request, REQUEST_BYTES)

    def ports(self) -> tuple[list[Port], list[Port]]:
        """Inputs and outputs, in the graph's order."""
        return (
            [_port(tensor) for tensor in self._compiled.inputs],
            [_port(tensor) for tensor in self._compiled.outputs],
        )

    def _tensor(self, array: NDArray[Any]) -> Any:
        """A view that keeps its dtype: given an array, the library would convert it in silence."""
        usual = np.dtype(array.dtype.str)  # of C's two names for 64 bits the library knows one
        return self._openvino.Tensor(np.require(array, usual, ["C", "W"]), shared_memory=True)

    def input_dim(self, name: str, axis: int) -> int:
        """A static size of an input."""
        return int(self._compiled.input(name).get_partial_shape()[axis].get_length())


def _port(tensor: Any) -> Port:
    dims = tuple(dim.get_length() if dim.is_static else None for dim in tensor.get_partial_shape())
    return Port(tensor.get_any_name(), "", dims)


def open_graph(path: Path, threads: Threads, compiled: Path | None = None) -> OpenVinoGraph:
    """Compile one ONNX file.

    Args:
        path: the file.
        threads: of the compiled graph.
        compiled: folder where compiled graphs are kept for the next time; None keeps none.

    Raises:
        GraphError: OpenVINO does not take it.
        BackendMissing: not installed, or it would compute otherwise than asked.
    """
    return OpenVinoGraph(path, threads, compiled, PRECISION)
