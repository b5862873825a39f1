"""Two builds beside each other: what is found, and what is noise."""

from dataclasses import replace
from pathlib import Path

import pytest

from runtime import records
from runtime.errors import ArtifactError, ProofError, SettingError
from tests import bundles
from tests.report.test_write import bench
from workflow_scripts.report import compare
from workflow_scripts.report.summary import BundleSummary, Summary

USUAL = BundleSummary(
    voice="mia",
    max_len="1000",
    precision="fp16",
    passed=True,
    measured={
        "chain": {"audio_snr_db": 60.0, "logits_kl": 1e-4, "logits_top1_agreement": 0.98},
        "prior": {"latent_max_abs": 2e-9, "latent_snr_db": 118.0},
    },
    bytes={"vocoder": 1_000_000},
    bench=bench(),
)


def written(folder: Path, *found: BundleSummary) -> str:
    folder.mkdir()
    (folder / "summary.json").write_text(records.text(Summary(found)), "utf-8")
    return f"{folder}"


def compared(tmp_path: Path, new: BundleSummary, *options: str) -> list[str]:
    old, now = written(tmp_path / "old", USUAL), written(tmp_path / "new", new)
    output = tmp_path / "comparison.json"
    try:
        compare.main([old, now, "--json", f"{output}", *options])
    except ProofError as error:
        assert "figures are worse than in" in f"{error}"
    found = records.read(compare.Comparison, output, ArtifactError, "again")
    return [f"{change.kind}: {change.what}" for change in found.worse]


def with_chain(**metrics: float | None) -> BundleSummary:
    chain = {**USUAL.measured["chain"], **metrics}
    return replace(USUAL, measured={**USUAL.measured, "chain": chain})


def test_the_same_build_is_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compared(tmp_path, USUAL) == []
    assert capsys.readouterr().out == "13 figures compared, 0 worse\n"


def test_a_step_that_is_10_percent_slower_is_found(tmp_path: Path) -> None:
    slower = replace(USUAL, bench=bench(1.1))
    assert compared(tmp_path, slower) == [
        "slower: step at 200 cached positions",
        "slower: step at 900 cached positions",
    ]


def test_a_change_within_the_quartiles_is_noise(tmp_path: Path) -> None:
    assert compared(tmp_path, replace(USUAL, bench=bench(1.015)), "--slower", "1.01") == []


def test_a_halved_signal_to_noise_ratio_is_found(tmp_path: Path) -> None:
    assert compared(tmp_path, with_chain(audio_snr_db=30.0)) == ["less exact: chain audio_snr_db"]


@pytest.mark.parametrize(
    ("metrics", "worse"),
    [
        ({"logits_kl": 2e-4}, True),
        ({"logits_kl": 1.2e-4}, False),
        ({"logits_kl": 1e-5}, False),
        ({"logits_top1_agreement": 0.96}, True),
        ({"audio_snr_db": None}, True),
    ],
)
def test_a_distance_counts_by_how_many_times_it_is_worse(
    tmp_path: Path, metrics: dict[str, float | None], worse: bool
) -> None:
    assert bool(compared(tmp_path, with_chain(**metrics))) is worse


def test_rounding_is_no_difference(tmp_path: Path) -> None:
    rounding = {"latent_max_abs": 9e-8, "latent_snr_db": 112.0}
    assert compared(tmp_path, replace(USUAL, measured={**USUAL.measured, "prior": rounding})) == []


def test_a_larger_file_is_found_and_what_is_better_is_no_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = replace(with_chain(logits_kl=1e-5), bytes={"vocoder": 1_100_000})
    assert compared(tmp_path, both) == ["larger: size of vocoder"]
    assert "better: mia/1000/fp16: chain logits_kl: 0.0001 -> 1e-05" in capsys.readouterr().out


def test_times_of_another_machine_are_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = bench(2.0)
    other = replace(there, machine=replace(there.machine, processor="6502"))
    assert compared(tmp_path, replace(USUAL, bench=other)) == []
    assert "speed was not compared: two machines" in capsys.readouterr().out


def test_thresholds_come_from_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("compare: {slower: 1.2}\n", "utf-8")
    assert compared(tmp_path, replace(USUAL, bench=bench(1.1)), "--config", f"{config}") == []
    with pytest.raises(SettingError, match=r"compare\.slower: 0\.5 is not 1 or more"):
        compare.main(["a", "b", "--slower", "0.5"])


def test_two_bundles_are_compared_by_their_manifests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare.main([f"{bundles.v2()}", f"{bundles.v2()}"])
    assert "0 worse" in capsys.readouterr().out
    with pytest.raises(ArtifactError, match="nowhere: no bundle and no report"):
        compare.main([f"{tmp_path / 'nowhere'}", f"{bundles.v2()}"])
