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
from workflow_scripts.checkpoint.nesting import OPCODES, Nesting

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

KNOWN = frozenset(
    {
        ("collections", "OrderedDict"),
        ("utils", "HParams"),
        ("torch._utils", "_rebuild_tensor_v2"),
        ("torch._utils", "_rebuild_parameter"),
        *(("torch", name) for name in _STORAGES),
    }
)
MOST_OPCODES = 500_000  # full-size files have 30,000
MOST_DIMS = 16

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
    """What a pickle states of one tensor.

    Attributes:
        dtype: numpy's name of its element type (or "bfloat16").
        shape: its dims.
        storage: the block that it is a view of.
        offset: element of the block that it begins at.
        stride: elements of the block from one index to the next, for each dim.
    """

    dtype: str
    shape: tuple[int, ...]
    storage: Storage
    offset: int
    stride: tuple[int, ...]


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
    """Refuse by opcodes alone what names foreign code or would exhaust memory, time or stack."""
    seen = _Seen(set(), [], [])
    nesting = Nesting()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            seen.note(opcode.name, argument)
            if not seen.asked and not seen.odd:
                nesting.follow(opcode, argument)
            if count > MOST_OPCODES:
                raise ValueError(f"more than {MOST_OPCODES} steps")
    except Exception as fault:  # pickletools is not written for hostile input
        raise _unsound(where, fault) from fault
    if seen.asked and is_resume_file(seen.strings):
        raise resume_error(where, seen.strings)
    if seen.asked:
        raise _asks(where, seen.asked[0])
    if seen.odd:
        raise _unsound(where, ValueError(f"opcode {seen.odd[0]}"))


class _Seen(NamedTuple):
    """What opcodes show: text, foreign names, opcodes that torch never writes."""

    strings: set[str]
    asked: list[str]
    odd: list[str]

    def note(self, opcode: str, argument: Any) -> None:
        if opcode in ("GLOBAL", "INST"):
            module, _, name = str(argument).partition(" ")
            if (module, name) not in KNOWN:
                self.asked.append(f"{module}.{name}")
        elif opcode.startswith("EXT"):
            self.asked.append(f"extension {argument}")
        elif opcode not in OPCODES:
            self.odd.append(opcode)
        elif isinstance(argument, str):
            self.strings.add(argument)


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
        mark, kind, key, _device, count, *view = pid
        if view not in ([], [None]):  # of the format before PyTorch 1.6
            raise ValueError("a view of a storage")
        if mark != "storage" or not isinstance(kind, StorageKind):
            raise ValueError("not a storage")
        if not isinstance(key, str) or not _sizes((count,)):
            raise ValueError("not a storage's key and size")
        return Storage(kind, key, count)


def _stand_ins() -> dict[tuple[str, str], Any]:
    """What each name that a checkpoint may ask for gives us: nothing that does anything."""

    class Ordered(dict[Any, Any], metaclass=_Sealed):
        __slots__ = ()

        def __setstate__(self, _state: Any) -> None:
            """What a module noted beside its tensors is of no use here."""

    class Bag(metaclass=_Sealed):
        def __setstate__(self, state: Any) -> None:
            if type(state) is not dict or not all(type(key) is str for key in state):
                raise ValueError("HParams of another form")
            vars(self).update(state)

    table: dict[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): Ordered,
        ("utils", "HParams"): Bag,
        ("torch._utils", "_rebuild_tensor_v2"): _Inert(_stub),
        ("torch._utils", "_rebuild_parameter"): _Inert(_parameter),
    }
    for name, (dtype, width) in _STORAGES.items():
        table["torch", name] = StorageKind(dtype, width)
    return table


class _Sealed(type):
    """A class that a pickle can't alter."""

    def __setattr__(cls, name: str, value: Any) -> None:
        raise TypeError(f"{name} of a stand-in can't be set")


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
    if len(shape) > MOST_DIMS:
        raise ValueError(f"a tensor of {len(shape)} dims")
    last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
    if all(shape) and last >= storage.elements:
        raise ValueError("a tensor reaches beyond its storage")
    return Stub(storage.kind.dtype, tuple(shape), storage, offset, tuple(stride))


def _parameter(tensor: Any, *_rest: Any) -> Stub:
    if not isinstance(tensor, Stub):
        raise ValueError("a parameter without tensor")
    return tensor


def _sizes(numbers: Any) -> bool:
    return isinstance(numbers, tuple) and all(type(n) is int and n >= 0 for n in numbers)
