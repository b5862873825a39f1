import io
import pickle
import zipfile
from pathlib import Path

import pytest

from runtime.errors import CheckpointError
from tests.checkpoint.makers import hostile_pickles, zipped
from workflow_scripts.checkpoint.archive import opened
from workflow_scripts.checkpoint.read import read

SOUND = pickle.dumps({}, 2)


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as raised:
        read(path)
    line = str(raised.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    return line


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"", "an empty file"),
        (b"not a model\n", "text, not a checkpoint"),
        ("Größe und 中文\n".encode(), "text, not a checkpoint"),
        (b"version https://git-lfs.github.com/spec/v1\n", "run git lfs pull"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"\x08\x0a\x12\x07pytorch\x1a\x04", "an ONNX graph"),
        (b"\x40" + bytes(7) + b'{"a":{"dtype":"F32"}}' + b" " * 90, "a safetensors file"),
        (b"\x80\x02}q\x00.", "a bare pickle"),
        (b"RIFF\x24\x00\x00\x00WAVE", "a sound file"),
        (b"\xff\xfe\xfd\xfc\x00\x01", "not a PyTorch zip (begins with b'\\xff\\xfe"),
        (b"07\x03\x04", "unknown header b'07'; known: PK, 00, 01, 02, 03, 04, 05, 06"),
        (b"PK\x03\x04" + bytes(50), "damaged or cut short"),
    ],
)
def test_a_foreign_file_is_called_what_it_is(tmp_path: Path, start: bytes, said: str) -> None:
    path = tmp_path / "mia.pth"
    path.write_bytes(start)
    assert said in refusal(path)


def test_a_folder_and_nothing_are_refused(tmp_path: Path) -> None:
    assert "a folder; give the checkpoint file in it" in refusal(tmp_path)
    assert "no such file" in refusal(tmp_path / "none.ckpt")


def test_a_zip_of_something_else_names_its_first_entry(tmp_path: Path) -> None:
    path = tmp_path / "mia.ckpt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("word/document.xml", "x")
    assert "a zip of something else (first entry 'word/document.xml')" in refusal(path)


def test_a_checkpoint_in_a_zip_is_not_opened(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.ckpt", hostile_pickles(tmp_path / "ran")["reduce4"])
    path = tmp_path / "mia.ckpt"
    with zipfile.ZipFile(path, "w") as file:
        file.write(inner, "inner.ckpt")
    assert "first entry 'inner.ckpt'" in refusal(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["/etc/x", "archive/../../x", "archive\\..\\x", "C:/x"])
def test_an_entry_that_points_outside_is_refused_and_not_written(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    path = zipped(folder / "mia.pth", SOUND, {name: b"x"})
    assert "points outside the archive" in refusal(path)
    assert [entry.name for entry in tmp_path.rglob("*")] == ["in", "mia.pth"]


def test_a_compressed_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "mia.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", bytes(50_000_000))
    assert "is compressed, which PyTorch never does" in refusal(path)


def test_an_entry_that_claims_more_than_there_is_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "mia.pth", SOUND, {"archive/data/0": b"12345678"})
    content = path.read_bytes()
    entry = content.rindex(b"PK\x01\x02")
    huge = (1 << 31).to_bytes(4, "little")
    path.write_bytes(content[: entry + 20] + huge + huge + content[entry + 28 :])
    assert "claims 2147483648 bytes, more than the file has" in refusal(path)


@pytest.mark.parametrize("more", ["other/data.pkl", "archive/data.pkl"])
def test_a_second_pickle_that_only_another_reader_sees_is_refused(
    tmp_path: Path, more: str
) -> None:
    trap = hostile_pickles(tmp_path / "ran")["reduce4"]
    path = tmp_path / "mia.pth"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("archive/data.pkl", SOUND)
        file.writestr("archive/dat4.pkl" if more.startswith("archive") else more, trap)
    path.write_bytes(buffer.getvalue().replace(b"dat4.pkl", b"data.pkl"))
    assert "two checkpoints in one zip, or an entry twice" in refusal(path)
    assert not (tmp_path / "ran").exists()


def test_cutting_a_file_anywhere_is_noticed(gpt: Path, tmp_path: Path) -> None:
    whole = gpt.read_bytes()
    path = tmp_path / "mia.ckpt"
    for share in (0.0001, 0.01, 0.5, 0.9, 0.999):
        path.write_bytes(whole[: int(len(whole) * share)])
        refusal(path)
    path.write_bytes(whole)
    assert read(path).weights


def test_a_changed_bit_in_a_weight_is_noticed(gpt: Path, tmp_path: Path) -> None:
    changed = bytearray(gpt.read_bytes())
    changed[len(changed) // 2] ^= 1
    path = tmp_path / "mia.ckpt"
    path.write_bytes(changed)
    assert "(check sum)" in refusal(path)


def test_only_the_first_two_bytes_are_restored(sovits: dict[str, Path]) -> None:
    stored = sovits["v2Pro"].read_bytes()
    with opened(sovits["v2Pro"]) as archive:
        archive.file.seek(0)
        assert archive.file.read(1) == b"P"
        assert archive.file.read() == b"K" + stored[2:]
        assert archive.header == "05"
