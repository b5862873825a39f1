"""The conda environments of rules: what their scripts import, and no more than that."""

import re
import tomllib
from pathlib import Path

import grimp
import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
RULE = re.compile(r'conda:\s+"([\w.]+)".*?"python -m ([\w.]+)', re.S)
OF_RULES = [
    (module, environment)
    for path in sorted((ROOT / "rules").glob("*.smk"))
    for environment, module in RULE.findall(path.read_text("utf-8"))
]
OURS = {"runtime", "workflow_scripts"}
ASKS_PYTORCH = {"torch", "transformers", "safetensors"}
MACHINE = {"runtime.machine", "workflow_scripts.engines.states"}  # need the standard library alone


def packages(environment: str) -> dict[str, str]:
    """Names, in one spelling, and whole lines of an environment's packages."""
    content = yaml.safe_load((ROOT / "rules" / environment).read_text("utf-8"))
    lines = [line for line in content["dependencies"][-1]["pip"] if not line.startswith("--")]
    return {re.sub(r"[-_.]+", "-", line.split("==")[0]).lower(): line for line in lines}


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph(*sorted(OURS), include_external_packages=True)


@pytest.mark.parametrize(("module", "environment"), sorted(set(OF_RULES)))
def test_a_rule_asks_for_pytorch_only_where_its_script_does(
    imports: grimp.ImportGraph, module: str, environment: str
) -> None:
    main = f"{module}.__main__" if f"{module}.__main__" in imports.modules else module
    outside = {name.split(".")[0] for name in imports.find_upstream_modules(main)} - OURS
    assert outside or module in MACHINE
    assert (environment == "torch.yml") == bool(outside & ASKS_PYTORCH)


def test_every_rule_has_its_environment() -> None:
    texts = [path.read_text("utf-8") for path in (ROOT / "rules").glob("*.smk")]
    assert len(OF_RULES) == sum(text.count("conda:") for text in texts) > 15


@pytest.mark.parametrize("environment", ["environment.yml", "torch.yml"])
def test_an_environment_has_the_numbers_of_the_lock_and_no_tools(environment: str) -> None:
    held = packages(environment)
    lock = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    assert set(held.values()) <= {line.partition(" ;")[0] for line in lock}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = {Requirement(line).name.lower() for line in project["dependencies"] + extras["build"]}
    without = {"snakemake"} | (ASKS_PYTORCH if environment == "environment.yml" else set())
    assert needed - held.keys() == without
    tools = {Requirement(line).name.lower() for line in extras["lint"] + extras["test"]}
    assert not tools & held.keys()
    assert not [name for name in held if name.startswith(("nvidia", "tensorrt", "openvino"))]


def test_pytorch_comes_without_cuda() -> None:
    text = (ROOT / "rules/torch.yml").read_text("utf-8")
    assert "- --extra-index-url https://download.pytorch.org/whl/cpu\n" in text
