"""Wheels in parts below a size, without what a machine has no use for, and whole again."""

import struct
import zipfile
from pathlib import Path

import pytest

from runtime.errors import ArtifactError
from workflow_scripts.proof.gpu import carry


def element(architecture: int, code: bytes) -> bytes:
    head = struct.pack("<HHIQIIHHI", 2, 0, 64, len(code), 0, 0, 0, 0, architecture)
    return head.ljust(64, b"\0") + code


def container(*elements: bytes) -> bytes:
    body = b"".join(elements)
    return carry.MAGIC + struct.pack("<HHQ", 1, 16, len(body)) + body


NOISE = bytes(range(1, 251)) * 40
LIBRARY = b"ELF" + container(element(80, NOISE), element(90, NOISE)) + b"end"
ELSEWHERE = container(element(80, NOISE))


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "some-1.0.whl"
    with zipfile.ZipFile(path, "w") as stored:
        stored.writestr("some/lib.so.1", LIBRARY + ELSEWHERE)
        stored.writestr("some/__init__.py", "name = 'some'\n")
        stored.writestr("some/transformers/large.py", "unused")
    return path


def words(wheel: Path, to: Path, *more: str) -> list[str]:
    return ["pack", f"{wheel}", "--sm", "90", "--output", f"{to}", *more]


def test_parts_are_below_their_limit_and_make_the_whole_again(
    wheel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limit = 256
    carry.main(words(wheel, tmp_path / "parts", "--limit-mib", f"{limit / carry.MIB}"))
    parts = sorted((tmp_path / "parts").iterdir())
    assert len(parts) > 1
    assert max(path.stat().st_size for path in parts) <= limit
    assert f"{len(parts)} parts in" in capsys.readouterr().out
    site = tmp_path / "site"
    carry.main(["unpack", *map(str, parts), "--site", f"{site}"])
    assert (site / "some/__init__.py").read_text("utf-8") == "name = 'some'\n"
    assert not (site / "some/transformers").exists()
    with pytest.raises(ArtifactError, match="the parts are not one whole"):
        carry.main(["unpack", *map(str, parts[1:]), "--site", f"{site}"])


def test_code_of_other_architectures_becomes_zeros_and_nothing_moves() -> None:
    found = carry.without_other_code(LIBRARY + ELSEWHERE, frozenset({90}))
    assert len(found) == len(LIBRARY + ELSEWHERE)
    kept = LIBRARY.index(NOISE, LIBRARY.index(NOISE) + 1)
    assert found[kept : kept + len(NOISE)] == NOISE
    first = LIBRARY.index(NOISE)
    assert not any(found[first : first + len(NOISE)])
    assert found.endswith(ELSEWHERE), "a container without ours is left as it is"


def test_what_is_no_wheel_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "no.whl").write_bytes(b"no zip")
    with pytest.raises(ArtifactError, match=r"no\.whl: no wheel"):
        carry.main(words(tmp_path / "no.whl", tmp_path / "parts", "--limit-mib", "1"))
