"""The builder against the recorded surfaces of TensorRT 10, 11 and RTX: calls and refusals."""

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.backends import engine_load
from runtime.errors import EngineBuildError, FoundryError, GraphError
from tests.engines.stand_in import RELEASES, made, stand_in, surface, tensor
from workflow_scripts.engines import tensorrt
from workflow_scripts.engines.profiles import Profile, Shapes
from workflow_scripts.engines.tensorrt import IOTensor, Options, Request

SOURCES = [
    Path(tensorrt.__file__),
    *Path(engine_load.__file__).parent.glob("engine*.py"),
]
RTX_ALONE = {"EngineValidity", "EngineInvalidityDiagnostics"}  # looked for before they are used
PROFILE = Profile("any", {"x": Shapes((1, 1), (1, 5), (1, 9))})
REQUEST = Request(
    graph=Path("tiny.onnx"),
    io_tensors=(
        IOTensor("x", "input", "float32", (1, -1)),
        IOTensor("y", "output", "float32", (1, -1)),
    ),
    profiles=(PROFILE,),
    options=Options(max_aux_streams=0, detailed=True),
)


def answers(**changes: Any) -> dict[str, Any]:
    """A library that builds; `Class__method` of `changes` stands for `Class.method`."""
    found: dict[str, Any] = {
        "INetworkDefinition.num_inputs": 1,
        "INetworkDefinition.num_outputs": 1,
        "INetworkDefinition.get_input": lambda self, i: tensor("x", (1, -1)),
        "INetworkDefinition.get_output": lambda self, i: tensor("y", (1, -1)),
        "OnnxParser.num_errors": 0,
    }
    return found | {name.replace("__", "."): value for name, value in changes.items()}


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    return request.param


def logging(severity: str, text: str, answer: Any) -> Any:
    """An answer of the library that logs first; `answer` "default" is an engine."""

    def call(self: Any, network: Any, config: Any) -> Any:
        log = tensorrt.log_of(call.trt)
        log.log(call.trt.ILogger.Severity[severity], text)
        return made(call.trt, "IHostMemory") if answer == "default" else answer

    return call


def build(release: str, request: Request = REQUEST, **changes: Any) -> tensorrt.Built:
    trt = stand_in(release, answers(**changes))
    for change in changes.values():
        if callable(change):
            change.trt = trt
    return tensorrt.build(trt, request)


def test_every_call_fits_the_recorded_signatures(release: str) -> None:
    cache = None if "rtx" in release else b""
    built = build(release, replace(REQUEST, timing_cache=cache))
    assert built.plan == b"plan"
    assert built.timing_cache == (None if cache is None else b"plan")


def test_the_settings_reach_the_library(release: str) -> None:
    seen: list[Any] = []

    def watch(self: Any, network: Any, config: Any) -> Any:
        seen.append(config)
        return made(watch.trt, "IHostMemory")

    build(release, Builder__build_serialized_network=watch)
    assert seen[0].max_aux_streams == 0
    assert seen[0].builder_optimization_level == 3
    assert seen[0].profiling_verbosity.name == "DETAILED"


def deaf_config(self: Any) -> Any:
    """A configuration that keeps its own optimization level."""
    kept = property(lambda self: 2, lambda self, value: None)
    deaf = type("Deaf", (deaf_config.trt.IBuilderConfig,), {"builder_optimization_level": kept})
    return deaf.__new__(deaf)


REFUSALS: dict[str, tuple[type[FoundryError], str, dict[str, Any]]] = {
    "no network": (
        EngineBuildError,
        "create_network gave nothing",
        {"Builder__create_network": None},
    ),
    "no config": (
        EngineBuildError,
        "create_builder_config gave nothing",
        {"Builder__create_builder_config": None},
    ),
    "parse fails in silence": (
        GraphError,
        "can't import it: it gives no reason",
        {"OnnxParser__parse_from_file": False},
    ),
    "a level that is not taken": (
        EngineBuildError,
        "optimization level 3 was not taken",
        {"Builder__create_builder_config": deaf_config},
    ),
    "an invalid profile": (
        EngineBuildError,
        "profile 'any' is not valid",
        {"IBuilderConfig__add_optimization_profile": -1},
    ),
    "nothing built": (
        EngineBuildError,
        "tiny.onnx: build_serialized_network gave nothing: no kernel for it",
        {"Builder__build_serialized_network": logging("ERROR", "no kernel\nfor it", None)},
    ),
    "built with an error": (
        EngineBuildError,
        "tiny.onnx: half of it failed",
        {"Builder__build_serialized_network": logging("ERROR", "half of it failed", "default")},
    ),
    "an empty network": (
        GraphError,
        "'x' got lost in the import",
        {"INetworkDefinition__num_inputs": 0, "INetworkDefinition__num_outputs": 0},
    ),
    "another output": (
        GraphError,
        "'y' got lost in the import",
        {"INetworkDefinition__get_output": lambda self, i: tensor("z", (1, -1))},
    ),
    "another type": (
        GraphError,
        r"'x' is input float16 \[1, -1\] in the network, input float32 \[1, -1\] in the graph",
        {"INetworkDefinition__get_input": lambda self, i: tensor("x", (1, -1), "HALF")},
    ),
    "another dim": (
        GraphError,
        "'x' is input float32",
        {"INetworkDefinition__get_input": lambda self, i: tensor("x", (2, -1))},
    ),
    "an input that is a size": (
        GraphError,
        "'x' is used as a size",
        {"INetworkDefinition__get_input": lambda self, i: tensor("x", (1, -1), size=True)},
    ),
}


