"""Read the pickle of a checkpoint without running anything that it asks for.

Every global is looked up in one short table of inert stand-ins, made anew for each file, so that
a hostile pickle can neither call code nor leave anything behind. Needs no torch.
"""

import io
import pickle
import pickletools
from collections.abc import Callable
from typing import Any, NamedTuple

from runtime.errors import CheckpointError

_STORAGES: dict[str, tuple[str, int]] = {
    "HalfStorage": ("float16", 2),
    "BFloat16Storage": ("bfloat16", 2),
    "FloatStorage": ("float32", 4),
    "DoubleStorage": ("float64", 8),
    "LongStorage": ("int64", 8),
    "IntStorage": ("int32", 4),
    "ShortStorage": ("int16", 2),
    "CharStorage": ("int8", 1),
    "ByteStorage": ("uint8", 1),
    "BoolStorage": ("bool", 1),
}

PROTOCOL = 2  # of torch.save; torch's own safe loader knows no later one

_RESUME_MARKS = ({"state_dict", "optimizer_states"}, {"model", "optimizer", "iteration"})


class StorageKind(NamedTuple):
    """An element type and its bytes."""

    dtype: str
    width: int


class Storage(NamedTuple):
    """A block of stored elements."""

    kind: StorageKind
    key: str
    elements: int


class Stub(NamedTuple):
    """What a pickle says of one tensor.

    Attributes:
        dtype: numpy's name of its element type (or "bfloat16").
        shape: its dims.
        storage: the block that it is a view of.
    """

    dtype: str
    shape: tuple[int, ...]
    storage: Storage


def is_resume_file(names: set[str]) -> bool:
    """Whether a set of names is that of a trainer's own resume file."""
    return any(marks <= names for marks in _RESUME_MARKS)


def resume_error(where: str, names: set[str]) -> CheckpointError:
    """The line for a trainer's resume file."""
    has, folder = ("state_dict", "GPT") if "state_dict" in names else ("optimizer", "SoVITS")
    return CheckpointError(
        f"{where}: a trainer's resume file (has {has}, no weight); use the one in {folder}_weights*"
    )


def load(data: bytes, where: str) -> tuple[Any, type]:
    """Turn a pickle into plain objects, stubs for tensors and bags for HParams.

    Args:
        data: bytes of a `data.pkl`.
        where: opens the error line.

    Returns:
        The object, and the class whose instances stand for `utils.HParams` in it.

    Raises:
        CheckpointError: it asks for anything but data, or is not a sound pickle.
    """
    _scan(data, where)
    table = _stand_ins()
    try:
        loaded = _Restricted(data, table, where).load()
    except CheckpointError:
        raise
    except Exception as fault:  # whatever a hostile pickle can make an unpickler raise
        raise _unsound(where, fault) from fault
    if data[:1] == pickle.PROTO and data[1] > PROTOCOL:
        raise CheckpointError(
            f"{where}: pickled by protocol {data[1]}, at most {PROTOCOL} is read;"
            " save it anew with torch.save and its default protocol"
        )
    return loaded, table["utils", "HParams"]


def _unsound(where: str, fault: Exception) -> CheckpointError:
    reason = f"{type(fault).__name__}: {fault}"[:120]
    return CheckpointError(f"{where}: its pickle is damaged or not a checkpoint's ({reason})")


def _asks(where: str, what: str) -> CheckpointError:
    return CheckpointError(
        f"{where}: asks for {what}, not data; nothing was run, don't use this file"
    )


def _scan(data: bytes, where: str) -> None:
    """Refuse by opcodes alone what names foreign code or would exhaust the memory."""
    strings: set[str] = set()
    asked: list[str] = []
    known = _stand_ins().keys()
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name in ("GLOBAL", "INST"):
                module, _, name = str(argument).partition(" ")
                asked += [] if (module, name) in known else [f"{module}.{name}"]
            elif opcode.name.startswith("EXT"):
                asked.append(f"extension {argument}")
            elif opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(str(argument)) > len(data):
                raise ValueError(f"memo index {argument}")
            elif isinstance(argument, str):
                strings.add(argument)
    except Exception as fault:  # pickletools is not written for hostile input
        raise _unsound(where, fault) from fault
    if asked and is_resume_file(strings):
        raise resume_error(where, strings)
    if asked:
        raise _asks(where, asked[0])


class _Restricted(pickle.Unpickler):
    """An unpickler that knows the names in a table and no others."""

    def __init__(self, data: bytes, table: dict[tuple[str, str], Any], where: str) -> None:
        super().__init__(io.BytesIO(data))
        self._table = table
        self._where = where

    def find_class(self, module: str, name: str) -> Any:
        """A stand-in; anything else is refused by name."""
        if (module, name) not in self._table:
            raise _asks(self._where, f"{module}.{name}")
        return self._table[module, name]

    def persistent_load(self, pid: Any) -> Storage:
        """The storage that a tensor refers to."""
        mark, kind, key, _device, count = pid
        if mark != "storage" or not isinstance(kind, StorageKind):
            raise ValueError("not a storage")
        if not isinstance(key, str) or not _sizes((count,)):
            raise ValueError("not a storage's key and size")
        return Storage(kind, key, count)


def _stand_ins() -> dict[tuple[str, str], Any]:
    """What each name that a checkpoint may ask for gives us: nothing that does anything."""

    class Ordered(dict[Any, Any]):
        pass

    class Bag:
        pass

    table: dict[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): Ordered,
        ("utils", "HParams"): Bag,
        ("torch._utils", "_rebuild_tensor_v2"): _Inert(_stub),
        ("torch._utils", "_rebuild_parameter"): _Inert(_parameter),
    }
    for name, (dtype, width) in _STORAGES.items():
        table["torch", name] = StorageKind(dtype, width)
    return table


class _Inert:
    """A callable that a pickle can't alter."""

    __slots__ = ("__call",)

    def __init__(self, call: Callable[..., Stub]) -> None:
        self.__call = call

    def __call__(self, *args: Any) -> Stub:
        return self.__call(*args)


def _stub(storage: Any, offset: Any, shape: Any, stride: Any, *_rest: Any) -> Stub:
    """What torch would make a tensor of; its extent must lie inside its storage."""
    if not isinstance(storage, Storage) or not _sizes((offset,)):
        raise ValueError("a tensor without storage")
    if not _sizes(shape) or not _sizes(stride) or len(shape) != len(stride):
        raise ValueError("a tensor's dims are not numbers")
    last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
    if all(shape) and last >= storage.elements:
        raise ValueError("a tensor reaches beyond its storage")
    return Stub(storage.kind.dtype, tuple(shape), storage)


def _parameter(tensor: Any, *_rest: Any) -> Stub:
    if not isinstance(tensor, Stub):
        raise ValueError("a parameter without tensor")
    return tensor


def _sizes(numbers: Any) -> bool:
    return isinstance(numbers, tuple) and all(type(n) is int and n >= 0 for n in numbers)
