"""How the workflow is called: from anywhere, for a folder, on a queue that is not there."""

import importlib.util
import subprocess
from pathlib import Path

import pytest

from tests.workflow.build import PLAIN, command, snakemake
from tests.workflow.stand_ins import ROOT, lay_out

PACKED = "pack_bundle"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("entries")
    lay_out(made)
    return made


@pytest.mark.parametrize(
    ("target", "bundles"),
    [("{one}", 1), ("{one}/", 1), ("artifacts/bundles", 4), ("artifacts/bundles/nobody", None)],
)
def test_a_folder_of_bundles_is_a_target(folder: Path, target: str, bundles: int | None) -> None:
    listed = snakemake(folder, "--list").stdout
    one = next(name for name in listed.split() if name.rstrip("/").count("/") == 4)
    run = snakemake(folder, target.format(one=one.rstrip("/")), "-n", "--quiet", "host")
    printed = run.stdout + run.stderr
    planned = {line.split()[1] for line in printed.splitlines() if line.startswith(f"{PACKED} ")}
    assert planned == (set() if bundles is None else {str(bundles)})
    assert (run.returncode == 0) == (bundles is not None), printed


def test_from_anywhere_it_is_said_which_configuration_is_read(folder: Path, tmp_path: Path) -> None:
    words = command("-s", str(folder / "Snakefile"), "--directory", str(folder), "-n")
    run = subprocess.run(words, cwd=tmp_path, env=PLAIN, text=True, capture_output=True)
    printed = (run.stdout + run.stderr).splitlines()
    config = folder.resolve() / "config/config.yaml"
    assert run.returncode == 0, printed
    assert f"config: {config}; its paths are relative to {folder.resolve()}" in printed


def test_where_there_is_no_configuration_the_place_is_named(folder: Path, tmp_path: Path) -> None:
    words = command("-s", str(folder / "Snakefile"), "-n")
    run = subprocess.run(words, cwd=tmp_path, env=PLAIN, text=True, capture_output=True)
    assert run.returncode != 0
    assert f"full checked path: {tmp_path.resolve()}/config/config.yaml" in run.stdout + run.stderr
    assert list(tmp_path.glob("artifacts")) == []


def test_a_missing_plug_in_of_the_queue_is_one_line(tmp_path: Path) -> None:
    if importlib.util.find_spec("snakemake_executor_plugin_slurm"):
        pytest.skip("the plug-in is installed: that it is missed was not tried")
    run = subprocess.run(
        ["make", "-s", "-o", f"{ROOT}/.venv/ready", "fleet", f"READY={ROOT}/.venv/ready"],
        cwd=ROOT, env=PLAIN, text=True, capture_output=True,
    )  # fmt: skip
    line, *rest = run.stderr.splitlines()
    assert line.startswith("error: profiles/slurm: its plug-in is not installed; ")
    assert line.endswith("/pip install snakemake-executor-plugin-slurm")
    assert all(word.startswith("make:") for word in rest)
    assert (run.returncode, run.stdout) == (2, "")
