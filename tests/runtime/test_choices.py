"""Who runs which graph: asked for, measured, or plainly the CPU; how wrong requests are message."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from runtime import manifest
from runtime.backends import BACKENDS, tuned
from runtime.backends.choices import choose
from runtime.contract import GRAPHS
from runtime.errors import BackendMissing, MachineError, SettingError
from runtime.manifest import Manifest
from tests.tiny_voice import tiny_bundle

MACHINE = tuned.this_machine()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def voice() -> Manifest:
    return manifest.load(tiny_bundle())


def need_openvino() -> None:
    reason = BACKENDS["openvino"].missing()
    if reason:
        pytest.skip(f"a choice of openvino stays unverified: {reason}")


def entry(**backends: str) -> tuned.Entry:
    return tuned.Entry(graphs={graph: tuned.Chosen(name) for graph, name in backends.items()})


def test_without_a_measurement_auto_is_the_cpu_and_says_how_to_measure() -> None:
    choice = choose("auto")
    assert set(choice.backends.values()) == {"cpu"}
    assert str(choice) == (
        "cpu (not measured on this machine; python -m runtime.tune -m DIR finds the fastest)"
    )


def test_a_back_end_for_all_leaves_what_it_does_not_take_on_the_cpu_and_says_so(
    voice: Manifest,
) -> None:
    need_openvino()
    choice = choose("openvino", voice)
    assert set(choice.backends) == set(GRAPHS)
    assert choice.backends["vocoder"] == "openvino"
    assert choice.backends["t2s_decoder"] == "cpu"
    assert str(choice) == f"{str(choice).split(';')[0]}; openvino for vocoder (asked for)"
    assert {choice.backends[graph] for graph in set(GRAPHS) - {"vocoder"}} == {"cpu"}


def test_graphs_are_forced_one_by_one() -> None:
    need_openvino()
    choice = choose("vocoder=openvino,prior=cpu")
    assert (choice.backends["vocoder"], choice.backends["prior"]) == ("openvino", "cpu")
    assert choice.backends["hubert"] == "cpu"
    assert choose("openvino,vocoder=cpu").backends["vocoder"] == "cpu"


def test_auto_goes_by_what_was_measured_of_this_very_voice(voice: Manifest) -> None:
    need_openvino()
    path = tuned.default_file(MACHINE)
    tuned.save(path, MACHINE, voice, entry(vocoder="openvino", prior="cpu"))
    choice = choose("auto", voice)
    assert choice.backends["vocoder"] == "openvino"
    assert choice.reason == f"measured on this machine, {path}"
    assert choose("vocoder=cpu", voice).backends["vocoder"] == "cpu"
    other = replace(voice, graphs={"prior": voice.graphs["prior"]})
    assert choose("auto", other).backends["vocoder"] == "cpu"


def test_entries_of_other_voices_stay(voice: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    other = replace(voice, graphs={"prior": voice.graphs["prior"]})
    tuned.save(path, MACHINE, other, entry(prior="cpu"))
    tuned.save(path, MACHINE, voice, entry(vocoder="cpu"))
    assert tuned.backends_of(path, MACHINE, other) == {"prior": "cpu"}
    assert [item.name for item in tmp_path.glob("*")] == ["file.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not readable as JSON"),
        ("[]", "not of format 2; remove it"),
        (
            '{"format": 2, "machine": {"processor": "Z80"}}',
            "measured on {'processor': 'Z80'}, this",
        ),
    ],
)
def test_a_file_that_does_not_count_here_is_refused(
    voice: Manifest, tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "file.json"
    path.write_text(content)
    with pytest.raises(MachineError, match=f"file.json: {message}"):
        choose("auto", voice, path)


@pytest.mark.parametrize("wrong", [{"graphs": {"vocoder": {}}}, {}, {"graphs": ["vocoder"]}])
def test_an_entry_of_another_form_is_refused(voice: Manifest, tmp_path: Path, wrong: dict) -> None:
    path = tmp_path / "file.json"
    tuned.save(path, MACHINE, voice, entry(vocoder="cpu"))
    content = json.loads(path.read_text("utf-8"))
    content["voices"] = dict.fromkeys(content["voices"], wrong)
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(MachineError, match=r"file\.json\.voices\.\w+.*: .*; remove it, then pyth"):
        choose("auto", voice, path)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("openvno", "provider: 'openvno' is none of the back ends; did you mean 'openvino'?"),
        ("xyz", "provider: 'xyz' is none of the back ends; use one of auto, cpu, "),
        ("vocodr=cpu", "provider: 'vocodr' is none of the graphs; did you mean 'vocoder'?"),
        ("vocoder=auto", "provider: 'auto' is none of the back ends; use one of cpu, "),
        ("vocoder=cpu,vocoder=cpu", "provider vocoder=cpu,vocoder=cpu: vocoder is given twice"),
        ("cpu,auto", "provider cpu,auto: cpu and auto are for all; keep one"),
        ("t2s_decoder=openvino", "provider t2s_decoder=openvino: not for this graph; use cpu"),
        ("prior=openvino", "provider prior=openvino: not for this graph; use cpu"),
        ("", "provider: '' is none of the back ends; use one of"),
    ],
)
def test_a_wrong_request_is_one_line_with_the_nearest_name(wanted: str, message: str) -> None:
    with pytest.raises(SettingError) as caught:
        choose(wanted)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_file_of_measurements_goes_with_auto_alone(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="provider cpu: nothing is measured for it; use auto"):
        choose("cpu", measured=tmp_path / "file.json")


def test_a_back_end_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKENDS, "openvino", replace(BACKENDS["openvino"], module=__name__))
    with pytest.raises(BackendMissing, match="provider openvino: this test says so"):
        choose("openvino")
    with pytest.raises(BackendMissing, match="provider openvino: this test says so"):
        choose("vocoder=openvino")


def missing() -> str:
    return "this test says so"


def test_another_version_or_processor_has_another_file() -> None:
    here = tuned.default_file(MACHINE)
    upgraded = replace(MACHINE, versions={**MACHINE.versions, "openvino": "0"})
    assert len({here, tuned.default_file(upgraded)}) == 2
    assert json.dumps(asdict(MACHINE))
