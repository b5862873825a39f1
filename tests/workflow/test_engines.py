"""Engines stand under their machine; only what a change concerns is built anew."""

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
import yaml

from runtime.machine import MachineRecord
from tests.once import once
from tests.workflow.build import build, pending, snakemake
from tests.workflow.machines import (
    A100,
    H100,
    NEWER_DRIVER,
    NEWER_LIBRARY,
    NO_GPU,
    pretend,
    with_machines,
)


@pytest.fixture
def folder(built: Path) -> Path:
    """All but engines is built, and no machine has a GPU."""
    return with_machines(built)


@pytest.fixture
def on_h100(finished: Path, tmp_path: Path) -> Path:
    """The engines of a machine with an H100 are built besides."""

    def make(folder: Path) -> None:
        shutil.copytree(finished, folder, symlinks=True, dirs_exist_ok=True)
        pretend(with_machines(folder), H100)
        build(folder, "engines")

    return shutil.copytree(once(make, "engines of an H100"), tmp_path / "build", symlinks=True)


def engines(folder: Path, machine: MachineRecord, target: str = "local") -> list[Path]:
    return sorted((folder / f"artifacts/engines/{target}/{machine.id}").rglob("*.engine"))


def targets(folder: Path, *entries: dict) -> tuple[str, ...]:
    """Options that put other targets in place of the configured ones."""
    (folder / "targets.yaml").write_text(yaml.safe_dump({"targets": list(entries)}), "utf-8")
    return ("--configfile", "targets.yaml")


def test_the_default_run_leaves_engines_out(folder: Path) -> None:
    pretend(folder, H100)
    assert "build_engine" not in pending(folder)
    assert "record_machine" not in pending(folder)


def test_without_a_gpu_a_line_says_what_is_missing_and_nothing_fails(folder: Path) -> None:
    printed = build(folder, "engines")
    assert "engines: none for target local: no NVIDIA driver" in printed
    assert not (folder / "artifacts/engines").exists()


def states(folder: Path, target: str = "local") -> Counter[str]:
    report = folder / f"artifacts/engines/{target}/report.json"
    rows = json.loads(report.read_text("utf-8"))["engines"]
    return Counter(row["state"] for row in rows)


def test_without_a_gpu_the_report_shows_nothing_as_built(folder: Path) -> None:
    build(folder, "engine_report")
    assert sum(states(folder).values()) > 10
    assert all(state.startswith("not built (no NVIDIA driver; ") for state in states(folder))
    assert pending(folder, "engine_report") == {}, "a second run has nothing to do"


def test_with_a_gpu_the_report_comes_with_the_engines(on_h100: Path) -> None:
    folder = on_h100
    assert states(folder) == {f"verified on {H100.gpu_name}": len(engines(folder, H100))}
    pretend(folder, A100)
    build(folder, "engines")
    assert states(folder) == {f"verified on {A100.gpu_name}": len(engines(folder, A100))}
    assert pending(folder, "engines") == {}


def test_required_engines_fail_there_with_one_line(folder: Path) -> None:
    entry = {"name": "local", "backends": ["tensorrt"], "engines": "require"}
    run = snakemake(folder, "engines", *targets(folder, entry))
    assert run.returncode == 1
    lines = re.findall(r"^error: .*$", run.stdout + run.stderr, re.M)
    assert len(lines) == 1
    assert lines[0].startswith(
        "error: engines: require: no NVIDIA driver; run it on a machine with"
    )


def test_what_a_change_concerns_is_built_anew_and_nothing_else(on_h100: Path) -> None:
    folder = on_h100
    first = {path: path.read_bytes() for path in engines(folder, H100)}
    assert len(first) > 10
    assert {path.read_text().split()[0] for path in first} == {H100.id}
    assert pending(folder, "engines") == {}, "a second run has nothing to do"

    pretend(folder, NEWER_LIBRARY)
    build(folder, "engines")
    assert len(engines(folder, NEWER_LIBRARY)) == len(first)
    assert {path: path.read_bytes() for path in engines(folder, H100)} == first

    pretend(folder, H100)
    assert pending(folder, "engines")["record_machine"] == 1
    build(folder, "engines")
    assert pending(folder, "engines") == {}

    vocoder = folder / "artifacts/graphs/fp32/voices/demo/vocoder.onnx"
    vocoder.write_text("another", "utf-8")
    changed = pending(folder, "engines", "--max-checksum-file-size", "1")
    assert changed == {
        "reduce_precision": 1,
        "build_engine": 2,
        "verify_engine": 2,
        "report_engines": 1,
        "engines": 1,
    }


def test_what_the_importer_takes_is_an_input_of_every_engine(on_h100: Path) -> None:
    folder = on_h100
    table = folder / "workflow_scripts/engines/data/importer.json"
    table.touch()
    assert pending(folder, "engines") == {}
    table.write_text(table.read_text("utf-8").replace("{", "{ ", 1), "utf-8")
    assert pending(folder, "engines")["build_engine"] == len(engines(folder, H100))


def test_another_driver_asks_for_comparisons_and_for_no_engines(on_h100: Path) -> None:
    folder = on_h100
    built = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in engines(folder, H100)}
    pretend(folder, NEWER_DRIVER)
    assert pending(folder, "engines")["record_machine"] == 1
    printed = build(folder, "engines")
    assert "build the engine of " not in printed
    assert printed.count("compare the engine of ") == len(built)
    again = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in engines(folder, H100)}
    assert again == built
    for path in built:
        found = json.loads(path.with_suffix(".verified.json").read_text("utf-8"))
        assert found["soft"] == NEWER_DRIVER.soft
        assert found["soft"]["driver"] == "999.1"
    assert states(folder) == {f"verified on {H100.gpu_name}": len(built)}
    assert pending(folder, "engines") == {}


def test_the_loops_for_cuda_are_written_on_any_machine_and_once(folder: Path) -> None:
    build(folder, "loops")
    loops = sorted((folder / "artifacts/engines/cuda").rglob("t2s_loop.onnx"))
    assert loops
    for path in loops:
        precision = path.relative_to(folder / "artifacts/engines/cuda").parts[0]
        assert path.read_text().split()[-1] == precision
        assert path.with_name("t2s_loop.onnx.json").exists()
    assert pending(folder, "loops") == {}


def test_another_machine_changes_no_record_of_a_remote_target(folder: Path) -> None:
    options = targets(folder, {"name": "far", "backends": ["tensorrt"], "slurm": {"gpu": 1}})
    pretend(folder, H100)
    build(folder, "artifacts/machines/far.json", *options)
    pretend(folder, NO_GPU)
    assert pending(folder, "artifacts/machines/far.json", *options) == {}


def test_an_engine_of_another_machine_is_refused_and_its_record_named(folder: Path) -> None:
    options = targets(folder, {"name": "far", "backends": ["tensorrt"], "slurm": {"gpu": 1}})
    pretend(folder, H100)
    build(folder, "artifacts/machines/far.json", *options)
    pretend(folder, A100)
    engine = f"artifacts/engines/far/{H100.id}/fp32/voices/demo/1000/vocoder.engine"
    run = snakemake(folder, engine, *options)
    assert run.returncode == 1
    assert f"engine wanted for {H100.id} but this machine is {A100.id}" in run.stdout + run.stderr
    assert not (folder / engine).exists()
