"""A module with the recorded surface of TensorRT 10, 11 or RTX, and answers that a test scripts.

Every call is bound to the recorded signatures and its arguments are checked for kind; an attribute
that the release has not raises AttributeError. It says nothing of how the library behaves.
"""

import enum
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

SURFACES = Path(__file__).with_name("surfaces")
RELEASES = ("tensorrt_10", "tensorrt_11", "tensorrt_rtx_1")
PLAIN = {
    "bool": lambda value: isinstance(value, bool),
    "str": lambda value: isinstance(value, str),
    "SupportsInt": lambda value: hasattr(value, "__index__") and not isinstance(value, bool),
    "Dims": lambda value: isinstance(value, tuple | list) and all(type(d) is int for d in value),
    "tuple": lambda value: isinstance(value, tuple) and all(type(d) is int for d in value),
    "list": lambda value: isinstance(value, list) and all(type(d) is int for d in value),
    "Buffer": lambda value: isinstance(value, bytes | bytearray | memoryview),
    "object": lambda value: True,
}
ANSWERS = {"bool": True, "int": 0, "None": None}
Answers = Mapping[str, Any]


def surface(release: str) -> dict[str, Any]:
    return json.loads((SURFACES / f"{release}.json").read_text("utf-8"))


def stand_in(release: str, answers: Answers | None = None) -> ModuleType:
    """The module.

    Args:
        release: one of RELEASES.
        answers: "Class.method" or "Class.property" → what it gives; a function is called with the
            instance and the arguments.
    """
    recorded = surface(release)
    trt = ModuleType(recorded["import_name"])
    trt.__version__ = recorded["version"]
    for name, members in recorded["enums"].items():
        if "." not in name:
            setattr(trt, name, enum.IntEnum(name, members))
    for name, facts in recorded["classes"].items():
        setattr(trt, name, class_of(trt, name, facts, dict(answers or {})))
    trt.ILogger.Severity = enum.IntEnum("Severity", recorded["enums"]["ILogger.Severity"])
    return trt


def class_of(trt: ModuleType, name: str, facts: dict[str, Any], answers: Answers) -> type:
    """One class: constructor, methods and properties as recorded, nothing else."""
    members: dict[str, Any] = {"__init__": constructor(trt, name, facts["constructors"])}
    for method, overloads in facts["methods"].items():
        members[method] = method_of(trt, f"{name}.{method}", overloads, answers)
    for prop, writable in facts["properties"].items():
        members[prop] = property_of(f"{name}.{prop}", prop, writable, answers)
    if facts["constructors"] == [] or name not in ("ILogger", "IProgressMonitor"):
        members["__setattr__"] = only_properties(facts["properties"])
    if name == "IHostMemory":
        members["__buffer__"] = members["__bytes__"] = lambda self: b"plan"
    return type(name, (), members)


def constructor(trt: ModuleType, name: str, overloads: list[Any]) -> Callable[..., None]:
    def init(self: Any, *args: Any, **named: Any) -> None:
        if not overloads:
            raise TypeError(f"{name} can't be constructed")
        bound(trt, name, [[params, "None"] for params, _ in overloads], args, named)

    return init


def method_of(trt: ModuleType, name: str, overloads: list[Any], answers: Answers) -> Any:
    def call(self: Any, *args: Any, **named: Any) -> Any:
        returns = bound(trt, name, overloads, args, named)
        if name in answers:
            answer = answers[name]
            return answer(self, *args) if callable(answer) else answer
        return ANSWERS[returns] if returns in ANSWERS else made(trt, returns)

    return call


def made(trt: ModuleType, kind: str) -> Any:
    """An instance that only the library makes."""
    cls = getattr(trt, kind)
    return cls.__new__(cls)


def property_of(name: str, prop: str, writable: bool, answers: Answers) -> property:
    def get(self: Any) -> Any:
        stored = self.__dict__.get(prop)
        return answers.get(name) if stored is None else stored

    def put(self: Any, value: Any) -> None:
        self.__dict__[prop] = value

    return property(get, put if writable else None)


def only_properties(properties: dict[str, bool]) -> Callable[..., None]:
    def set_attribute(self: Any, name: str, value: Any) -> None:
        if name not in properties:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        object.__setattr__(self, name, value)

    return set_attribute


def bound(trt: ModuleType, name: str, overloads: list[Any], args: Any, named: Any) -> str:
    """What the first overload returns that takes these arguments."""
    for params, returns in overloads:
        given = dict(zip((param[0] for param in params), args, strict=False)) | named
        kinds = {param[0]: param[1] for param in params}
        needed = {param[0] for param in params if not param[2]}
        fits = len(args) <= len(params) and given.keys() <= kinds.keys() and needed <= given.keys()
        if fits and all(of_kind(trt, value, kinds[key]) for key, value in given.items()):
            return returns
    raise TypeError(f"{name}: no overload takes {args} {named}")


def of_kind(trt: ModuleType, value: Any, kind: str) -> bool:
    if kind in PLAIN:
        return bool(PLAIN[kind](value))
    found = getattr(trt, kind, None)
    return found is not None and isinstance(value, found)


def tensor(name: str, shape: tuple[int, ...], dtype: str = "FLOAT", size: bool = False) -> Any:
    """An input or output as a network hands it out."""
    return SimpleNamespace(
        name=name, shape=shape, dtype=SimpleNamespace(name=dtype), is_shape_tensor=size
    )
