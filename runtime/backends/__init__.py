"""What can run a graph on this machine, and which graphs each back end may take."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from runtime.backends.memory import release_freed
from runtime.backends.steps import DeviceSteps
from runtime.contract import GRAPHS
from runtime.errors import SettingError
from runtime.loop_numbers import StreamNumbers

MOST_THREADS = 1024
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Port:
    """An input or output of an opened graph.

    Attributes:
        name: as in the graph.
        dtype: numpy's name of its element type; empty where the back end does not say.
        dims: sizes; None where they change from call to call.
    """

    name: str
    dtype: str
    dims: tuple[int | None, ...]


class GraphRunner(Protocol):
    """One graph, ready to run; safe to call from several threads."""

    def run(self, inputs: Arrays) -> list[NDArray[Any]]:
        """All outputs in the contract's order."""
        ...

    def input_dim(self, name: str, axis: int) -> int:
        """A static size of an input."""
        ...


class Repetition(Protocol):
    """A graph that runs again and again over its own result, which stays in its place."""

    def run(self, changed: Arrays) -> None:
        """Run once, with other values of some inputs."""
        ...

    def value(self, name: str) -> NDArray[Any]:
        """What an input holds now."""
        ...


@runtime_checkable
class Repeats(Protocol):
    """A graph whose result can stay where the next run takes it."""

    def repeated(self, inputs: Arrays, carried: Mapping[str, str]) -> Repetition:
        """Begin.

        Args:
            inputs: all of them, for the first run.
            carried: output → the input whose place it is written to; of one shape, and read in
                full before it is written.
        """
        ...


class Loop(Protocol):
    """The decoder with embedding and sampler on a device; weights shared by all utterances."""

    capacity: int
    vocabulary: int

    def steps(self) -> DeviceSteps:
        """Buffers for one more utterance at a time."""
        ...


@dataclass(frozen=True)
class Threads:
    """How sessions use the cores and the memory of this machine.

    Attributes:
        intra_op: workers inside an operator; 0 lets the library take all cores.
        spinning: let ONNX Runtime's idle workers spin: a step gains a little, what runs next loses.
        huge_pages: keep the KV cache on pages of 2 MiB.
    """

    intra_op: int = 0
    spinning: bool = False
    huge_pages: bool = False

    def __post_init__(self) -> None:
        if self.intra_op < 0:
            raise SettingError(f"threads: {self.intra_op} is below 0; 0 takes all cores")
        if self.intra_op > MOST_THREADS:
            raise SettingError(
                f"threads: {self.intra_op} is over {MOST_THREADS}; 0 takes all cores"
            )


@dataclass(frozen=True)
class Folders:
    """Files beside a bundle.

    Attributes:
        compiled: where back ends keep what they compile; None keeps nothing.
        engines: where engines were built, at any depth; None if there are none.
    """

    compiled: Path | None = None
    engines: Path | None = None


