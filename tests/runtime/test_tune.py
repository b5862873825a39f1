"""Choosing back ends by measurement: who may win, and what is written."""

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from runtime import audio as sound
from runtime import manifest, tune
from runtime.backends import BACKENDS, Threads, tuned
from runtime.backends.choices import choose
from runtime.backends.tuned import Tried
from runtime.contract import GRAPHS
from runtime.errors import BundleError, MachineError, SettingError
from runtime.graphs import VoiceGraphs
from runtime.measure import calibration
from runtime.measure.calibration import Calibration, bar_of
from runtime.measure.tuning import best_windows, fastest
from tests.tiny_voice import tiny_bundle

TUNED = [
    name
    for name, graph in GRAPHS.items()
    if graph.stage != "t2s" and "vits" in (graph.kinds or {"vits"})
]


@pytest.mark.parametrize(
    ("tried", "winner"),
    [
        (Tried(5.0, 2.0, 0.1), "other"),
        (Tried(5.0, 2.0, 0.6), "cpu"),
        (Tried(5.0, 2.0, None), "cpu"),
        (Tried(9.9, 1.01, 0.0), "cpu"),
        (Tried(20.0, 0.5, 0.0), "cpu"),
        (Tried(refused="it does not take it"), "cpu"),
    ],
)
def test_a_back_end_wins_when_it_is_clearly_faster_and_within_the_bar(
    tried: Tried, winner: str
) -> None:
    assert fastest({"cpu": Tried(10.0, 1.0, 0.0), "other": tried}, worst=0.5) == winner


def test_the_fastest_of_several_wins() -> None:
    found = {"cpu": Tried(9, 1, 0), "a": Tried(3, 3, 0.1), "b": Tried(1, 9, 0.9)}
    assert fastest(found, worst=0.5) == "a"
    assert fastest(found, worst=1.0) == "b"


def test_other_windows_are_taken_where_they_are_worth_it() -> None:
    found = {"cpu": Tried(10, 1.0, 0), "cpu 150": Tried(9, 1.04, 0), "cpu 100": Tried(8, 1.2, 0.1)}
    assert best_windows("cpu", found, worst=0.5) == (100,)
    assert best_windows("cpu", found, worst=0.05) == (250,)


@pytest.mark.golden
@pytest.mark.parametrize("graph", TUNED)
def test_lengths_that_are_timed_do_not_come_again(run: Calibration, graph: str) -> None:
    given = [*islice(run.varied(graph), 12)]
    assert len({tuple(map(np.shape, inputs.values())) for inputs in given}) >= 10
    for inputs in given:
        assert set(inputs) == set(run.inputs[graph])
    open_graph = BACKENDS["cpu"].open_graph
    open_graph(tiny_bundle() / f"{graph}.onnx", Threads(1)).run(given[0])


@pytest.fixture(scope="module")
def run() -> Calibration:
    folder = tiny_bundle()
    voice = manifest.load(folder)
    graphs = VoiceGraphs.of_bundle(folder, voice, choose("cpu", voice), 1)
    return Calibration(graphs, sound.read(folder / "reference.wav"), folder / "vocabulary.json")


@pytest.mark.parametrize("graph", TUNED)
def test_a_harmed_answer_is_over_the_bar_of_every_graph(run: Calibration, graph: str) -> None:
    open_graph = BACKENDS["cpu"].open_graph
    (answer,) = open_graph(tiny_bundle() / f"{graph}.onnx", Threads(1)).run(run.inputs[graph])
    assert run.distance(graph, answer) <= 1e-6
    harmed = answer[..., ::-1].copy() if graph == "quantizer" else -4 * answer
    assert run.distance(graph, harmed) > bar_of(graph).worst


def test_other_lengths_and_numbers_that_are_none_are_never_near() -> None:
    assert calibration.unequal(np.arange(3), np.arange(4)) == 1.0
    assert not calibration.relative_rms(np.array([np.nan]), np.ones(1)) <= 1.0
    silent = calibration.relative_rms(np.ones(3, np.float32), np.zeros(3, np.float32))
    assert silent > 1e9


def test_tune_measures_writes_and_auto_goes_by_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, folder = tmp_path / "file.json", tiny_bundle()
    command = ["-m", str(folder), "--threads", "1", "--rounds", "1", "--output", str(output)]
    tune.main(command)
    written = json.loads(output.read_text("utf-8"))
    voice = manifest.load(folder)
    entry = written["voices"][tuned.voice_key(voice)]
    assert (entry["voice"], entry["threads"], set(entry["graphs"])) == ("tiny", 1, set(TUNED))
    vocoder = entry["graphs"]["vocoder"]
    assert tuple(vocoder["windows"]) in {row.sizes for row in BACKENDS[vocoder["backend"]].windows}
    assert "cpu 100" in vocoder["measured"]
    sizes = choose("auto", voice, output).windows[vocoder["backend"]].sizes
    assert sizes == tuple(vocoder["windows"])
    for graph, row in entry["graphs"].items():
        assert row["measured"]["cpu"]["times_faster"] == 1.0
        for found in row["measured"].values():
            assert not found["refused"], graph
    chosen = choose("auto", voice, output).backends
    assert {graph: chosen[graph] for graph in TUNED} == {
        graph: row["backend"] for graph, row in entry["graphs"].items()
    }
    out = capsys.readouterr().out
    assert all(graph in out for graph in TUNED)


def test_only_the_back_ends_that_were_named_are_tried(tmp_path: Path) -> None:
    output = tmp_path / "file.json"
    common = ["-m", str(tiny_bundle()), "--threads", "1", "--rounds", "1"]
    tune.main([*common, "--backends", "cpu", "--output", str(output)])
    (entry,) = json.loads(output.read_text("utf-8"))["voices"].values()
    tried = {name.split()[0] for row in entry["graphs"].values() for name in row["measured"]}
    assert tried == {"cpu"}
    assert all(row["backend"] == "cpu" for row in entry["graphs"].values())


def test_what_can_not_be_measured_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file.json").write_text("{")
    with pytest.raises(MachineError, match=r"file\.json: not readable as JSON"):
        tune.main(["-m", "nowhere", "--output", str(tmp_path / "file.json")])
    with pytest.raises(BundleError, match="nowhere: no bundle here"):
        tune.main(["-m", "nowhere", "--output", str(tmp_path / "new.json"), "--backends", "cpu"])
    with pytest.raises(SettingError, match="--rounds"):
        tune.main(["-m", "nowhere", "--rounds", "0"])
    assert not (tmp_path / "new.json").exists()
