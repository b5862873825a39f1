"""What is released is whole, listed, and small enough to lie in the repository."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from runtime.errors import ArtifactError
from runtime.manifest import digest
from training import release
from training.corpus import SPEAKERS

TEXTS = ["Too short.", "One, two.", "The boat is on the river.", "So is the other."]
SECONDS = [2.0, 5.0, 5.0, 5.0]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    corpus = folder / "corpus"
    corpus.mkdir(parents=True)
    numbered = list(enumerate(zip(TEXTS, SECONDS, strict=True)))
    rows = [{"id": i, "split": "train", "text": text} for i, (text, _) in numbered]
    write_rows(corpus / "sentences.jsonl", rows)
    for who in SPEAKERS:
        (corpus / who).mkdir()
        rows = [{"id": i, "text": text, "phones": [["pau", s]]} for i, (text, s) in numbered]
        write_rows(corpus / f"{who}.jsonl", rows)
        for i, (_, seconds) in numbered:
            silence = np.zeros(int(16_000 * seconds))
            soundfile.write(corpus / who / f"{i:05d}.wav", silence, 16_000)
    (folder / "hubert").mkdir()
    for name in ("voice.ckpt", "voice.pth", "hubert/config.json", "hubert/model.safetensors"):
        (folder / name).write_bytes(name.encode())
    return folder


def write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def test_every_file_is_copied_and_listed_with_its_digest(work: Path, tmp_path: Path) -> None:
    folder = tmp_path / "voices" / "flite"
    release.release(work, folder, "c0ffee")
    listed = json.loads((folder / release.LIST).read_text("utf-8"))
    assert listed["commit"] == "c0ffee"
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(listed["files"]) == there - {release.LIST}
    for name, row in listed["files"].items():
        assert row == {
            "size_bytes": (folder / name).stat().st_size,
            "sha256": digest(folder / name),
        }
    assert (folder / "gpt.ckpt").read_bytes() == b"voice.ckpt"


def test_references_are_plain_and_long_enough_and_lie_beside_their_list(
    work: Path, tmp_path: Path
) -> None:
    release.release(work, tmp_path / "out", "c0ffee")
    rows = json.loads((tmp_path / "out" / release.REFERENCES).read_text("utf-8"))
    assert [row["name"] for row in rows] == list(SPEAKERS)
    assert {row["text"] for row in rows} == {TEXTS[2]}
    for row in rows:
        assert soundfile.info(tmp_path / "out" / row["audio"]).duration == 5.0


def test_the_notice_of_flite_goes_along(work: Path, tmp_path: Path) -> None:
    release.release(work, tmp_path / "out", "c0ffee")
    notice = (tmp_path / "out" / "NOTICE.txt").read_text("utf-8")
    assert "Carnegie Mellon University" in notice
    assert "DISCLAIM ALL WARRANTIES" in notice


def test_a_stage_that_was_not_run_is_named_and_nothing_is_copied(
    work: Path, tmp_path: Path
) -> None:
    (work / "voice.pth").unlink()
    with pytest.raises(ArtifactError, match=r"voice\.pth: not there"):
        release.release(work, tmp_path / "out", "c0ffee")
    assert not (tmp_path / "out").exists()


def test_files_that_are_too_large_together_are_refused(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "MOST_BYTES", 1000)
    with pytest.raises(ArtifactError, match="more than 1000"):
        release.release(work, tmp_path / "out", "c0ffee")


def test_a_recipe_with_changes_that_no_commit_holds_is_refused(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(
            [shutil.which("git") or "git", *identity, *words],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )

    git("init")
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "one.py").write_text("")
    git("add", ".")
    git("commit", "-m", "One")
    assert len(release.commit_of(tmp_path)) == 40
    (tmp_path / "training" / "one.py").write_text("changed")
    with pytest.raises(ArtifactError, match="commit them first"):
        release.commit_of(tmp_path)
