"""Dataclasses to strict JSON and back: the one reader and writer of manifests and reports.

Knows types and no meanings: text, numbers, true or false, null, mappings, tuples, and dataclasses
of these. A field with a default may be absent in the file; `formerly` in a field's metadata names
the key that older files have in its place; LEFT_OUT as its metadata leaves its default out.
"""

import json
import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, TypeVar

T = TypeVar("T")
LEFT_OUT: Mapping[str, bool] = {"left_out": True}
Fault = Callable[[str], Exception]

JSON_NAMES: Mapping[type, str] = {
    dict: "an object",
    list: "a list",
    str: "text",
    float: "a number",
    int: "an integer",
    bool: "true or false",
    type(None): "null",
}


def read(kind: type[T], path: Path, fault: Fault, cure: str) -> T:
    """Read a JSON file as a dataclass, or as a mapping or tuple of them.

    Args:
        kind: what the file holds.
        path: the file.
        fault: makes the error of its message.
        cure: what to do about a file that is none, which ends the message.

    Raises:
        The error of `fault`, one line that names file and key: no JSON, a value of another type,
        an unknown or a missing key.
        FileNotFoundError: there is no such file.
    """
    return parse(
        kind, content(path, fault, cure), f"{path}", lambda message: fault(f"{message}; {cure}")
    )


def content(path: Path, fault: Fault, cure: str) -> Any:
    """What a JSON file holds, not typed yet.

    Raises:
        The error of `fault`: it is not readable as strict JSON.
        FileNotFoundError: there is no such file.
    """
    try:
        if path.exists() and not path.is_file():
            raise ValueError("not a plain file")
        return json.loads(path.read_text("utf-8"), parse_constant=_no_number)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise fault(f"{path}: not readable as JSON ({error}); {cure}") from error


def parse(kind: type[T], value: object, where: str, fault: Fault) -> T:
    """A JSON value as the type that is declared for it.

    Args:
        kind: dataclass, mapping, tuple of any length, literal, union or plain type.
        value: as `json` reads it.
        where: file and key, which begin the message of an error.
        fault: makes the error of its message.
    """
    found: T = _typed(kind, value, where, fault)
    return found


def in_json(value: Any) -> Any:
    """A dataclass, and all that is in it, as JSON holds it; a number that is none becomes null."""
    if is_dataclass(value):
        return {
            field.name: in_json(getattr(value, field.name))
            for field in fields(value)
            if not _left_out(field, getattr(value, field.name))
        }
    if isinstance(value, Mapping):
        return {f"{key}": in_json(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [in_json(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return f"{value}" if isinstance(value, Path) else value


def text(value: Any) -> str:
    """The same as text for a file: strict JSON, readable, with a final newline."""
    return json.dumps(in_json(value), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _typed(kind: Any, value: Any, where: str, fault: Fault) -> Any:
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _record(kind, _plain(dict, value, where, fault), where, fault)
    below = partial(_typed, fault=fault)
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _one_of(inside, value, where, fault)
    if origin is Literal:
        if value not in inside or isinstance(value, bool) != isinstance(inside[0], bool):
            raise fault(f"{where}: {value!r}, want one of {', '.join(map(repr, inside))}")
        return value
    if origin is tuple:
        items = enumerate(_plain(list, value, where, fault))
        return tuple(below(inside[0], item, f"{where}[{i}]") for i, item in items)
    if origin is not None and issubclass(origin, Mapping):
        pairs = _plain(dict, value, where, fault).items()
        return {
            _key(inside[0], key, where, fault): below(inside[1], item, f"{where}.{key}")
            for key, item in pairs
        }
    return _plain(kind, value, where, fault)


def _one_of(kinds: tuple[Any, ...], value: Any, where: str, fault: Fault) -> Any:
    """The value as the first of these types that takes it."""
    if value is None and type(None) in kinds:
        return None
    kept = [kind for kind in kinds if kind is not type(None)]
    if len(kept) == 1:
        return _typed(kept[0], value, where, fault)
    if type(value) in kept:
        return value
    names = " or ".join(JSON_NAMES[kind] for kind in kept)
    raise fault(f"{where}: {JSON_NAMES[type(value)]}, want {names}")


def _plain(kind: Any, value: Any, where: str, fault: Fault) -> Any:
    number = kind is float and type(value) is int
    if type(value) is not kind and not number:
        raise fault(f"{where}: {JSON_NAMES[type(value)]}, want {JSON_NAMES[kind]}")
    return float(value) if number else value


def _key(kind: Any, key: str, where: str, fault: Fault) -> Any:
    """A mapping's key, which JSON has as text."""
    if kind is not int:
        return key
    if not key.removeprefix("-").isdecimal():
        raise fault(f"{where}: key {key!r}, want an integer")
    return int(key)


def _record(kind: Any, value: Mapping[str, Any], where: str, fault: Fault) -> Any:
    declared, given = _declared(kind), dict(value)
    for name, field in declared.items():
        old = field.metadata.get("formerly")
        if old in given and name not in given:
            given[name] = given.pop(old)
    needed = {name for name, field in declared.items() if not _may_be_absent(field)}
    faults = (("missing", needed - given.keys()), ("unknown", given.keys() - declared.keys()))
    for problem, keys in faults:
        if keys:
            raise fault(f"{where}: {problem} key {min(keys)!r}")
    types_of = _hints(kind)
    return kind(
        **{key: _typed(types_of[key], item, f"{where}.{key}", fault) for key, item in given.items()}
    )


def _left_out(field: "Field[Any]", value: Any) -> bool:
    """Whether a file is as good without it."""
    usual = field.default if field.default_factory is MISSING else field.default_factory()
    return bool(field.metadata.get("left_out")) and value == usual


def _may_be_absent(field: "Field[Any]") -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


@cache
def _declared(kind: Any) -> dict[str, "Field[Any]"]:
    return {field.name: field for field in fields(kind) if field.init}


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)
