"""Builds that are stopped in the middle, and two builds at once: nothing half-written is found."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engines.files import MAX_LEN, stored

ROOT = Path(__file__).parents[2]
LONG = ("sovits v2", "quantizer")  # some seconds in one phase
BUILD = """
import sys
from pathlib import Path
import tensorrt_rtx as trt
from runtime.cli import run
from runtime.machine import machine_record
from tests.runtime.fake_driver import Driver, packages
from workflow_scripts.engines.build import EngineJob, Outputs, build_file
installed = packages(tensorrt_rtx_cu13=trt.__version__)
machine = machine_record("tensorrt_rtx", load=Driver().load, installed=installed)
source, folder, rows = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
job = EngineJob(source, "quantizer", "fp32", rows)
run(lambda: build_file(job, trt, machine, Outputs(folder / "q.engine", folder / "q.json")))
"""
KEEP = """
import sys
from pathlib import Path
from runtime.cli import run
from workflow_scripts.engines.build import _keep_cache
from workflow_scripts.engines.tensorrt import Built
path, word = Path(sys.argv[1]), sys.argv[2].encode()
run(lambda: [_keep_cache(Built(b"", word * 100_000, ()), path) for _ in range(300)])
"""


def started(code: str, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )


def stopped(folder: Path, number: signal.Signals) -> tuple[int, str]:
    """Exit code and what was printed of a real build that gets a signal once it is under way."""
    folder.mkdir()
    build = started(BUILD, str(stored(*LONG)), str(folder), str(MAX_LEN))
    assert build.stderr is not None
    printed = ""
    while "steps)" not in printed and (line := build.stderr.readline()):
        printed += line
    build.send_signal(number)
    printed += build.stderr.read()
    build.stderr.close()
    return build.wait(), printed


@pytest.mark.rtx
def test_a_real_build_that_is_stopped_leaves_nothing_by_name(tmp_path: Path) -> None:
    pytest.importorskip(
        "tensorrt_rtx",
        reason="unverified: stopping a real build (pip install tensorrt-rtx)",
    )
    code, printed = stopped(tmp_path / "interrupted", signal.SIGINT)
    assert code == 130, printed
    assert printed.splitlines()[-1] == "error: interrupted; nothing half done is left"
    assert list((tmp_path / "interrupted").iterdir()) == []
    code, _ = stopped(tmp_path / "killed", signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert not any(path.suffix in (".engine", ".json") for path in (tmp_path / "killed").iterdir())
    again = started(BUILD, str(stored(*LONG)), str(tmp_path / "killed"), str(MAX_LEN))
    _, printed = again.communicate()
    assert again.returncode == 0, printed
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == ["q.engine", "q.json"]


def test_two_processes_on_one_timing_cache_lose_nothing_but_one_turn(tmp_path: Path) -> None:
    cache = tmp_path / "timing.cache"
    builds = [started(KEEP, str(cache), word) for word in ("a", "b")]
    printed = [build.communicate()[1] for build in builds]
    assert [build.returncode for build in builds] == [0, 0], printed
    assert cache.read_bytes() in (b"a" * 100_000, b"b" * 100_000)
    assert [path.name for path in tmp_path.iterdir()] == ["timing.cache"]
