"""One set of versions: in the lock, in the conda environment, within the project's ranges."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
LINES = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
LOCKED = [line for line in LINES if not line.startswith("#")]
MARKED = (  # no other wheels
    ' ; platform_system == "Linux" and platform_machine == "x86_64"',
    ' ; python_version < "3.13"',
    ' ; python_version >= "3.13"',
)


def without_marker(line: str) -> str:
    """The line as it is where its package is installed."""
    return next((line.removesuffix(one) for one in MARKED if line.endswith(one)), line)


VERSIONS = {
    re.sub(r"[-_.]+", "-", name).lower(): version
    for name, version in (without_marker(line).split("==") for line in LOCKED)
}


def test_every_line_of_the_lock_is_an_exact_version_that_any_index_may_have() -> None:
    plain = [without_marker(line) for line in LOCKED]
    assert [line for line in plain if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    assert len(VERSIONS) == len(LOCKED)


def test_the_conda_environment_has_the_numbers_of_the_lock() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    assert environment["dependencies"][-1] == {"pip": LOCKED}


def test_the_lock_is_within_the_ranges_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    languages = ("zh", "en", "ja", "ko", "yue")
    locked = (
        "build",
        "test",
        "lint",
        "openvino",
        "trt-check",
        "words",
        "server",
        "wyoming",
        "aac",
        *languages,
    )
    wanted = [*project["dependencies"], *(line for extra in locked for line in extras[extra])]
    for requirement in map(Requirement, wanted):
        version = VERSIONS.get(re.sub(r"[-_.]+", "-", requirement.name).lower())
        assert version is not None, f"{requirement.name} is not in the lock"
        assert requirement.specifier.contains(version), f"{requirement.name}=={version}"


def test_a_checkout_stays_small_enough_to_be_sent_to_a_borrowed_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: the size of the tracked files was not verified")
    names = filter(None, listed.stdout.decode().split("\0"))
    sizes = {name: (ROOT / name).stat().st_size for name in names if (ROOT / name).is_file()}
    assert sum(sizes.values()) < 55_000_000


def test_a_source_distribution_holds_every_tracked_file() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: what is tracked was not verified")
    words = [line.split() for line in (ROOT / "MANIFEST.in").read_text("utf-8").splitlines()]
    grafted = {name for verb, *names in words if verb == "graft" for name in names}
    included = {name for verb, *names in words if verb == "include" for name in names}
    taken = included | {
        "README.md",
        "LICENSE",
        "MANIFEST.in",
        "pyproject.toml",
        "sovits_foundry.py",
    }
    names = [name for name in listed.stdout.decode().split("\0") if name and name != ".gitignore"]
    assert [n for n in names if n not in taken and n.split("/")[0] not in grafted] == []