@dataclass(frozen=True)
class Windows:
    """The lengths at which a back end runs the vocoder, whatever the length of a sentence.

    Attributes:
        sizes: frames, ascending, context included; () runs every length whole. In BACKENDS they
            are those of a vocoder with the context of `vits`.
        fixed: whether a call is exactly so long, for a back end that compiles each length; else
            a size is only the most, and shorter sound runs at its own length.
        warmed: whether each size is run once at load, for a back end that plans its convolutions
            when a length comes.
    """

    sizes: tuple[int, ...] = ()
    fixed: bool = False
    warmed: bool = False

    def seeing(self, context: int) -> "Windows":
        """The same for a vocoder that sees so much to each side: as large a share is context."""
        usual = StreamNumbers.context_frames
        return replace(self, sizes=tuple(size * context // usual for size in self.sizes))


@dataclass(frozen=True)
class Backend:
    """A row of BACKENDS.

    Attributes:
        module: has `missing() -> str | None` and `open_graph(path, threads) -> GraphRunner`.
        note: what it is, for help and docs.
        only: graphs that it may run, where not every one; the others stay on `cpu`.
        compiles: whether `open_graph` takes a folder for compiled graphs as its third argument.
        engines: the library whose engines it runs; functions of its module take that name first,
            and `open_graph` the folder where engines are as its last argument.
        loops: whether it decodes in a loop of its own: `open_loop(path, threads, engines)`.
        windows: of the vocoder, to choose from by measurement; the first is the usual one.
    """

    module: str
    note: str
    only: frozenset[str] = frozenset()
    compiles: bool = False
    engines: str = ""
    loops: bool = False
    windows: tuple[Windows, ...] = (Windows(),)

    @property
    def takes(self) -> frozenset[str]:
        """Graphs that it may run."""
        return self.only or frozenset(GRAPHS)

    def missing(self) -> str | None:
        """Why it can't be used here, or None."""
        reason: str | None = importlib.import_module(self.module).missing(*self._library)
        return reason

    def open_graph(
        self, path: Path, threads: Threads, folders: Folders | None = None
    ) -> GraphRunner:
        """Load one ONNX file, or the engine that was built of it."""
        module = importlib.import_module(self.module)
        at = folders or Folders()
        kept = (at.compiled,) if self.compiles else (at.engines,) if self.engines else ()
        runner: GraphRunner = module.open_graph(*self._library, path, threads, *kept)
        release_freed()
        return runner

    def open_loop(self, path: Path, threads: Threads, folders: Folders) -> Loop:
        """Load what was made of a decoder for a device."""
        module = importlib.import_module(self.module)
        loop: Loop = module.open_loop(*self._library, path, threads, folders.engines)
        return loop

    @property
    def _library(self) -> tuple[str, ...]:
        return (self.engines,) if self.engines else ()


# OpenVINO compiles anew for each length, and keeps what it compiled: only what meets few lengths
# gains from it. The others' lengths are those of texts and references
FEW_LENGTHS = frozenset(name for name, graph in GRAPHS.items() if graph.few_lengths)


def _fixed(*sizes: int) -> Windows:
    return Windows(sizes, fixed=True)


# cuDNN plans each convolution anew whenever the length is another than the last one's, also if it
# came before: one length, ever the same. An engine then keeps its shapes too
ONE_LENGTH = tuple(Windows((size,), fixed=True, warmed=True) for size in (122, 66, 250))

BACKENDS: dict[str, Backend] = {
    "cpu": Backend(
        "runtime.backends.cpu",
        "ONNX Runtime on the CPU, always there",
        windows=(Windows((250,)), Windows((150,)), Windows((100,))),
    ),
    "openvino": Backend(
        "runtime.backends.openvino",
        "OpenVINO on the CPU, float32",
        only=FEW_LENGTHS,
        compiles=True,
        windows=(_fixed(32, 66, 122), _fixed(32, 100)),
    ),
    "openvino_bf16": Backend(
        "runtime.backends.openvino_bf16",
        "OpenVINO on a CPU with bfloat16 arithmetic: fast and less exact",
        only=FEW_LENGTHS,
        compiles=True,
        windows=(_fixed(32, 100), _fixed(32, 66, 122)),
    ),
    "cuda": Backend(
        "runtime.backends.cuda", "ONNX Runtime on an NVIDIA GPU", loops=True, windows=ONE_LENGTH
    ),
    "tensorrt": Backend(
        "runtime.backends.engines",
        "engines of TensorRT",
        engines="tensorrt",
        loops=True,
        windows=ONE_LENGTH,
    ),
    "tensorrt_rtx": Backend(
        "runtime.backends.engines",
        "engines of TensorRT-RTX",
        engines="tensorrt_rtx",
        loops=True,
        windows=ONE_LENGTH,
    ),
}


def backend_for(graph: str, name: str) -> Backend:
    """The row of a back end that may take a graph.

    Raises:
        SettingError: it may not.
    """
    backend = BACKENDS[name]
    if graph not in backend.takes:
        able = [other for other, row in BACKENDS.items() if graph in row.takes]
        raise SettingError(f"provider {graph}={name}: not for this graph; use {', '.join(able)}")
    return backend
