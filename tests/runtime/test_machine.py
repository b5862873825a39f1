"""The record of a machine, its key, and what it says where there is no GPU."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from runtime import machine
from runtime.errors import BackendMissing
from runtime.machine import MachineRecord, canonical_json, differing, require_gpu
from tests.runtime.fake_driver import Driver, packages, record_of

ROOT = Path(__file__).parents[2]
OTHER_HARDWARE = {
    "another card": Driver(name="NVIDIA H200"),
    "more memory": Driver(memory=150_000_000_000),
    "fewer multiprocessors": Driver(attributes={75: 9, 76: 0, 16: 114}),
    "another architecture": Driver(attributes={75: 8, 76: 0, 16: 132}),
}


def no_library(name: str) -> None:
    raise OSError(name)


def test_the_record_says_what_the_driver_says() -> None:
    record = record_of(Driver())
    assert record.hard["gpu_name"] == "NVIDIA H100"
    assert (record.hard["compute_capability"], record.hard["sm_count"]) == ("9.0", 132)
    assert record.hard["total_memory"] == 84_825_604_096  # down to 256 MiB
    assert (record.hard["trt_version"], record.hard["trt_cuda_major"]) == ("10.13.3.9", "13")
    assert record.soft == {"driver": "580.65.06", "cuda_driver_api": "13.1"}
    assert record.informative["pci"] == "0000:01:00.0"
    assert record.missing == ""


def test_the_id_has_a_readable_head_and_fits_a_path() -> None:
    assert re.fullmatch(r"sm90-trt10\.13-[0-9a-f]{12}", record_of(Driver()).id)
    rtx = machine.machine_record(
        "tensorrt_rtx", load=Driver().load, installed=packages(tensorrt_rtx_cu13="1.7.1.116")
    )
    assert re.fullmatch(r"sm90-rtx1\.7-[0-9a-f]{12}", rtx.id)
    assert rtx.hard["trt_cuda_major"] == "13"


@pytest.mark.parametrize("driver", OTHER_HARDWARE.values(), ids=OTHER_HARDWARE)
def test_other_hardware_is_another_machine(driver: Driver) -> None:
    assert record_of(driver).id != record_of(Driver()).id


def test_another_version_of_the_library_is_another_machine() -> None:
    newer = packages(tensorrt="10.13.3.10", tensorrt_cu13="10.13.3.10")
    assert record_of(Driver(), newer).id != record_of(Driver()).id


def test_an_equal_card_and_a_new_driver_are_the_same_machine() -> None:
    here, there = record_of(Driver()), record_of(Driver(uuid=8, driver="590.10", cuda=13020))
    assert here.id == there.id
    assert here.informative != there.informative
    assert differing(here.soft, there.soft) == [
        "cuda_driver_api was 13.1, is 13.2",
        "driver was 580.65.06, is 590.10",
    ]


def test_an_engine_of_tensorrt_rtx_is_for_every_card_of_its_compute_capability() -> None:
    def rtx(driver: Driver) -> MachineRecord:
        installed = packages(tensorrt_rtx_cu13="1.7.1.116")
        return machine.machine_record("tensorrt_rtx", load=driver.load, installed=installed)

    here = rtx(Driver())
    other = rtx(Driver(name="NVIDIA H200", memory=140_000_000_000))
    assert here.id == other.id
    assert differing(here.soft, other.soft) == ["gpu_name was NVIDIA H100, is NVIDIA H200"]
    assert other.described.startswith("NVIDIA H200 sm90 ")
    assert rtx(Driver(attributes={75: 8, 76: 0, 16: 132})).id != here.id


def test_memory_that_the_driver_reserves_does_not_count() -> None:
    assert record_of(Driver(memory=85_000_000_000 - 2**20)).id == record_of(Driver()).id


def test_the_key_stays_what_it_was() -> None:
    # a change here orphans every engine that was ever built
    record = MachineRecord(
        {"gpu_name": "X", "compute_capability": "9.0", "trt_version": "10.1.2.3", "os": "Linux"}
        | {"trt_flavour": "tensorrt", "arch": "x86_64"}
    )
    assert record.id == "sm90-trt10.1-bac74e3d2f2a"


def test_differences_name_field_and_both_sides() -> None:
    here, there = record_of(Driver()), record_of(Driver(name="NVIDIA A100"))
    assert differing(here.hard, there.hard) == ["gpu_name was NVIDIA H100, is NVIDIA A100"]
    assert differing(here.hard, here.hard) == []


def test_without_a_driver_the_record_says_so() -> None:
    record = machine.machine_record(load=no_library)
    assert record.missing == f"no NVIDIA driver ({machine.CUDA_LIBRARY} not found)"
    assert "-cpu-" in record.id


def test_a_driver_without_a_card_and_a_wrong_number_are_told() -> None:
    assert "cuInit answers with error 100" in record_of(Driver(devices=0)).missing
    second = machine.machine_record(device=1, load=Driver().load)
    assert "cuDeviceGet answers with error 101" in second.missing


def test_a_card_without_the_engine_library_is_told() -> None:
    record = record_of(Driver(), packages())
    assert record.missing == "tensorrt is not installed"
    assert record.id.startswith("sm90-trtnone-")


def test_a_machine_that_lacks_something_is_refused_in_one_line() -> None:
    require_gpu(record_of(Driver()), "target a100")
    with pytest.raises(
        BackendMissing, match=r"^target a100: no NVIDIA driver .*; run it on"
    ) as got:
        require_gpu(machine.machine_record(load=no_library), "target a100")
    assert "\n" not in str(got.value)


def test_the_driver_version_comes_from_the_kernel_where_management_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version_file = tmp_path / "version"
    content = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.11.04  Wed\nGCC 12\n"
    version_file.write_text(content)
    monkeypatch.setattr(machine, "DRIVER_FILE", version_file)
    driver = Driver()

    def load(library: str) -> Driver:
        if library == machine.MANAGEMENT_LIBRARY:
            raise OSError(library)
        return driver

    assert machine.machine_record(load=load).soft["driver"] == "570.11.04"


def test_a_stored_record_comes_back() -> None:
    record = record_of(Driver())
    assert MachineRecord.from_json(json.loads(json.dumps(record.as_json()))) == record


def test_canonical_json_does_not_depend_on_order() -> None:
    assert canonical_json({"b": 1, "a": "é"}) == canonical_json({"a": "é", "b": 1})


def test_the_command_prints_the_same_in_every_process_and_imports_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from runtime.machine import main; main();"
        " assert not {'torch', 'onnxruntime', 'numpy'} & set(sys.modules), sys.modules"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
        for _ in range(2)
    ]
    assert runs[0].stdout == runs[1].stdout
    assert json.loads(runs[0].stdout)["format"] == machine.FORMAT


def test_the_record_is_written_whole(tmp_path: Path) -> None:
    output = tmp_path / "machines" / "local.json"
    machine.main(["--output", str(output)])
    assert json.loads(output.read_text("utf-8"))["hard"]["os"]
    assert [path.name for path in output.parent.iterdir()] == ["local.json"]
