"""Checkpoints that were made to harm: each is refused in one printable line, and nothing runs."""

import random
import re
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from runtime.errors import CheckpointError, FoundryError
from tests import bundles
from tests.checkpoint.makers import plain, torch_file, zipped
from workflow_scripts.checkpoint.read import read
from workflow_scripts.models import describe

DEEP = 1_000_000
HUGE = b"\x8b" + struct.pack("<i", 5001) + b"\x7f" * 5001  # a whole number of 40,000 bits
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff\u202a-\u202e]")
FLIPS, MANY_FLIPS = 25, 2000


def named(text: bytes) -> bytes:
    return b"X" + struct.pack("<I", len(text)) + text


def whole(inside: bytes) -> bytes:
    """A pickle that makes something, drops it, and holds an empty mapping."""
    return b"\x80\x02" + inside + b"0}."


PICKLES: dict[str, tuple[bytes, str]] = {
    "a tuple a million deep as a key": (b"}" + b")" + b"\x85" * DEEP + b"K\x01s", "100 deep"),
    "a tuple a million deep": (b")" + b"\x85" * DEEP, "100 deep"),
    "a list a million deep": (b"]" * DEEP + b"a" * (DEEP - 1), "steps"),
    "bags in bags": (b"cutils\nHParams\n)R}X\x01\x00\x00\x00a" * 200 + b"N" + b"sb" * 200, "deep"),
    "tuples that hold one another twice": (
        b"}" + b"K\x01q\x00" + b"".join(b"h\x00h\x00\x86q\x00" for _ in range(60)) + b"K\x01s",
        "a key that is no name",
    ),
    "six million sets": (b"(" + b"\x8f" * 6_000_000 + b"t", "more than 500000 steps"),
    "six million nothings": (b"(" + b"N" * 6_000_000 + b"t", "more than 500000 steps"),
    "a huge number": (HUGE, "a whole number of 40007 bits"),
    "text that is no Unicode": (named(b"\xed\xa0\x80"), "text that is not Unicode"),
    "a module named by an escape": (b"c\x1b]0;pwned\x07\x1b[31m\nsystem\n", "asks for "),
    "a module of 3 MB": (b"c" + b"a" * 3_000_000 + b"\nsystem\n", "asks for "),
    "an altered stand-in": (
        b"ccollections\nOrderedDict\n(N}" + named(b"items") + b"cutils\nHParams\nstb",
        "damaged or not a checkpoint's",
    ),
    "an instance whose class is set": (
        b"cutils\nHParams\n)R(N}" + named(b"__class__") + b"ccollections\nOrderedDict\nstb",
        "damaged or not a checkpoint's",
    ),
    "a memo without end": (b"K\x01r\xff\xff\xff\x7f", "memo index 2147483647"),
    "a buffer": (b"\x97", "opcode NEXT_BUFFER"),
}


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert not CONTROL.search(message)
    assert len(message) < 1000
    return message


@pytest.mark.parametrize(("inside", "message"), PICKLES.values(), ids=PICKLES)
def test_a_hostile_pickle_is_one_printable_line(
    inside: bytes, message: str, tmp_path: Path
) -> None:
    assert message in refusal(zipped(tmp_path / "x.ckpt", whole(inside)))


def directory(change: Callable[[bytearray, int], None]) -> Callable[[bytearray], None]:
    """A change at the first storage's entry in the directory."""
    return lambda data: change(data, data.rindex(b"PK\x01\x02", 0, data.rindex(b"data/1")))


def put(kind: str, at: int, value: int) -> Callable[[bytearray], None]:
    return directory(lambda data, entry: struct.pack_into(kind, data, entry + at, value))


def end_of(at: int, value: int) -> Callable[[bytearray], None]:
    """A number in the record that says where the directory is."""
    return lambda data: struct.pack_into("<Q", data, data.rindex(b"PK\x06\x06") + at, value)


def shifted(data: bytearray) -> None:
    place = data.rindex(b"PK\x06\x06") + 48
    struct.pack_into("<Q", data, place, struct.unpack_from("<Q", data, place)[0] + 1000)


def bad_name(data: bytearray, entry: int) -> None:
    struct.pack_into("<H", data, entry + 8, 0x800)
    data[entry + 46 + 8] = 0xFF


