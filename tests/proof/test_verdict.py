"""Bars: what passes, what misses, and what is told."""

import json
import math
from pathlib import Path

import pytest

from runtime.errors import ArtifactError, ConfigError
from workflow_scripts.proof import verdict
from workflow_scripts.proof.verdict import Report, judge, read_report

BETTER = {"relative_rms": "lower", "audio_snr_db": "higher"}


def report(graph: str = "prior", **metrics: float | None) -> Report:
    return Report(graph, metrics)


@pytest.mark.parametrize("value", [0.0, 0.001, 0.002])
def test_a_distance_up_to_its_bar_passes(value: float) -> None:
    assert judge([report(relative_rms=value)], {"relative_rms": 0.002}, BETTER) == []


@pytest.mark.parametrize("value", [0.0021, 1e9, math.inf, math.nan, None])
def test_a_distance_over_its_bar_or_no_number_misses(value: float | None) -> None:
    (miss,) = judge([report(relative_rms=value)], {"relative_rms": 0.002}, BETTER)
    assert (miss.graph, miss.metric) == ("prior", "relative_rms")


@pytest.mark.parametrize(("value", "missed"), [(40.0, 0), (39.9, 1), (math.nan, 1), (None, 1)])
def test_a_metric_that_should_be_high_is_judged_from_below(value: float, missed: int) -> None:
    reports = [report("chain", audio_snr_db=value)]
    assert len(judge(reports, {"audio_snr_db": 40.0}, BETTER)) == missed


def test_a_bar_concerns_every_report_that_has_its_metric() -> None:
    reports = [report(relative_rms=1.0), report("style", relative_rms=1.0), report("chain")]
    assert [miss.graph for miss in judge(reports, {"relative_rms": 0.1}, BETTER)] == [
        "prior",
        "style",
    ]


def test_a_bar_that_no_report_answers_is_an_error() -> None:
    with pytest.raises(
        ConfigError, match="no report has 'audio_snr_db'; measured were: relative_rms"
    ):
        judge([report(relative_rms=0.0)], {"audio_snr_db": 40.0}, BETTER)


def test_a_bar_for_no_metric_is_an_error() -> None:
    with pytest.raises(
        ConfigError, match="'loudness' is no metric; known: relative_rms, audio_snr_db"
    ):
        judge([report(relative_rms=0.0)], {"loudness": 1.0}, BETTER)


def test_a_miss_names_graph_metric_value_bar_and_a_way_out() -> None:
    (low,) = judge([report(relative_rms=0.5)], {"relative_rms": 0.1}, BETTER)
    (high,) = judge([report("chain", audio_snr_db=None)], {"audio_snr_db": 40.0}, BETTER)
    assert low.told("fp16") == (
        "prior: relative_rms is 0.5, want at most 0.1;"
        " keep prior at fp32 under mixed_precision.fp16, or move the bar"
    )
    assert high.told("fp32") == (
        "chain: audio_snr_db is not a number, want at least 40;"
        " the graphs differ from PyTorch, see artifacts/parity/graphs, or move the bar"
    )


def written(path: Path, graph: str, metrics: dict) -> str:
    path.write_text(json.dumps({"graph": graph, "cases": [], "metrics": metrics}))
    return str(path)


def run(tmp_path: Path, snr: float, bar: float) -> Path:
    output = tmp_path / "verdict.json"
    reports = [
        written(tmp_path / "prior.json", "prior", {"relative_rms": math.nan}),
        written(tmp_path / "chain.json", "chain", {"audio_snr_db": snr}),
    ]
    bars = json.dumps({"audio_snr_db": bar})
    verdict.main([*reports, "--precision", "fp16", "--bars", bars, "--output", str(output)])
    return output


def test_the_verdict_holds_bars_and_measurements(tmp_path: Path) -> None:
    assert json.loads(run(tmp_path, snr=50.0, bar=40.0).read_text()) == {
        "bars": {"audio_snr_db": 40.0},
        "measured": {"prior": {"relative_rms": None}, "chain": {"audio_snr_db": 50.0}},
    }


def test_a_miss_exits_with_6_writes_nothing_and_tells_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run(tmp_path, snr=30.0, bar=40.0)
    assert caught.value.code == 6
    assert not (tmp_path / "verdict.json").exists()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: chain: audio_snr_db is 30, want at least 40; keep the graph")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"graph": "prior"}', '{"graph": "prior", "metrics": {"a": "b"}}']
)
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "prior.json"
    path.write_text(content)
    with pytest.raises(ArtifactError, match=r"prior\.json: not a report of a measurement"):
        read_report(path)
