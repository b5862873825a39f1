"""Build an engine from an ONNX file with TensorRT 10, 11 or TensorRT-RTX: one path, module given.

Every None, False and -1 of the library, and every error that it logs, becomes an error of ours.
Knows nothing of voices, files of the build, or machines.
"""

import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from runtime.backends.engine_load import DTYPES, log_of
from runtime.errors import EngineBuildError, GraphError
from workflow_scripts.engines.profiles import Dims, Profile

ERRORS = ("INTERNAL_ERROR", "ERROR")
WORKSPACE_BYTES = 4 * 2**30
DEFAULT_LEVEL = 3


@dataclass(frozen=True)
class Options:
    """How an engine is built; part of its key.

    Attributes:
        optimization_level: 0 to 5; more searches longer.
        workspace_bytes: device memory that a kernel may use at most.
        tf32: whether fp32 products may be rounded to 10 bits.
        max_aux_streams: streams beside the caller's; None leaves it to the library.
        detailed: keep layer names for reports.
    """

    optimization_level: int = DEFAULT_LEVEL
    workspace_bytes: int = WORKSPACE_BYTES
    tf32: bool = False
    max_aux_streams: int | None = None
    detailed: bool = False


@dataclass(frozen=True)
class IOTensor:
    """One input or output of a network."""

    name: str
    mode: str
    dtype: str
    shape: Dims


@dataclass(frozen=True)
class Request:
    """What to build.

    Attributes:
        graph: ONNX file.
        io_tensors: inputs and outputs that it must have, -1 where a dim is dynamic.
        profiles: lengths to build for.
        options: how.
        timing_cache: what an earlier build measured; None for a library that keeps none.
    """

    graph: Path
    io_tensors: tuple[IOTensor, ...]
    profiles: tuple[Profile, ...]
    options: Options
    timing_cache: bytes | None = None


@dataclass(frozen=True)
class Built:
    """A finished engine.

    Attributes:
        plan: the engine's bytes.
        timing_cache: to give to the next build on this machine; None if there is none.
        warnings: what the library logged.
    """

    plan: bytes
    timing_cache: bytes | None
    warnings: tuple[str, ...]


def build(trt: ModuleType, request: Request) -> Built:
    """Build one engine.

    Args:
        trt: `tensorrt` 10.13 or later, or `tensorrt_rtx`.
        request: what to build.

    Raises:
        GraphError: the graph can't be imported, or is not what was announced.
        EngineBuildError: the library refused a setting, or failed.
    """
    log = log_of(trt)
    log.messages.clear()
    where = request.graph.name
    with imported(trt, log, request.graph) as (builder, network):
        _check_io_tensors(network, request.io_tensors, where)
        config = _made(builder.create_builder_config(), "create_builder_config", where, log)
        _configure(trt, config, request.options, where)
        for profile in request.profiles:
            _add_profile(builder, network, config, profile, where)
        cache = _use_timing_cache(config, request.timing_cache, where, log)
        progress = _progress_of(trt)
        config.progress_monitor = progress
        with _interrupts_to(progress):
            plan = builder.build_serialized_network(network, config)
        if progress.cancelled:
            raise KeyboardInterrupt
        plan = _made(plan, "build_serialized_network", where, log)
        _refuse_errors(log, where)
        # the plan is the library's memory and must be copied while the builder lives
        stored = None if cache is None else _made(cache.serialize(), "serialize", where, log)
        kept = None if stored is None else bytes(stored)
        return Built(bytes(plan), kept, tuple(text for _, text in log.messages))


@contextmanager
def imported(trt: ModuleType, log: Any, graph: Path) -> Iterator[tuple[Any, Any]]:
    """A builder and the network of an ONNX file, alive together as long as the block lasts."""
    builder = _made(trt.Builder(log), "Builder", graph.name, log)
    flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = _made(builder.create_network(flags), "create_network", graph.name, log)
    parser = trt.OnnxParser(network, log)  # a parser without its network crashes the process
    if not parser.parse_from_file(str(graph)):
        raise GraphError(f"{graph.name}: {trt.__name__} can't import it: {_parse_faults(parser)}")
    _refuse_errors(log, graph.name)
    yield builder, network
    del parser


def _parse_faults(parser: Any) -> str:
    faults = (parser.get_error(i) for i in range(parser.num_errors))
    found = [f"{e.node_operator()} '{e.node_name()}': {e.desc()} ({e.code().name})" for e in faults]
    return "; ".join(dict.fromkeys(found)) or "it gives no reason"


def _made(found: Any, call: str, where: str, log: Any) -> Any:
    """What a call gave, or an error with what the library logged."""
    if found is None:
        raise EngineBuildError(f"{where}: {call} gave nothing: {_logged(log)}")
    return found


def _logged(log: Any) -> str:
    errors = [text for severity, text in log.messages if severity in ERRORS]
    found = errors or [text for _, text in log.messages]
    return "; ".join(dict.fromkeys(found)) or "the library logged no reason"


def _refuse_errors(log: Any, where: str) -> None:
    if any(severity in ERRORS for severity, _ in log.messages):
        raise EngineBuildError(f"{where}: {_logged(log)}")


