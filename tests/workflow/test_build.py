"""A tiny voice, built for real: nothing stands in here."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import yaml

from runtime import manifest
from runtime.measure import reports
from runtime.reference import pack
from tests.once import once
from tests.workflow.build import PLAIN, build, contents, pending
from tests.workflow.stand_ins import NOISE, ROOT, bring_sources
from workflow_scripts.variants.bars import suggested

HERE = ("--snakefile", str(ROOT / "Snakefile"))
CHINESE = "演示 v2"


PRINTED = "printed.txt"


def make(folder: Path) -> None:
    """Configuration, sources, and what is built from them; a space is in the path."""
    shutil.copytree(ROOT / "config", folder / "config")
    settings = yaml.safe_load(NOISE.read_text("utf-8"))
    settings["voices"] = [voice for voice in settings["voices"] if voice["name"] == CHINESE]
    settings["precisions"] = ["fp16"]
    written = yaml.safe_dump(settings, allow_unicode=True)
    (folder / "config/config.yaml").write_text(written, "utf-8")
    bring_sources(folder)
    (folder / PRINTED).write_text(build(folder, *HERE), "utf-8")


@pytest.fixture(scope="module")
def folder() -> Path:
    """Where it is built; not to be changed."""
    return once(make, "real build")


@pytest.fixture(scope="module")
def printed(folder: Path) -> str:
    """What the build printed."""
    return (folder / PRINTED).read_text("utf-8")


@pytest.fixture
def changed(folder: Path, tmp_path: Path) -> Path:
    """A copy of the build that a test may change."""
    return shutil.copytree(folder, tmp_path / "copy")


def test_the_bundle_is_whole_and_proved(folder: Path, printed: str) -> None:
    bundle = folder / "artifacts/bundles" / CHINESE / "1000/fp16"
    found = manifest.load(bundle)
    manifest.verify(bundle, found)
    assert (found.voice, found.family, found.precision) == (CHINESE, "v2", "fp16")
    assert found.parity["chain"]
    assert set(found.parity) == {*found.graphs, "chain", "stream"}
    assert pack.names(bundle / pack.NAME) == (pack.DEFAULT,), "its example is encoded"


def test_the_last_line_of_a_build_speaks(folder: Path, printed: str) -> None:
    (line,) = re.findall(r"^hear it: (.*)$", printed, re.M)
    words = shlex.split(line)
    assert words[0] == "python"
    run = subprocess.run(
        [sys.executable, *words[1:]],
        cwd=folder,
        env=PLAIN | {"PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    assert soundfile.info(folder / "hello.wav").samplerate == 32000


@pytest.mark.full
def test_a_bundle_is_timed_beside_pytorch(folder: Path, printed: str) -> None:
    report = f"artifacts/bench/{CHINESE}/1000/fp16.json"
    work = "bench={tokens: 26, rounds: 1, threads: 1}"
    build(folder, *HERE, report, "--config", work)
    timed = reports.read(folder / report).candidates
    assert next(iter(timed)) == f"artifacts/bundles/{CHINESE}/1000/fp16 on auto"
    assert [found.rtf > 0 for found in timed.values()] == [True, True]


def test_inspection_prints_the_bars_that_a_precision_has_without_any(
    folder: Path, printed: str
) -> None:
    printed = build(folder, *HERE, "inspect")
    assert suggested(["fp16"]) in printed


def test_a_second_run_does_nothing(folder: Path, printed: str) -> None:
    assert pending(folder, *HERE) == {}


def test_touched_sources_rebuild_nothing(changed: Path) -> None:
    for path in (changed / "tests").rglob("*"):
        path.touch()
    assert pending(changed, *HERE) == {}


def test_new_content_rebuilds_exactly_what_depends_on_it(changed: Path) -> None:
    source = changed / "tests/golden/sovits/v2.pth"
    content = bytearray(source.read_bytes())
    content[len(content) // 2] ^= 1
    source.write_bytes(content)
    os.utime(source, (1, 1))
    assert pending(changed, *HERE) == {
        "describe_voice": 1,
        "export_sovits": 1,
        "record_chain": 1,
        "simplify_graph": 4,
        "reduce_precision": 3,
        "measure_parity": 4,
        "measure_chain": 1,
        "measure_stream": 1,
        "check_parity": 1,
        "pack_bundle": 1,
        "report_voice": 1,
        "write_report": 1,
    }


@pytest.mark.full
def test_a_deleted_graph_comes_back_as_it_was(changed: Path) -> None:
    before = contents(changed)
    graph = changed / f"artifacts/graphs/fp32/voices/{CHINESE}/vocoder.onnx"
    graph.unlink()
    build(changed, *HERE)
    assert pending(changed, *HERE) == {}
    after = contents(changed)
    assert after.keys() == before.keys()
    graphs = [name for name in before if name.endswith(".onnx")]
    assert [name for name in graphs if after[name] != before[name]] == []
