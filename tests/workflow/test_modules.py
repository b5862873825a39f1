"""Another workflow uses this one as a module, by path and by git."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.workflow.build import PLAIN, command
from tests.workflow.stand_ins import ROOT, lay_out

USER = """
configfile: "config/config.yaml"

module foundry:
    snakefile: {where}
    config: config

use rule * from foundry as foundry_*

rule everything:
    default_target: True
    input: rules.foundry_bundles.input
"""


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """A folder with a configuration and what it names, and the workflow elsewhere, in git."""
    foundry = tmp_path / "foundry"
    foundry.mkdir()
    lay_out(foundry)
    shutil.copytree(ROOT / "workflow", foundry / "workflow")
    folder = tmp_path / "user"
    for name in ("tests", "config"):
        shutil.move(foundry / name, folder / name)
    (foundry / "config").mkdir()
    shutil.copy(folder / "config/schema.yaml", foundry / "config")
    git = shutil.which("git")
    if git is None:
        pytest.skip("modules by git stay untried: git is not installed")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"], ["tag", "v1"]):
        names = ["-c", "user.name=x", "-c", "user.email=x@localhost"]
        subprocess.run([git, *names, *words], cwd=foundry, check=True, env=PLAIN)
    return folder


@pytest.mark.parametrize(
    "where",
    ['"../foundry/Snakefile"', 'gitfile("../foundry", path="workflow/Snakefile", tag="v1")'],
)
def test_a_workflow_plans_our_rules_as_its_own(user: Path, where: str) -> None:
    (user / "Snakefile").write_text(USER.format(where=where), "utf-8")
    installed = {"PYTHONPATH": str(ROOT)}  # of git only the rules are fetched
    words = command("-n", "--quiet", "host")
    run = subprocess.run(
        words, cwd=user, env=PLAIN | installed, text=True, capture_output=True, timeout=300
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "foundry_pack_bundle             4" in run.stdout + run.stderr


def test_both_entries_include_the_same_rules() -> None:
    def included(path: Path) -> list[str]:
        lines = path.read_text("utf-8").splitlines()
        return [line.split("rules/")[1] for line in lines if line.startswith("include:")]

    assert included(ROOT / "workflow/Snakefile") == included(ROOT / "Snakefile")
