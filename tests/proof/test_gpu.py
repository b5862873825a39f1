"""The GPU measurement on its CPU stand-in; no claim about any machine's speed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from runtime.errors import BundleError, CheckpointError, GraphError, ProofError, UsageError
from runtime.graphs import VoiceGraphs
from runtime.manifest import load
from runtime.measure.timing import Spread
from runtime.measure.workload import ROWS
from tests import bundles
from workflow_scripts.checkpoint.read import read
from workflow_scripts.engines.arithmetic import ARITHMETICS
from workflow_scripts.models.t2s import T2S
from workflow_scripts.proof.gpu import __main__ as gpu
from workflow_scripts.proof.gpu.measure import Measurement, fastest, measured
from workflow_scripts.proof.gpu.plan import REPLAYED, Entry, Wanted
from workflow_scripts.proof.gpu.reports import GpuReport, Reached, Row, Speech, attempt
from workflow_scripts.proof.gpu.reports import read as read_report
from workflow_scripts.proof.gpu.table import aims, missed, table
from workflow_scripts.proof.gpu.torch_steps import FixedStep, GrowingStep, on_device
from workflow_scripts.proof.gpu.trials import ATTENTIONS, GpuJob, Sentence, compared

TOKENS = 26


@pytest.fixture(scope="module")
def job() -> GpuJob:
    return GpuJob(bundles.v2(), bundles.GPT, bundles.SOVITS / "v2.pth", "cpu", TOKENS, 1, 1)


@pytest.fixture(scope="module")
def sentence() -> Sentence:
    folder = bundles.v2()
    files = {name: folder / f"{name}.onnx" for name in ("t2s_embed", "t2s_decoder")}
    return Sentence.of(VoiceGraphs(files, folder / "t2s_tables.npz", load(folder).acoustic), TOKENS)


@pytest.fixture(scope="module")
def model() -> T2S:
    found = read(bundles.GPT, "t2s")
    return T2S(found.weights, found.config)


def words(to: Path, *more: str) -> list[str]:
    files = ["--gpt", str(bundles.GPT), "--sovits", str(bundles.SOVITS / "v2.pth")]
    size = ["--tokens", f"{TOKENS}", "--rounds", "1", "--threads", "1", "--device", "cpu"]
    return ["--voice", str(bundles.v2()), *files, *size, "--json", str(to), *more]


@pytest.fixture(scope="module")
def on_cpu(tmp_path_factory: pytest.TempPathFactory) -> GpuReport:
    to = tmp_path_factory.mktemp("gpu") / "report.json"
    gpu.main(words(to))
    return read_report(to)


def test_every_way_is_compared_with_the_cpu_before_it_is_timed(on_cpu: GpuReport) -> None:
    fp32 = [name for name in on_cpu.steps if "fp32" in name and "CUDA graph" not in name]
    assert len(fp32) == 2 * len(ATTENTIONS)
    for name in fp32:
        row = on_cpu.steps[name]
        assert row.state == "measured", name
        assert row.relative_rms < 1e-3
        assert row.same_tokens == 1
        assert set(row.step_ms) == set(ROWS)
        assert row.tokens_per_s > 0
        assert row.floor_ms > 0
    for name in ("growing cache fp32", "fixed cache fp32", "prior fp32", "vocoder fp32"):
        assert on_cpu.pytorch[name].state == "measured"
    sampled = on_cpu.pytorch["fixed cache fp32 with sampler"]
    assert (sampled.state, sampled.same_tokens) == ("measured", 1)
    assert sampled.tokens_per_s > 0


def test_the_runtimes_loop_gives_the_tokens_of_the_cpu(on_cpu: GpuReport) -> None:
    for attention in ATTENTIONS:
        row = on_cpu.loop[f"{attention} fp32"]
        assert (row.state, row.same_tokens) == ("measured", 1)
        assert row.bytes_per_step.to_host == 8, "a token is what comes back"
    half = on_cpu.loop["scatter_elements fp16"]
    assert half.state == "measured"
    assert 1e-6 < half.relative_rms < ARITHMETICS["fp16"].worst_rms
    assert half.tokens_per_s > 0


def test_only_ways_that_copy_the_cache_move_it(on_cpu: GpuReport) -> None:
    aliased, copied = (
        on_cpu.steps[f"scatter_elements fp32 {cache}"].bytes_per_step
        for cache in ("aliased", "copied back")
    )
    assert aliased.on_device == 0
    assert copied.on_device > 0
    assert aliased.to_host == copied.to_host > 0


def test_what_the_device_can_not_do_is_not_measured(on_cpu: GpuReport) -> None:
    for part in ("steps", "loop", "pytorch"):
        replayed = {n: row for n, row in on_cpu.compared[part].items() if "CUDA graph" in n}
        assert len(replayed) >= 2
        assert {row.state for row in replayed.values()} == {"not measured (needs a GPU)"}
        assert not any(row.step_ms for row in replayed.values())
    assert on_cpu.machine.gpu is None
    for row in on_cpu.aims.values():
        assert row.state == "not measured (needs a GPU and all that it is made of)"
        assert row.found is None


def test_speech_is_timed_as_a_whole(on_cpu: GpuReport) -> None:
    for arithmetic in ("fp32", "fp16"):
        found = on_cpu.speech[arithmetic]
        assert found.state == "measured"
        assert found.rtf > 0
        assert 0 < found.tokens <= TOKENS
        assert found.memory.state == "not measured (needs a GPU)"
        for ms in (found.prefill_ms, found.first_sound_ms, found.total_ms):
            assert ms.median > 0
    assert on_cpu.speech["bf16"].state.startswith("not measured (")  # not on a CPU
    assert {row.state for row in on_cpu.graphs.values()} == {"measured"}


def test_the_table_shows_every_row_with_its_state(on_cpu: GpuReport) -> None:
    printed = table(on_cpu)
    for rows in on_cpu.compared.values():
        for name, row in rows.items():
            lines = [line for line in printed.splitlines() if line.startswith(f"  {name:44} ")]
            assert any(line.endswith(row.state) for line in lines)
    assert "CPU stand-in" in printed


def test_a_missed_bar_fails_after_the_report_is_written(
    on_cpu: GpuReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = Row("missed (logits 0.5 from the CPU's, bar 0.001)")
    report = replace(on_cpu, graphs={"prior": over})
    assert missed(report) == ["graphs: prior"]

    def given(
        _job: GpuJob, _wanted: Wanted, on_row: Any
    ) -> GpuReport:  # what a card would have given
        on_row(report, Entry("graphs", "prior", "fp32"), over)
        return report

    monkeypatch.setattr(gpu, "measured", given)
    with pytest.raises(ProofError, match="over a bar: graphs: prior"):
        gpu.main(words(tmp_path / "report.json"))
    assert read_report(tmp_path / "report.json") == report


def test_aims_are_judged_by_what_one_card_gave(on_cpu: GpuReport) -> None:
    report = replace(
        on_cpu,
        machine=replace(on_cpu.machine, gpu="NVIDIA H100"),
        loop={
            "scatter_in_parts fp16": Row("measured", tokens_per_s=9000.0),
            "scatter_in_parts fp16 CUDA graph": Row("measured", tokens_per_s=2400.0),
            "scatter_elements fp16 CUDA graph": Row("not measured (no kernel)"),
        },
        pytorch={"fixed cache fp16 with sampler CUDA graph": Row("measured", tokens_per_s=1600.0)},
        speech={"fp16": Speech("measured", rtf=0.02, first_sound_ms=Spread(130.0, 129.0, 131.0))},
    )
    found = aims(report)
    assert found["t2s_tokens_per_s"] == Reached("reached (aim 2000)", 2000, 2400.0)
    assert found["t2s_times_pytorch"] == Reached("not reached (aim 2)", 2, 1.5)
    assert found["rtf"].state == "reached (aim 0.03)"
    assert found["first_sound_ms"].state == "not reached (aim 100)"
    assert found["memory_mb"].state.startswith("not measured"), "missing is never reached"


def test_speech_takes_the_loop_that_is_fastest_there() -> None:
    none = Row("not measured (no kernel)")
    ends = ("", REPLAYED)
    loops = {f"{name} fp16{end}": none for name in ATTENTIONS for end in ends}
    assert f"{fastest(loops, 'fp16', 1000)}" == "scatter_elements fp16"
    loops["scatter fp16"] = Row("measured", tokens_per_s=10.0)
    loops["scatter_in_parts fp16 CUDA graph"] = Row("measured", tokens_per_s=20.0)
    assert f"{fastest(loops, 'fp16', 1000)}" == "scatter_in_parts fp16"


def test_wrong_logits_miss_the_bar(sentence: Sentence, model: T2S) -> None:
    right = compared(GrowingStep(model), sentence, "fp32")
    assert right.state == "measured"
    spoilt = on_device(model, "cpu", torch.float32)
    spoilt.weights["ar_predict_layer.weight"] = spoilt.weights["ar_predict_layer.weight"] * 1.01
    assert compared(GrowingStep(spoilt), sentence, "fp32").state.startswith("missed (logits ")

    class Silent(GrowingStep):
        def step(self, row: Any, cached: int) -> Any:
            return np.full_like(super().step(row, cached), np.nan)

    assert compared(Silent(model), sentence, "fp32").state.startswith("missed (logits nan")


def test_each_row_is_written_when_it_is_there(job: GpuJob) -> None:
    seen: list[set[str]] = []

    def on_row(report: GpuReport, entry: Entry, found: Any) -> None:
        done = {n for n, row in report.loop.items() if row.state == "measured"}
        seen.append(done)
        assert found.seconds is not None or "needs a GPU" in found.state

    report = measured(job, Wanted(("loop", "graphs"), ("fp16",)), on_row)
    assert [len(done) for done in seen] == [0, 1, 1, 2, 2, 3], (
        "eager and replayed in alternating runs"
    )
    assert not report.graphs, "no graph but the decoder computes at fp16"
    assert not report.steps


def test_rows_that_would_not_end_in_time_are_left_out(job: GpuJob) -> None:
    report = measured(job, Wanted(("loop",), ("fp32",), minutes=0.1), lambda *_: None)
    assert {row.state for row in report.loop.values()} == {"not measured (left out of 0.1 minutes)"}


def test_a_dry_run_prints_the_rows_and_their_minutes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gpu.main(words(tmp_path / "none.json", "--dry-run"))
    printed = capsys.readouterr().out
    assert float(printed.split(" minutes by estimate")[0].split()[-1]) <= 9
    first, *_ = (line for line in printed.splitlines() if " s  " in line)
    assert "fp16" in first, "the aims are for fp16"
    assert not (tmp_path / "none.json").exists()
    with pytest.raises(UsageError, match="--only nothing: no row of that name"):
        gpu.main(words(tmp_path / "none.json", "--dry-run", "--only", "nothing"))


def test_exported_graphs_are_measured_as_a_bundle_is(job: GpuJob, tmp_path: Path) -> None:
    bundle, raw = bundles.v2(), tmp_path / "raw"
    raw.mkdir()
    for path in (*bundle.glob("*.onnx"), bundle / "t2s_tables.npz"):
        (raw / path.name).hardlink_to(path)
    job = replace(job, voice=raw, reference=bundle / "reference.wav")
    report = measured(job, Wanted(("fixed cache fp32", "graphs: prior")), lambda *_: None)
    assert report.pytorch["fixed cache fp32"].state == "measured"
    assert report.graphs["prior"].state == "measured"
    with pytest.raises(BundleError, match="exported graphs have no example; give --reference"):
        Measurement.of(replace(job, reference=None))
    (raw / "prior.onnx").unlink()
    with pytest.raises(BundleError, match="neither a bundle nor exported graphs: no prior"):
        Measurement.of(job)


def test_a_fixed_cache_answers_as_a_growing_one(sentence: Sentence, model: T2S) -> None:
    fixed = FixedStep(model, 1000, replayed=False)
    assert compared(fixed, sentence, "fp32").relative_rms < 1e-4
    again = compared(fixed, sentence, "fp32")
    assert again.relative_rms < 1e-4, "what an utterance leaves does no harm to the next"


def test_what_a_library_refuses_is_reported_and_counted_as_nothing() -> None:
    def refuses() -> Row:
        raise RuntimeError("no kernel\nfor this")

    assert attempt(refuses, Row) == Row("not measured (no kernel for this)")
    assert attempt(lambda: Row("measured", distance=1.0), Row).distance == 1


def test_a_checkpoint_that_is_none_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "gpt.ckpt").write_bytes(b"no checkpoint")
    job = GpuJob(
        bundles.v2(), tmp_path / "gpt.ckpt", bundles.SOVITS / "v2.pth", "cpu", TOKENS, 1, 1
    )
    with pytest.raises(CheckpointError, match=r"gpt\.ckpt"):
        Measurement.of(job)


def test_a_bundle_of_another_precision_is_refused(tmp_path: Path) -> None:
    folder = bundles.copied(bundles.v2(), tmp_path / "bundle")
    bundles.change_manifest(
        folder, lambda manifest: manifest["graphs"]["t2s_decoder"].update(precision="int8")
    )
    job = GpuJob(folder, bundles.GPT, bundles.SOVITS / "v2.pth", "cpu", TOKENS, 1, 1)
    with pytest.raises(GraphError, match="its decoder is not fp32; measure the fp32 bundle"):
        Measurement.of(job)