ZIPS: dict[str, Callable[[bytearray], None]] = {
    "encrypted": put("<H", 8, 1),
    "patched": put("<H", 8, 0x20),
    "strongly encrypted": put("<H", 8, 0x41),
    "masked": put("<H", 8, 0x2000),
    "of a later version": put("<H", 6, 99),
    "compressed": put("<H", 10, 8),
    "elsewhere": put("<I", 42, 0x7FFFFFF0),
    "a name that is no UTF-8": directory(bad_name),
    "a directory that is shifted": shifted,
    "a directory far away": end_of(48, 1 << 62),
    "a directory without end": end_of(40, 1 << 62),
}


@pytest.mark.parametrize("harm", ZIPS.values(), ids=ZIPS)
def test_a_hostile_zip_is_one_line(harm: Callable[[bytearray], None], tmp_path: Path) -> None:
    data = bytearray(bundles.GPT.read_bytes())
    harm(data)
    path = tmp_path / "x.ckpt"
    path.write_bytes(data)
    refusal(path)


def changed(**entries: Any) -> dict[str, Any]:
    return plain(bundles.GPT) | entries


CONTENTS: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "a layer beyond n_layer": (
        lambda: changed(
            weight=plain(bundles.GPT)["weight"]
            | {"model.h.layers.9.norm1.weight": torch.zeros(64, dtype=torch.float16)}
        ),
        "model.h.layers.9.norm1.weight is more than its config asks for",
    ),
    "views larger than what is stored": (
        lambda: changed(
            weight=plain(bundles.GPT)["weight"]
            | {"model.x": torch.zeros(1, dtype=torch.float16).expand(1 << 29)}
        ),
        "that are stored; don't use this file",
    ),
}


@pytest.mark.parametrize(("made", "message"), CONTENTS.values(), ids=CONTENTS)
def test_weights_that_lie_are_refused(
    made: Callable[[], dict[str, Any]], message: str, tmp_path: Path
) -> None:
    assert message in refusal(torch_file(tmp_path / "x.ckpt", **made()))


def test_a_file_of_swapped_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    with zipfile.ZipFile(bundles.GPT) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.infolist():
            big = entry.filename.endswith("/byteorder")
            new.writestr(entry.filename, b"big" if big else old.read(entry))
        if not any(entry.filename.endswith("/byteorder") for entry in old.infolist()):
            new.writestr(f"{old.namelist()[0].split('/')[0]}/byteorder", b"big")
    assert "their bytes the other way round" in refusal(path)


def test_what_a_trainer_noted_is_printed_without_its_escapes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noted = "\x1b]0;pwned\x07\x1b[2Jfake\nerror: b\r\n\u202eabc" + "x" * 5000
    path = torch_file(tmp_path / "x.ckpt", **changed(info=noted))
    describe.main(["--gpt", f"{path}", "--sovits", f"{bundles.SOVITS / 'v2.pth'}"])
    printed = capsys.readouterr().out
    assert not CONTROL.search(printed.replace("\n", ""))
    assert max(map(len, printed.splitlines())) < 1000


def flipped(whole_file: bytes, chance: random.Random) -> bytes:
    """A few other bytes, most of them where structure is."""
    data = bytearray(whole_file)
    listed = data.find(b"PK\x01\x02")
    for _ in range(chance.randint(1, 6)):
        place = chance.choice([chance.randrange(listed, len(data)), chance.randrange(4, 4000)])
        data[place] = chance.randrange(256)
    return bytes(data)


def flip(path: Path, seeds: range) -> None:
    whole_file = bundles.GPT.read_bytes()
    for seed in seeds:
        path.write_bytes(flipped(whole_file, random.Random(seed)))
        try:
            read(path)
        except FoundryError as error:
            assert not CONTROL.search(str(error)), seed
        # anything else, a crash included, fails the test


def test_flipped_bytes_give_weights_or_one_line(tmp_path: Path) -> None:
    flip(tmp_path / "x.ckpt", range(FLIPS))


@pytest.mark.full
def test_many_flipped_bytes_give_weights_or_one_line(tmp_path: Path) -> None:
    flip(tmp_path / "x.ckpt", range(FLIPS, MANY_FLIPS))


def test_the_command_ends_with_3_and_one_line(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.ckpt", whole(b"}" + b")" + b"\x85" * DEEP + b"K\x01s"))
    words = ["--gpt", f"{path}", "--sovits", f"{bundles.SOVITS / 'v2.pth'}"]
    command = [sys.executable, "-m", "workflow_scripts.models.describe", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"error: {path}: ")
    assert done.stderr.count("\n") == 1
