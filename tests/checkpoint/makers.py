"""Files to refuse: hostile pickles, damaged zips."""

import io
import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch


class Touch:
    """Pickles as a call of os.system that would create a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.target}",)


def zipped(
    path: Path, data: bytes, more: Mapping[str, bytes] | None = None, header: bytes = b"PK"
) -> Path:
    """A PyTorch zip around any pickle."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", data)
        for name, content in (more or {}).items():
            file.writestr(name, content)
    path.write_bytes(header + path.read_bytes()[2:])
    return path


def hostile_pickles(target: Path) -> dict[str, bytes]:
    """Ways to call code, by name; each would create `target` if it ran."""
    command = f"touch {target}"
    shell = command.encode()
    python = f"open({str(target)!r}, 'w').close()"
    kinds = {
        f"reduce{protocol}": pickle.dumps(Touch(target), protocol)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    }
    kinds |= {
        f"nested{protocol}": pickle.dumps(
            {"weight": {}, "config": {"model": [Touch(target)]}}, protocol
        )
        for protocol in (2, 4)
    }
    memoised = (
        b"\x80\x04\x8c\x06system\x94\x8c\x05posix\x940\x68\x01\x68\x00\x93"
        b"\x8c" + bytes([len(shell)]) + shell + b"\x85R."
    )
    return kinds | {
        "global": b"cos\nsystem\n(S'" + shell + b"'\ntR.",
        "inst": b"(S'" + shell + b"'\nios\nsystem\n.",
        "obj": b"(cos\nsystem\nS'" + shell + b"'\no.",
        "eval": b"c__builtin__\neval\n(V" + python.encode() + b"\ntR.",
        "exec": b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93\x8c"
        + bytes([len(python)])
        + python.encode()
        + b"\x85R.",
        "stack_global from the memo": memoised,
        "dotted": b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.fromkeys\x93.",
        "getattr": b"cbuiltins\ngetattr\n(ccollections\nOrderedDict\nS'pop'\ntR.",
        "persistent": b"\x80\x02(cos\nsystem\nX\x01\x00\x00\x00aQ.",
        "build": b"\x80\x02cutils\nHParams\n)\x81}X\x0c\x00\x00\x00__setstate__cos\nsystem\nsb"
        b"X" + len(shell).to_bytes(4, "little") + shell + b"b.",
        "extension": b"\x80\x02\x82\x01.",
        "torch": b"ctorch\nload\n(V" + str(target).encode() + b"\ntR.",
        "numpy": b"cnumpy\nload\n(V" + str(target).encode() + b"\ntR.",
    }


def resaved(source: Path, target: Path, **entries: Any) -> Path:
    """A checkpoint with some of its top entries replaced, config as a plain dict."""
    return torch_file(target, **(plain(source) | entries))


def plain(source: Path) -> dict[str, Any]:
    """A checkpoint's entries, read by torch from a T2S file of ours."""
    content: dict[str, Any] = torch.load(source, weights_only=True)
    return content


def torch_file(target: Path, **entries: Any) -> Path:
    buffer = io.BytesIO()
    torch.save(entries, buffer)
    target.write_bytes(buffer.getvalue())
    return target
