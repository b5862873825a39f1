"""How far an engine got: what is missing, altered or of another place is never built."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime import records
from runtime.backends.engine_files import VERIFIED
from runtime.errors import ArtifactError, ProofError
from runtime.machine import MachineRecord, machine_record
from tests.runtime.fake_driver import TENSORRT, Driver, packages, record_of
from workflow_scripts.engines import report as printed
from workflow_scripts.engines.build import STATE
from workflow_scripts.engines.states import KINDS, Places, Wanted, report, state
from workflow_scripts.engines.verify import facts_of

PLACE = "fp16/voices/mia/1000/vocoder"
OTHER = "fp16/voices/mia/1000/prior"
HERE = record_of(Driver())
NO_GPU = machine_record(load=Driver(devices=0).load, installed=TENSORRT)
Harm = Callable[[Path, Path], None]


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A folder of two sound engines."""
    for place in (PLACE, OTHER):
        lay(tmp_path / "engines", place, HERE)
    return Places(tmp_path / "engines", tmp_path / "imports")


def lay(folder: Path, place: str, machine: MachineRecord, verified: Any = None) -> Path:
    engine = folder / f"{place}.engine"
    engine.parent.mkdir(parents=True, exist_ok=True)
    engine.write_bytes(place.encode())
    sidecar = {
        "format": 1,
        "graph": place.rpartition("/")[2],
        "machine": machine.as_json(),
        "build": {"precision": "fp16", "max_len": 1000, "onnx_sha256": "", "profiles": []},
        "engine": {"bytes": len(place), "sha256": hashlib.sha256(place.encode()).hexdigest()},
        "io_tensors": [],
    }
    engine.with_suffix(".json").write_text(json.dumps(sidecar), "utf-8")
    if verified is not None:
        same = {"format": 1, "engine_sha256": sidecar["engine"]["sha256"], "missed": []}
        found = same | facts_of(machine) | verified
        engine.with_suffix(VERIFIED).write_text(json.dumps(found), "utf-8")
    return engine


def of(place: str, places: Places, machine: MachineRecord = HERE) -> str:
    return state(Wanted.of(place), machine, places)


def test_an_engine_that_nobody_compared_is_built_and_no_more(places: Places) -> None:
    assert of(PLACE, places) == "built" == STATE


def test_an_engine_that_was_compared_names_its_gpu(places: Places) -> None:
    lay(places.engines, PLACE, HERE, {})
    assert of(PLACE, places) == f"verified on {HERE.gpu_name}"


def test_an_engine_that_answers_otherwise_is_wrong_and_the_report_fails(
    places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay(places.engines, PLACE, HERE, {"missed": ["audio 0.5 from the CPU's, bar 0.02"]})
    assert of(PLACE, places) == (f"wrong on {HERE.gpu_name} (audio 0.5 from the CPU's, bar 0.02)")
    path = tmp_path / "report.json"
    found = report("local", [Wanted.of(PLACE), Wanted.of(OTHER)], HERE, places)
    assert found.counts["wrong on"] == found.counts["built"] == 1
    path.write_text(records.text(found), "utf-8")
    with pytest.raises(ProofError, match="local: engines that answer otherwise than the CPU"):
        printed.main([str(path)])
    assert "wrong on" in capsys.readouterr().out, "the table is printed first"


def test_a_comparison_under_another_driver_is_none_under_this_one(places: Places) -> None:
    lay(places.engines, PLACE, HERE, {"soft": {**HERE.soft, "driver": "470.1"}})
    assert of(PLACE, places) == "built (verified before driver was 470.1, is 580.65.06)"


def test_a_comparison_of_the_engine_before_is_none_of_this_one(places: Places) -> None:
    lay(places.engines, PLACE, HERE, {"engine_sha256": "0" * 64})
    assert of(PLACE, places) == "built"


def swap(engine: Path, other: Path) -> None:
    """The files of another engine, sidecar and all."""
    for end in (".engine", ".json"):
        engine.with_suffix(end).write_bytes(other.with_suffix(end).read_bytes())


HARMS: dict[str, tuple[Harm, str]] = {
    "absent": (lambda e, o: e.unlink(), "is missing beside its sidecar"),
    "empty": (lambda e, o: e.write_bytes(b""), "0 bytes where its sidecar states"),
    "truncated": (
        lambda e, o: e.write_bytes(e.read_bytes()[:-1]),
        "bytes where its sidecar states",
    ),
    "altered": (lambda e, o: e.write_bytes(b"x" * len(PLACE)), "not the engine of its sidecar"),
    "swapped": (swap, "the engine of fp16/1000/prior in the place of fp16/1000/vocoder"),
    "unknown": (lambda e, o: e.with_suffix(".json").unlink(), "has no vocoder.json beside it"),
    "scribbled": (lambda e, o: e.with_suffix(".json").write_text("{}"), "not a sidecar of format"),
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_harmed_engine_is_not_built_and_the_reason_is_told(harm: str, places: Places) -> None:
    change, reason = HARMS[harm]
    change(places.engines / f"{PLACE}.engine", places.engines / f"{OTHER}.engine")
    found = of(PLACE, places)
    assert re.fullmatch(rf"not built \(.*{re.escape(reason)}.*\)", found)
    assert of(OTHER, places) == "built", "the engine beside it is as it was"


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (record_of(Driver(name="NVIDIA A100")), "gpu_name was NVIDIA A100, is NVIDIA H100"),
        (record_of(Driver(), packages(tensorrt="11.4.0.106")), "trt_version was 11.4.0.106"),
    ],
    ids=["wrong machine", "wrong version"],
)
def test_an_engine_of_elsewhere_is_not_built(
    other: MachineRecord, reason: str, places: Places
) -> None:
    lay(places.engines, PLACE, other)
    found = of(PLACE, places)
    assert found.startswith("not built (")
    assert reason in found
    assert other.id in found
    assert HERE.id in found


def test_without_a_gpu_an_import_is_told_as_such_and_as_no_more(places: Places) -> None:
    reason = NO_GPU.missing
    assert of(PLACE, places, NO_GPU) == f"not built ({reason}; its import was not tried)"
    record = places.imports / f"{PLACE}.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"refused": "tensorrt_rtx is not installed to import it"}))
    assert of(PLACE, places, NO_GPU) == (
        f"not built ({reason}; tensorrt_rtx is not installed to import it)"
    )
    record.write_text(json.dumps({"refused": ""}))
    assert of(PLACE, places, NO_GPU) == "imported-only (rtx)"


def test_the_report_counts_every_engine_once_under_its_kind(places: Places) -> None:
    wanted = [PLACE, OTHER, "fp32/shared/hubert/any/hubert"]
    found = report("local", [*map(Wanted.of, wanted)], HERE, places)
    assert found.counts == dict.fromkeys(KINDS, 0) | {"built": 2, "not built": 1}
    assert [row.engine for row in found.engines] == wanted
    shown = printed.table(found)
    assert shown.startswith(f"local: {HERE.described} ({HERE.id})\n2 built, 1 not built\n")
    assert len(shown.splitlines()) == 2 + len(wanted)


def test_the_command_prints_reports_and_refuses_what_is_none(
    places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.json"
    path.write_text(records.text(report("local", [Wanted.of(PLACE)], HERE, places)), "utf-8")
    printed.main([str(path)])
    assert f"{PLACE}  built\n" in capsys.readouterr().out
    path.write_text("[]")
    with pytest.raises(ArtifactError, match=r"; run snakemake engine_report$"):
        printed.main([str(path)])
