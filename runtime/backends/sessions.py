"""Sessions of ONNX Runtime that run where they are meant to.

A CUDA provider that does not load leaves a session on the CPU without a word, so every session is
asked where it runs. The same code runs on a machine without a GPU at STAND_IN.
"""

import ctypes
import functools
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from runtime.backends import Threads
from runtime.backends.cpu import ERRORS_ONLY
from runtime.backends.gpu_work import gpu_work
from runtime.errors import BackendMissing, GraphError
from runtime.machine import CUDA_LIBRARY, Loader

LIBRARY = (
    "onnxruntime_providers_cuda.dll" if os.name == "nt" else "libonnxruntime_providers_cuda.so"
)
BFLOAT16, BFLOAT16_ELEMENT = "tensor(bfloat16)", 16  # ONNX's number of it
DTYPES: dict[str, np.dtype[Any]] = {  # by ONNX Runtime's word
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(int32)": np.dtype(np.int32),
    "tensor(int64)": np.dtype(np.int64),
    BFLOAT16: np.dtype(np.uint16),  # its bytes: numpy has no such numbers
}
# a NodeProto: its input, output, name and operator, each behind a tag and a length
COPY_NODE = re.compile(rb"\x0a.([ -~]+)\x12.[ -~]+\x1a.[ -~]+\x22.Memcpy(?:From|To)Host", re.DOTALL)
INSTALL = "pip uninstall onnxruntime, then pip install '.[gpu]' in the checkout"


@dataclass(frozen=True)
class Place:
    """Where sessions compute.

    Attributes:
        provider: ONNX Runtime's name of the provider.
        device: its name of the memory.
        options: of the provider.
    """

    provider: str
    device: str
    options: Mapping[str, str] = field(default_factory=dict)


GPU = Place(
    "CUDAExecutionProvider",
    "cuda",
    {
        "device_id": "0",
        "use_tf32": "0",  # on by default, and it changes fp32 results
        "cudnn_conv_algo_search": "HEURISTIC",  # the default searches again at each new length
        "arena_extend_strategy": "kSameAsRequested",
    },
)
STAND_IN = Place("CPUExecutionProvider", "cpu")


@functools.cache
def preload() -> None:
    """Load the CUDA libraries of NVIDIA's packages, once; they are on no search path."""
    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()


def session_on(
    place: Place,
    path: Path,
    threads: Threads,
    entries: Mapping[str, str] | None = None,
    optimised: Path | None = None,
) -> onnxruntime.InferenceSession:
    """A session that runs where it is meant to.

    Args:
        place: where.
        path: ONNX file.
        threads: for what is left to the CPU.
        entries: further entries of the session's configuration.
        optimised: where to write the graph as it is run; None writes it nowhere.

    Raises:
        GraphError: ONNX Runtime can't load the file.
        BackendMissing: it would run elsewhere.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads.intra_op
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    if optimised is not None:
        options.optimized_model_filepath = f"{optimised}"
    for key, value in (entries or {}).items():
        options.add_session_config_entry(key, value)
    try:
        with gpu_work().shared():
            session = onnxruntime.InferenceSession(
                path, options, providers=[(place.provider, dict(place.options))], enable_fallback=0
            )
    except Exception as error:  # the library's own types are not public
        raise GraphError(f"{path}: ONNX Runtime can't load it: {error}") from error
    refuse_fallback(path, place, session.get_providers())
    return session


def zeros(shape: Sequence[int], kind: str, device: str) -> Any:
    """A value of zeros in memory of a device.

    Args:
        shape: of the value.
        kind: key of DTYPES.
        device: ONNX Runtime's name of the memory.
    """
    array: Any = np.zeros(shape, DTYPES[kind])
    element: Any = DTYPES[kind].type
    if kind == BFLOAT16:
        element = BFLOAT16_ELEMENT
        array = onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(array, element)
    made = onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(shape), element, device, 0)
    made.update_inplace(array)
    return made


def refuse_fallback(path: Path, place: Place, found: list[str], load: Loader = ctypes.CDLL) -> None:
    """Refuse a session that took another provider than the one asked for.

    Raises:
        BackendMissing: it did; with the reason, as far as it can be found.
    """
    if found[0] != place.provider:
        folder = Path(onnxruntime.__file__).parent / "capi"
        raise BackendMissing(
            f"{path}: onnxruntime fell back to {found[0]} where {place.provider} was asked for"
            f" ({why_not(folder, load)}); install what is missing, or use --provider cpu"
        )


def why_not(folder: Path, load: Loader) -> str:
    """Why the CUDA provider does not load: the libraries that it needs are tried one by one.

    Args:
        folder: where ONNX Runtime's libraries are.
        load: opens a shared library by name; raises OSError where there is none.
    """
    library = folder / LIBRARY
    for name in (CUDA_LIBRARY, str(library)):
        try:
            load(name)
        except OSError as error:
            absent, _, cause = str(error).partition(": cannot open shared object file")
            if absent == str(library) and cause:
                return f"{LIBRARY} not found; {INSTALL}"
            return f"{absent} not found" if cause else f"{error}"
    return "it gives no reason"


def copied(path: Path, place: Place, threads: Threads) -> list[str]:
    """Values of a graph that cross between host and device within a run.

    ONNX Runtime adds the nodes that copy them, and shows them only in the graph that it writes.
    """
    with tempfile.TemporaryDirectory(prefix="optimised-") as folder:
        written = Path(folder) / path.name
        session_on(place, path, threads, optimised=written)
        return sorted({name.decode() for name in COPY_NODE.findall(written.read_bytes())})


def cpu_nodes(session: Any) -> list[str]:
    """Operators that a session leaves to the CPU; needs `session.record_ep_graph_assignment_info`.

    Sizes are computed there in any case; a node that moves data must not be among them.
    """
    return [
        f"{node.op_type} '{node.name}'"
        for part in session.get_provider_graph_assignment_info()
        if part.ep_name == STAND_IN.provider
        for node in part.get_nodes()
    ]
