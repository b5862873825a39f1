"""A source is read once, and is refused where it is not the one that was planned."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from runtime.errors import ArtifactError, CheckpointError
from tests import bundles
from workflow_scripts import digests
from workflow_scripts.checkpoint import read as reading
from workflow_scripts.checkpoint.read import read
from workflow_scripts.checkpoint.source import Source
from workflow_scripts.graphs import export
from workflow_scripts.models import describe
from workflow_scripts.proof import record

OTHER = bundles.GOLDEN / "t2s" / "tiny_c.ckpt"
CHANGED = "is another file now than when the build was planned"
NOBODY = "0" * 64


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_that_changes_after_the_first_look_gives_the_digest_of_what_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copy(bundles.GPT, tmp_path / "v.ckpt"))
    first = sha256(path)
    look = reading.peek

    def swapped(*args: object) -> object:
        found = look(*args)  # type: ignore[arg-type]
        path.write_bytes(OTHER.read_bytes())
        return found

    monkeypatch.setattr(reading, "peek", swapped)
    assert read(path).sha256 == sha256(OTHER)
    path.write_bytes(bundles.GPT.read_bytes())
    with pytest.raises(CheckpointError, match=rf"v\.ckpt: {CHANGED} .*; build again"):
        read(Source(path, first))


@pytest.mark.parametrize("planned", [True, False])
def test_a_folder_is_compared_as_the_plan_digests_it(tmp_path: Path, planned: bool) -> None:
    folder = Path(shutil.copytree(bundles.HUBERT, tmp_path / "hubert"))
    digest = digests.Sources(tmp_path / "store.json").of(folder)
    source = Source(folder, digest)
    source.content("config.json")
    if planned:
        assert source.confirm() == digest
    else:
        (folder / "another.txt").touch()
        with pytest.raises(CheckpointError, match=f"hubert: {CHANGED}"):
            source.confirm()


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("t2s", bundles.GPT),
        ("sovits", bundles.SOVITS / "v2.pth"),
        ("hubert", bundles.HUBERT),
        ("roberta", bundles.ROBERTA),
        ("speaker", bundles.SPEAKER),
    ],
)
def test_an_export_of_another_file_than_planned_leaves_nothing(
    kind: str, source: Path, tmp_path: Path
) -> None:
    folders = ["--graphs", f"{tmp_path / 'raw'}", "--answers", f"{tmp_path / 'answers'}"]
    with pytest.raises(CheckpointError, match=f"{source.name}: {CHANGED}"):
        export.main([kind, f"{source}", "--sha256", NOBODY, *folders])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("word", ["gpt", "sovits", "ssl", "reference-audio"])
def test_a_record_of_another_file_than_planned_leaves_nothing(word: str, tmp_path: Path) -> None:
    given = {
        "gpt": bundles.GPT,
        "sovits": bundles.SOVITS / "v2.pth",
        "ssl": bundles.HUBERT,
        "reference-audio": bundles.EXAMPLE,
    }
    words = [part for name, path in given.items() for part in (f"--{name}", f"{path}")]
    with pytest.raises(ArtifactError, match=f"{given[word].name}: {CHANGED}"):
        record.main([*words, "--output", f"{tmp_path / 'a.npz'}", "--sha256", f'{{"{word}": "0"}}'])
    assert list(tmp_path.iterdir()) == []


def test_a_description_of_another_file_than_planned_leaves_nothing(tmp_path: Path) -> None:
    words = ["--gpt", f"{bundles.GPT}", "--sovits", f"{bundles.SOVITS / 'v2.pth'}"]
    planned = ["--sha256", '{"sovits": "0"}', "--output", f"{tmp_path / 'a.json'}"]
    with pytest.raises(CheckpointError, match=rf"v2\.pth: {CHANGED}"):
        describe.main([*words, *planned])
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_plain_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ckpt")
    (tmp_path / "loop.ckpt").symlink_to("loop.ckpt")
    for path in (tmp_path / "pipe.ckpt", tmp_path / "loop.ckpt", Path("/dev/zero"), tmp_path):
        with pytest.raises(CheckpointError, match=f"{path}: "):
            read(path)
        with pytest.raises(CheckpointError, match=f"{path}: "):
            Source(path).content()
