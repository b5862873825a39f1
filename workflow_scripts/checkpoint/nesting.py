"""How deep a pickle nests, and how large its keys are, by its opcodes alone.

The interpreter hashes, compares and frees nested tuples by recursion in C, which a million of them
end with a crash: so the depth is bounded before anything is made. Needs no torch.
"""

import pickletools
from typing import Any

from runtime.errors import printable

MOST_DEPTH = 100
MOST_KEY_PARTS = 100
LARGEST_BITS = 80  # the mark of the old format has 77
LARGEST_MEMO = 1 << 20  # the unpickler makes an array that long

# what torch.save writes, now and in its past; the later protocols' own only to be refused by name
OPCODES = frozenset(
    (
        "APPEND", "APPENDS", "BINBYTES", "BINFLOAT", "BINGET",
        "BININT", "BININT1", "BININT2", "BINPERSID", "BINPUT",
        "BINSTRING", "BINUNICODE", "BUILD", "DICT", "EMPTY_DICT",
        "EMPTY_LIST", "EMPTY_TUPLE", "FLOAT", "FRAME", "GET",
        "GLOBAL", "INST", "INT", "LIST", "LONG",
        "LONG1", "LONG4", "LONG_BINGET", "LONG_BINPUT", "MARK",
        "MEMOIZE", "NEWFALSE", "NEWOBJ", "NEWTRUE", "NONE",
        "OBJ", "POP", "POP_MARK", "PROTO", "PUT",
        "REDUCE", "SETITEM", "SETITEMS", "SHORT_BINBYTES", "SHORT_BINSTRING",
        "SHORT_BINUNICODE", "STACK_GLOBAL", "STOP", "STRING", "TUPLE",
        "TUPLE1", "TUPLE2", "TUPLE3", "UNICODE",
    )
)  # fmt: skip
_FILLS = frozenset(("APPEND", "APPENDS", "SETITEM", "SETITEMS", "BUILD"))
_KEYED = frozenset(("SETITEM", "SETITEMS", "DICT"))
_PUTS = frozenset(("PUT", "BINPUT", "LONG_BINPUT"))
_GETS = frozenset(("GET", "BINGET", "LONG_BINGET"))

Made = tuple[int, int]  # depth, and parts counted as often as they are referred to
_MARK: Made = (-1, -1)


class Nesting:
    """The stack and memo of an unpickler, with sizes in the place of values."""

    def __init__(self) -> None:
        self._stack: list[Made] = []
        self._memo: dict[int, Made] = {}

    def follow(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:
        """Do to the sizes what an opcode does to values.

        Raises:
            ValueError: something nests too deep, a key or a number is too large, text is no text.
            IndexError, KeyError: there is nothing on the stack, or in the memo.
        """
        _refuse_argument(argument)
        name = opcode.name
        if name in _PUTS:
            if int(argument) > LARGEST_MEMO:
                raise ValueError(f"memo index {argument}")
            self._memo[int(argument)] = self._stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = self._stack[-1]
        elif name in _GETS:
            self._stack.append(self._memo[int(argument)])
        elif name == "MARK":
            self._stack.append(_MARK)
        else:
            self._make(opcode)

    def _make(self, opcode: pickletools.OpcodeInfo) -> None:
        before = opcode.stack_before
        marked = pickletools.markobject in before
        items = self._to_mark() if marked else []
        alone = before.index(pickletools.markobject) if marked else len(before)
        below = [self._stack.pop() for _ in range(alone)][::-1]
        if opcode.name in _KEYED:
            self._refuse_keys((below[1:] + items)[::2])
        parts = below + items
        deep = 1 + max((depth for depth, _ in parts), default=0)
        if opcode.name in _FILLS:
            deep = max(below[0][0], 1 + max((depth for depth, _ in parts[1:]), default=0))
        if deep > MOST_DEPTH:
            raise ValueError(f"nested more than {MOST_DEPTH} deep")
        size = 1 + sum(count for _, count in parts)
        self._stack += [(deep, size)] * len(opcode.stack_after)

    def _to_mark(self) -> list[Made]:
        items: list[Made] = []
        while (top := self._stack.pop()) != _MARK:
            items.append(top)
        return items[::-1]

    def _refuse_keys(self, keys: list[Made]) -> None:
        if any(count > MOST_KEY_PARTS for _, count in keys):
            raise ValueError("a key that is no name")


def _refuse_argument(argument: Any) -> None:
    if isinstance(argument, int) and argument.bit_length() > LARGEST_BITS:
        raise ValueError(f"a whole number of {argument.bit_length()} bits")
    if isinstance(argument, str) and any("\ud800" <= c <= "\udfff" for c in argument):
        raise ValueError(f"text that is not Unicode: {printable(argument[:40])}")