def io_tensors_of(network: Any) -> tuple[IOTensor, ...]:
    """Inputs and outputs of a network, in its order."""
    inputs = [network.get_input(i) for i in range(network.num_inputs)]
    outputs = [network.get_output(i) for i in range(network.num_outputs)]
    return tuple(
        IOTensor(t.name, mode, DTYPES.get(t.dtype.name, t.dtype.name), tuple(t.shape))
        for mode, tensors in (("input", inputs), ("output", outputs))
        for t in tensors
    )


def _check_io_tensors(network: Any, wanted: tuple[IOTensor, ...], where: str) -> None:
    """An empty file parses well into an empty network, so what is there must be compared."""
    found, announced = (
        {tensor.name: tensor for tensor in io_tensors}
        for io_tensors in (io_tensors_of(network), wanted)
    )
    if missing := announced.keys() - found.keys():
        raise GraphError(f"{where}: '{min(missing)}' got lost in the import; export again")
    if odd := found.keys() - announced.keys():
        raise GraphError(f"{where}: '{min(odd)}' came up in the import; export again")
    for name, tensor in found.items():
        want = announced[name]
        same = tensor.mode == want.mode and tensor.dtype == want.dtype
        if not same or not _agree(tensor.shape, want.shape):
            raise GraphError(
                f"{where}: '{name}' is {tensor.mode} {tensor.dtype} {list(tensor.shape)}"
                " in the network,"
                f" {want.mode} {want.dtype} {list(want.shape)} in the graph; export again"
            )


def _agree(found: Dims, wanted: Dims) -> bool:
    """Equal but for dims that one of the two does not know."""
    return len(found) == len(wanted) and all(
        here == there or -1 in (here, there) for here, there in zip(found, wanted, strict=True)
    )


def _configure(trt: ModuleType, config: Any, options: Options, where: str) -> None:
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_bytes)
    config.builder_optimization_level = options.optimization_level
    if options.tf32:
        config.set_flag(trt.BuilderFlag.TF32)
    else:
        config.clear_flag(trt.BuilderFlag.TF32)
    if options.detailed:
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if options.max_aux_streams is not None:
        config.max_aux_streams = options.max_aux_streams
    if config.builder_optimization_level != options.optimization_level:
        raise EngineBuildError(
            f"{where}: optimization level {options.optimization_level} was not taken; give 0 to 5"
        )


def _add_profile(builder: Any, network: Any, config: Any, profile: Profile, where: str) -> None:
    inputs = {tensor.name: tensor for tensor in map(network.get_input, range(network.num_inputs))}
    _check_profile(inputs, profile, where)
    made = builder.create_optimization_profile()
    for name, shapes in profile.inputs.items():
        made.set_shape(name, shapes.min, shapes.opt, shapes.max)
    if config.add_optimization_profile(made) < 0:
        raise EngineBuildError(
            f"{where}: profile '{profile.name}' is not valid for the library: {profile.inputs}"
        )


def _check_profile(inputs: Mapping[str, Any], profile: Profile, where: str) -> None:
    """Names that the library would take in silence, and lengths that it would refuse in riddles."""
    what = f"{where}: profile '{profile.name}'"
    if unknown := profile.inputs.keys() - inputs.keys():
        raise GraphError(f"{what} names '{min(unknown)}', which is no input")
    for name, tensor in inputs.items():
        if tensor.is_shape_tensor:
            raise GraphError(f"{what}: '{name}' is used as a size; make it a mask or a fixed dim")
        shapes = profile.inputs.get(name)
        if shapes is None and -1 in tuple(tensor.shape):
            raise GraphError(f"{what} leaves out '{name}', which has dynamic dims")
        if shapes is None:
            continue
        ends = list(zip(shapes.min, shapes.opt, shapes.max, tensor.shape, strict=True))
        if any(not low <= usual <= high for low, usual, high, _ in ends):
            raise GraphError(f"{what}: '{name}' is not min <= opt <= max: {shapes}")
        if any(fixed != -1 and low != fixed for low, _, _, fixed in ends):
            raise GraphError(f"{what}: '{name}' changes a static dim: {shapes}")


def _use_timing_cache(config: Any, stored: bytes | None, where: str, log: Any) -> Any:
    """The cache in use, or None; one of another driver or device is left aside for a new one."""
    if stored is None:
        return None
    for content in (stored, b""):
        cache = config.create_timing_cache(content)
        if cache is not None and config.set_timing_cache(cache, False):
            # what a refused cache made the library log is no fault of this build
            log.messages[:] = [entry for entry in log.messages if entry[0] not in ERRORS]
            return cache
    raise EngineBuildError(f"{where}: the library takes no timing cache, not even a new one")


def _progress_of(trt: ModuleType) -> Any:
    """A line per phase; an interrupt ends the build at its next step."""

    class Progress(trt.IProgressMonitor):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.cancelled = False

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            if not parent_phase:
                sys.stderr.write(f"{phase_name} ({num_steps} steps)\n")

        def phase_finish(self, phase_name: str) -> None:
            pass

        def step_complete(self, phase_name: str, step: int) -> bool:
            return not self.cancelled

    return Progress()


@contextmanager
def _interrupts_to(progress: Any) -> Iterator[None]:
    """Let an interrupt cancel the build: the library swallows what a callback raises."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals go to the main thread
        return

    def cancel(number: int, frame: object) -> None:
        progress.cancelled = True

    before = signal.signal(signal.SIGINT, cancel)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
