import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from runtime.errors import CheckpointError
from workflow_scripts.models.describe import describe, main, table
from workflow_scripts.random_voice.__main__ import TINY, write_sovits, write_t2s


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small T2S and a small v2ProPlus file."""
    folder = tmp_path_factory.mktemp("mia")
    gpt, sovits = folder / "mia.ckpt", folder / "mia.pth"
    write_t2s(gpt, "v2", TINY, torch.Generator().manual_seed(1))
    write_sovits(sovits, "v2ProPlus", TINY, torch.Generator().manual_seed(1))
    return gpt, sovits


def test_facts_are_those_of_the_files(files: tuple[Path, Path]) -> None:
    gpt, sovits = files
    said = describe(gpt, sovits)
    assert (said["family"], said["symbols"], said["needs_speaker"]) == ("v2ProPlus", "v2", True)
    assert said["gpt"]["sizes"] == {
        "hidden": 64,
        "heads": 4,
        "layers": 2,
        "vocabulary": 1025,
        "phone_rows": 732,
        "max_sec": 54,
    }
    assert said["sovits"]["header"] == "06"
    for key, path in (("gpt", gpt), ("sovits", sovits)):
        assert said[key]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert said[key]["bytes"] == path.stat().st_size
    stored = torch.load(gpt, weights_only=True)["weight"]
    assert said["gpt"]["parameters"] == sum(tensor.numel() for tensor in stored.values())


def test_the_table_shows_every_fact(files: tuple[Path, Path]) -> None:
    said = describe(*files)
    shown = table(said)
    for part in (said, said["gpt"], said["sovits"], said["sovits"]["sizes"]):
        for name in part:
            assert f"{name} " in shown or f"{name}\n" in shown
    assert "needs_speaker                yes\n" in shown
    assert "    upsample_rates           10 8 2 2 2\n" in shown


def test_the_command_writes_json_and_prints_the_table(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "facts.json"
    main(["--gpt", str(files[0]), "--sovits", str(files[1]), "--output", str(output)])
    said = json.loads(output.read_text("utf-8"))
    assert said == json.loads(json.dumps(describe(*files)))
    assert capsys.readouterr().out == table(describe(*files))


def test_a_refusal_leaves_no_output(files: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "facts.json"
    with pytest.raises(CheckpointError, match="where a T2S file is wanted"):
        main(["--gpt", str(files[1]), "--sovits", str(files[0]), "--output", str(output)])
    assert not list(tmp_path.iterdir())


def test_the_user_sees_one_line_and_the_exit_code(files: tuple[Path, Path], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "workflow_scripts.models.describe"]
    run = subprocess.run(
        [*command, "--gpt", str(tmp_path / "none.ckpt"), "--sovits", str(files[1])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 3
    assert run.stdout == ""
    assert run.stderr == f"error: {tmp_path / 'none.ckpt'}: no such file; check the path\n"
