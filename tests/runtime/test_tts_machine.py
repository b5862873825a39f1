"""Options of the command that concern the machine: back ends, threads, files of measurements."""

from pathlib import Path

import pytest

from runtime.backends import BACKENDS
from tests import bundles
from tests.runtime.command import PHONES, call, spoken

SPOKEN = ("--phones", PHONES)


def test_the_back_end_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    printed = []
    for name in ("cpu", "auto"):
        options = ("-m", bundles.brief(), "--provider", name, *SPOKEN, "-f", tmp_path / "o.wav")
        printed.append(call(*options).err.splitlines()[0])
    assert printed[0] == "provider: cpu (asked for)"
    assert printed[1].startswith("provider: cpu (not measured on this machine")


def test_a_folder_of_engines_is_looked_at_and_why_none_is_taken_is_told(tmp_path: Path) -> None:
    options = ("-m", bundles.brief(), "--engines", tmp_path, *SPOKEN, "-f", tmp_path / "o.wav")
    printed = call(*options).err.splitlines()[0]
    assert printed.startswith("provider: cpu (")
    assert "no tensorrt: " in printed
    assert "no tensorrt: " not in call(*options[:2], *options[4:]).err


def test_what_was_measured_is_read_from_the_file_that_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text("no JSON", "utf-8")
    done = call("-m", bundles.brief(), "--measured", file, *SPOKEN, "-f", tmp_path / "o.wav")
    assert done.code == 5
    assert done.err.startswith(f"error: {file}: ")


def test_compiled_graphs_are_kept_on_demand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = BACKENDS["openvino"].missing()
    if missing:
        pytest.skip(f"no back end that compiles is tried: {missing}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    compiling = (*SPOKEN, "--provider", "vocoder=openvino")
    spoken(tmp_path, *compiling)
    assert not (tmp_path / "cache").exists()
    spoken(tmp_path, *compiling, "--keep-compiled")
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_threads_below_none_are_refused(tmp_path: Path) -> None:
    done = call("-m", bundles.v2(), "--threads=-1", *SPOKEN, "-f", tmp_path / "o.wav")
    assert (done.code, done.err) == (2, "error: threads: -1 is below 0; 0 takes all cores\n")


@pytest.mark.parametrize("option", ["--spinning", "--huge-pages"])
def test_how_the_machine_is_used_changes_no_sample(tmp_path: Path, option: str) -> None:
    assert spoken(tmp_path, *SPOKEN, option) == spoken(tmp_path, *SPOKEN)


TESTS = {
    "--provider": test_the_back_end_is_told_with_its_reason,
    "--engines": test_a_folder_of_engines_is_looked_at_and_why_none_is_taken_is_told,
    "--measured": test_what_was_measured_is_read_from_the_file_that_is_named,
    "--keep-compiled": test_compiled_graphs_are_kept_on_demand,
    "--threads": test_threads_below_none_are_refused,
    "--spinning": test_how_the_machine_is_used_changes_no_sample,
    "--huge-pages": test_how_the_machine_is_used_changes_no_sample,
}
