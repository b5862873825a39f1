"""The target that times bundles: asked for by name alone, and made again when its work changes."""

import json
from pathlib import Path

import pytest

from tests.workflow.build import build, pending


@pytest.fixture
def timed(built: Path) -> Path:
    """A build of stand-ins with its bundles timed."""
    build(built, "benchmark")
    return built


def test_bundles_are_timed_only_where_it_is_asked_for(built: Path) -> None:
    assert pending(built) == {}
    assert pending(built, "benchmark") == {"benchmark": 1, "time_bundle": 4}


def test_every_bundle_gets_a_report_once(timed: Path) -> None:
    reports = sorted((timed / "artifacts/bench").rglob("*.json"))
    assert len(reports) == 4
    work = json.loads(reports[0].read_text("utf-8"))
    assert (work["tokens"], work["rounds"], work["threads"]) == ("100", "15", "2")
    assert pending(timed, "benchmark").get("time_bundle", 0) == 0


def test_other_work_or_another_bundle_is_timed_again(timed: Path) -> None:
    config = timed / "config/config.yaml"
    config.write_text(config.read_text("utf-8") + "\nbench: {rounds: 3}\n", "utf-8")
    assert pending(timed, "benchmark")["time_bundle"] == 4
    build(timed, "benchmark")
    report = timed / "artifacts/bench/demo/1000/fp16.json"
    assert json.loads(report.read_text("utf-8"))["rounds"] == "3"
    packing = timed / "workflow_scripts/bundle/pack.py"
    packing.write_text(packing.read_text("utf-8") + "\nMORE = 1\n", "utf-8")
    printed = pending(timed, "benchmark")
    assert (printed["pack_bundle"], printed["time_bundle"]) == (4, 4)


@pytest.mark.parametrize(
    "module",
    [
        "runtime/backends/openvino.py",
        "runtime/backends/cuda.py",
        "runtime/backends/engine_run.py",
        "workflow_scripts/proof/speed/fresh_process.py",
    ],
)
def test_what_a_benchmark_loads_by_its_name_times_it_again(timed: Path, module: str) -> None:
    path = timed / module
    path.write_text(path.read_text("utf-8") + "\nMORE = 1\n", "utf-8")
    assert pending(timed, "benchmark") == {"benchmark": 1, "time_bundle": 4}
