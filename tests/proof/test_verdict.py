"""The gate in front of a bundle: what passes, what misses, and the lines of a miss."""

import json
from pathlib import Path

import pytest

from runtime import records
from runtime.errors import ArtifactError, ConfigError
from workflow_scripts.proof import verdict
from workflow_scripts.proof.measured import Case, Measured, read, read_stream
from workflow_scripts.proof.verdict import advice, judge, read_verdict


def report(graph: str = "prior", **metrics: float | None) -> Measured:
    return Measured(graph, metrics, (Case("long", metrics),))


def misses(reports: list[Measured], bars: dict[str, float]) -> tuple:
    return judge(reports, bars).missed


@pytest.mark.parametrize("value", [0.0, 0.001, 0.002])
@pytest.mark.parametrize("bar", ["relative_rms", "latent_relative_rms"])
def test_a_distance_up_to_its_bar_passes(value: float, bar: str) -> None:
    verdict = judge([report(latent_relative_rms=value)], {bar: 0.002})
    assert verdict.missed == ()
    assert [(c.value, c.bar, c.direction) for c in verdict.checks] == [(value, 0.002, "at most")]


@pytest.mark.parametrize("value", [0.0021, 1e9, None])
@pytest.mark.parametrize("bar", ["relative_rms", "latent_relative_rms"])
def test_a_distance_over_its_bar_or_no_number_misses(value: float | None, bar: str) -> None:
    (miss,) = misses([report(latent_relative_rms=value)], {bar: 0.002})
    assert (miss.graph, miss.output, miss.metric) == ("prior", "latent", "relative_rms")


@pytest.mark.parametrize(("value", "missed"), [(40.0, 0), (39.9, 1), (None, 1)])
def test_a_metric_that_should_be_high_is_judged_from_below(value: float, missed: int) -> None:
    reports = [report("chain", audio_snr_db=value)]
    checks = judge(reports, {"audio_snr_db": 40.0}).checks
    assert [check.direction for check in checks] == ["at least"]
    assert len(misses(reports, {"audio_snr_db": 40.0})) == missed


def test_a_bar_concerns_every_report_that_has_its_metric() -> None:
    reports = [report(latent_max_abs=1.0), report("style", style_max_abs=1.0), report("chain")]
    assert [miss.graph for miss in misses(reports, {"max_abs": 0.1})] == ["prior", "style"]


@pytest.mark.parametrize("bar", ["latent_snr_db", "snr_db", "latnt_max_abs"])
def test_a_bar_that_no_report_answers_is_an_error(bar: str) -> None:
    with pytest.raises(ConfigError, match=f"no report has '{bar}'; measured were latent_max_abs"):
        judge([report(latent_max_abs=0.0)], {bar: 40.0})


def test_a_bar_for_a_graph_that_the_bundle_does_without_asks_for_nothing() -> None:
    bars = {"embedding_max_abs": 0.1}
    assert judge([report(latent_max_abs=0.0)], bars).checks == ()
    with pytest.raises(ConfigError, match="no report has 'embedding_max_abs'"):
        judge([report("speaker", embedding_snr_db=90.0)], bars)


def test_a_bar_for_no_metric_is_an_error() -> None:
    with pytest.raises(ConfigError, match="'loudness' names no metric; known: "):
        judge([report(latent_max_abs=0.0)], {"loudness": 1.0})


def test_a_miss_names_graph_metric_value_bar_and_a_way_out() -> None:
    (low,) = misses([report(latent_max_abs=0.5)], {"max_abs": 0.1})
    (high,) = misses([report("chain", audio_snr_db=None)], {"snr_db": 40.0})
    assert f"{low}; {advice(low, 'fp16')}" == (
        "prior: latent max_abs 0.5, over the bar of 0.1 (farthest at long);"
        " keep prior at fp32 under mixed_precision.fp16, or move the bar"
    )
    assert f"{high}; {advice(high, 'fp32')}" == (
        "chain: audio snr_db not finite, under the bar of 40 (farthest at long);"
        " see artifacts/parity/graphs for where it differs from PyTorch, or move the bar"
    )


def run(tmp_path: Path, snr: float, bar: float) -> Path:
    output = tmp_path / "verdict.json"
    reports = (report(latent_max_abs=None), report("chain", audio_snr_db=snr))
    for content in reports:
        (tmp_path / f"{content.graph}.json").write_text(records.text(content))
    paths = [str(tmp_path / f"{content.graph}.json") for content in reports]
    bars = json.dumps({"audio_snr_db": bar})
    verdict.main([*paths, "--precision", "fp16", "--bars", bars, "--output", str(output)])
    return output


def test_the_verdict_holds_bars_measurements_and_each_check(tmp_path: Path) -> None:
    output = run(tmp_path, snr=50.0, bar=40.0)
    assert json.loads(output.read_text()) == {
        "bars": {"audio_snr_db": 40.0},
        "measured": {"prior": {"latent_max_abs": None}, "chain": {"audio_snr_db": 50.0}},
        "checks": [
            {
                "graph": "chain",
                "output": "audio",
                "metric": "snr_db",
                "value": 50.0,
                "bar": 40.0,
                "direction": "at least",
                "passed": True,
                "case": "long",
            }
        ],
    }
    assert read_verdict(output).nearest == read_verdict(output).checks[0]


def test_a_verdict_of_an_earlier_build_is_read(tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    path.write_text('{"bars": {"kl": 1}, "measured": {"chain": {"scores_kl": 0.1}}}')
    assert read_verdict(path).measured["chain"] == {"scores_kl": 0.1}


def test_strain_is_1_at_a_bar_and_more_beyond_it() -> None:
    values = {"kl": 0.03, "top1_agreement": 0.97, "snr_db": 34.0, "lost_samples": 0.0}
    bars = {"kl": 0.02, "top1_agreement": 0.98, "snr_db": 40.0, "lost_samples": 0.0}
    measured = report("chain", **{f"x_{name}": value for name, value in values.items()})
    strains = {check.metric: check.strain for check in judge([measured], bars).checks}
    assert strains == pytest.approx(
        {"kl": 1.5, "top1_agreement": 1.5, "snr_db": 2.0, "lost_samples": 0.0}, rel=0.01
    )
    (check,) = judge([report(latent_max_abs=None)], {"max_abs": 1.0}).checks
    assert check.strain == float("inf")


def test_a_miss_exits_with_6_writes_nothing_and_prints_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run(tmp_path, snr=30.0, bar=40.0)
    assert caught.value.code == 6
    assert not (tmp_path / "verdict.json").exists()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: chain: audio snr_db 30, under the bar of 40 (farthest at long)")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"graph": "prior"}',
        '{"graph": "prior", "cases": [], "metrics": {"a": "b"}}',
        '{"graph": "prior", "cases": [{}], "metrics": {}}',
    ],
)
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "prior.json"
    path.write_text(content)
    with pytest.raises(ArtifactError, match=r"prior\.json.*; remove it and build again$"):
        read(path)


def test_a_stream_that_recommends_no_lookahead_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stream.json"
    path.write_text('{"graph": "stream", "metrics": {}, "cases": []}')
    with pytest.raises(ArtifactError, match=r"stream\.json: recommends no lookahead; remove it"):
        read_stream(path)