@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS)
def test_every_refusal_of_the_library_is_an_error_of_ours(
    release: str, case: tuple[type[FoundryError], str, dict[str, Any]]
) -> None:
    error, message, changes = case
    with pytest.raises(error, match=message) as caught:
        build(release, **changes)
    assert "\n" not in str(caught.value)


def test_what_the_parser_says_is_told(release: str) -> None:
    class Fault:
        def node_operator(self) -> str:
            return "Multinomial"

        def node_name(self) -> str:
            return "draw"

        def desc(self) -> str:
            return "no plugin"

        def code(self) -> Any:
            return stand_in(release).ErrorCode.UNSUPPORTED_NODE

    with pytest.raises(GraphError, match=r"Multinomial 'draw': no plugin \(UNSUPPORTED_NODE\)"):
        build(
            release,
            OnnxParser__parse_from_file=False,
            OnnxParser__num_errors=1,
            OnnxParser__get_error=lambda self, i: Fault(),
        )


BAD_PROFILES = {
    "names 'w', which is no input": {"w": Shapes((1,), (1,), (1,))} | dict(PROFILE.inputs),
    "leaves out 'x', which has dynamic dims": {},
    "is not min <= opt <= max": {"x": Shapes((1, 5), (1, 1), (1, 9))},
    "changes a static dim": {"x": Shapes((2, 1), (2, 5), (2, 9))},
}


@pytest.mark.parametrize(("message", "inputs"), BAD_PROFILES.items(), ids=BAD_PROFILES)
def test_profiles_are_checked_before_the_library_sees_them(
    release: str, message: str, inputs: dict[str, Shapes]
) -> None:
    with pytest.raises(GraphError, match=message):
        build(release, replace(REQUEST, profiles=(Profile("any", inputs),)))


def test_warnings_come_with_the_engine(release: str) -> None:
    noisy = logging("WARNING", "slow kernel", "default")
    assert build(release, Builder__build_serialized_network=noisy).warnings == ("slow kernel",)


def test_a_timing_cache_of_another_driver_is_left_aside() -> None:
    given: list[bytes] = []

    def create(self: Any, content: bytes) -> Any:
        given.append(content)
        return None if content else made(create.trt, "ITimingCache")

    request = replace(REQUEST, timing_cache=b"old")
    built = build("tensorrt_10", request, IBuilderConfig__create_timing_cache=create)
    assert (given, built.timing_cache) == ([b"old", b""], b"plan")
    with pytest.raises(EngineBuildError, match="takes no timing cache"):
        build("tensorrt_11", request, IBuilderConfig__set_timing_cache=False)


def test_an_interrupt_ends_the_build_and_is_not_swallowed(release: str) -> None:
    def interrupted(self: Any, network: Any, config: Any) -> Any:
        config.progress_monitor.cancelled = True
        assert not config.progress_monitor.step_complete("tactics", 3)

    with pytest.raises(KeyboardInterrupt):
        build(release, Builder__build_serialized_network=interrupted)


def test_names_of_the_module_exist_in_every_release() -> None:
    used = {
        tuple(ast.unparse(node).split(".")[1:])
        for source in SOURCES
        for node in ast.walk(ast.parse(source.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("trt.")
    }
    assert {("BuilderFlag", "TF32"), ("Runtime",)} <= used
    for name in RELEASES:
        trt = stand_in(name)
        for path in used:
            if path[0] in RTX_ALONE and "rtx" not in name:
                continue
            found: Any = trt
            for part in path:
                assert hasattr(found, part), f"{name} has no {'.'.join(path)}"
                found = getattr(found, part)


def test_the_stand_in_refuses_what_a_release_has_not() -> None:
    trt = stand_in("tensorrt_11")
    assert not hasattr(trt.BuilderFlag, "FP16")
    assert hasattr(stand_in("tensorrt_10").BuilderFlag, "FP16")
    config = made(trt, "IBuilderConfig")
    with pytest.raises(AttributeError):
        config.max_workspace_size = 1
    with pytest.raises(TypeError, match="no overload takes"):
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, "4 GiB")
    with pytest.raises(TypeError, match="can't be constructed"):
        trt.IBuilderConfig()


@pytest.mark.parametrize("release_name", RELEASES)
def test_an_installed_library_has_the_recorded_names(release_name: str) -> None:
    recorded = surface(release_name)
    module = pytest.importorskip(
        recorded["import_name"], reason="unverified: that the recorded surface is the real one"
    )
    if module.__version__.split(".")[0] != recorded["version"].split(".")[0]:
        pytest.skip(f"{module.__version__} is installed, {recorded['version']} is recorded")
    missing = [
        f"{name}.{member}"
        for name, facts in recorded["classes"].items()
        for member in (*facts["methods"], *facts["properties"])
        if not hasattr(getattr(module, name), member)
    ]
    assert missing == []
