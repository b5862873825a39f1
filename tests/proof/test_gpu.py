"""The GPU measurement, rehearsed on the CPU; no claim about any machine's speed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from runtime.errors import CheckpointError, GraphError, ProofError
from runtime.graphs import VoiceGraphs
from runtime.measure.workload import ROWS
from tests import bundles
from workflow_scripts.checkpoint.read import read
from workflow_scripts.engines.arithmetic import ARITHMETICS
from workflow_scripts.models.t2s import T2S
from workflow_scripts.proof.gpu import __main__ as gpu
from workflow_scripts.proof.gpu.table import aims
from workflow_scripts.proof.gpu.torch_steps import FixedStep, GrowingStep, on_device
from workflow_scripts.proof.gpu.trials import Job, Sentence, attempt, compared

TOKENS = 26


@pytest.fixture(scope="module")
def sentence() -> Sentence:
    folder = bundles.v2()
    files = {name: folder / f"{name}.onnx" for name in ("t2s_embed", "t2s_decoder")}
    return Sentence.of(VoiceGraphs(files, folder / "t2s_tables.npz"), TOKENS)


@pytest.fixture(scope="module")
def model() -> T2S:
    found = read(bundles.GPT, "t2s")
    return T2S(found.weights, found.config)


def words(to: Path, *more: str) -> list[str]:
    files = ["--gpt", str(bundles.GPT), "--sovits", str(bundles.SOVITS / "v2.pth")]
    size = ["--tokens", f"{TOKENS}", "--rounds", "1", "--threads", "1", "--device", "cpu"]
    return ["--voice", str(bundles.v2()), *files, *size, "--json", str(to), *more]


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    to = tmp_path_factory.mktemp("gpu") / "report.json"
    gpu.main(words(to))
    return json.loads(to.read_text("utf-8"))


def test_every_way_is_compared_with_the_cpu_before_it_is_timed(rehearsed: dict[str, Any]) -> None:
    fp32 = [name for name in rehearsed["steps"] if "fp32" in name and "CUDA graph" not in name]
    assert len(fp32) == 2 * len(gpu.FORMS)
    for name in fp32:
        row = rehearsed["steps"][name]
        assert row["state"] == "measured", name
        assert row["relative_rms"] < 1e-3
        assert row["same_tokens"] == 1
        assert set(row["step_ms"]) == {f"{rows}" for rows in ROWS}
        assert row["tokens_per_s"] > 0
        assert row["floor_ms"] > 0
    for name in ("growing cache fp32", "fixed cache fp32", "prior fp32", "vocoder fp32"):
        assert rehearsed["pytorch"][name]["state"] == "measured"


def test_the_runtimes_loop_gives_the_tokens_of_the_cpu(rehearsed: dict[str, Any]) -> None:
    for form in gpu.FORMS:
        row = rehearsed["loop"][f"{form} fp32"]
        assert (row["state"], row["same_tokens"]) == ("measured", 1)
        assert row["bytes_per_step"]["to_host"] == 8, "a token is what comes back"
    half = rehearsed["loop"]["scatter_elements fp16"]
    assert half["state"] == "measured"
    assert 1e-6 < half["relative_rms"] < ARITHMETICS["fp16"].worst_rms
    assert half["tokens_per_s"] > 0


def test_only_ways_that_copy_the_cache_move_it(rehearsed: dict[str, Any]) -> None:
    aliased, copied = (
        rehearsed["steps"][f"scatter_elements fp32 {cache}"]["bytes_per_step"]
        for cache in ("aliased", "copied back")
    )
    assert aliased["on_device"] == 0
    assert copied["on_device"] > 0
    assert aliased["to_host"] == copied["to_host"] > 0


def test_what_the_device_can_not_do_is_not_measured(rehearsed: dict[str, Any]) -> None:
    for part in ("steps", "loop", "pytorch"):
        recorded = {n: row for n, row in rehearsed[part].items() if "CUDA graph" in n}
        assert len(recorded) >= 2
        assert {row["state"] for row in recorded.values()} == {"not measured (needs a GPU)"}
        assert not any("step_ms" in row for row in recorded.values())
    assert rehearsed["machine"]["gpu"] is None
    for row in rehearsed["aims"].values():
        assert row["state"] == "not measured (needs a GPU and all that it is made of)"
        assert "found" not in row


def test_speech_is_timed_as_a_whole(rehearsed: dict[str, Any]) -> None:
    for arithmetic in ("fp32", "fp16"):
        found = rehearsed["speech"][arithmetic]
        assert found["state"] == "measured"
        assert found["rtf"] > 0
        assert 0 < found["tokens"] <= TOKENS
        assert found["memory"]["state"] == "not measured (needs a GPU)"
        for name in ("prefill_ms", "first_sound_ms", "total_ms"):
            assert found[name]["median"] > 0
    assert rehearsed["speech"]["bf16"]["state"].startswith("not measured (")  # not on a CPU
    assert {row["state"] for row in rehearsed["graphs"].values()} == {"measured"}


def test_the_table_tells_every_row_with_its_state(rehearsed: dict[str, Any]) -> None:
    told = gpu.table(rehearsed)
    for part in ("graphs", "steps", "loop", "pytorch"):
        for name, row in rehearsed[part].items():
            lines = [line for line in told.splitlines() if line.startswith(f"  {name:44} ")]
            assert any(line.endswith(row["state"]) for line in lines)
    assert "rehearsal on the CPU" in told


def test_a_missed_bar_fails_after_the_report_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = {"state": "missed (scores 0.5 from the CPU's, bar 0.001)"}
    row = {"state": "not measured (needs a GPU)"}
    report = {"graphs": {"prior": over}, "steps": {"a": row}, "loop": {}, "pytorch": {}}
    assert gpu.missed(report) == ["graphs: prior"]
    report |= {
        "machine": {"gpu": "Z80", "record": {"missing": ""}},
        "busy": False,
        "bandwidth_gb_per_s": 1.0,
        "speech": {"fp16": row},
        "aims": {},
    }
    monkeypatch.setattr(gpu, "measured", lambda job: report)  # what a card would have given
    with pytest.raises(ProofError, match="over a bar: graphs: prior"):
        gpu.main(words(tmp_path / "report.json"))
    assert json.loads((tmp_path / "report.json").read_text("utf-8")) == report


def test_aims_are_judged_by_what_one_card_gave() -> None:
    report = {
        "machine": {"gpu": "NVIDIA H100"},
        "loop": {
            "scatter_in_parts fp16": {"state": "measured", "tokens_per_s": 9000.0},
            "scatter_in_parts fp16 CUDA graph": {"state": "measured", "tokens_per_s": 2400.0},
            "scatter_elements fp16 CUDA graph": {"state": "not measured (no kernel)"},
        },
        "pytorch": {"fixed cache fp16 CUDA graph": {"state": "measured", "tokens_per_s": 1600.0}},
        "speech": {"fp16": {"rtf": 0.02, "first_sound_ms": {"median": 130.0}}},
    }
    found = aims(report)
    assert found["t2s_tokens_per_s"] == {
        "state": "reached (aim 2000)",
        "found": 2400.0,
        "aim": 2000,
    }
    assert (found["t2s_times_pytorch"]["found"], found["t2s_times_pytorch"]["state"]) == (
        1.5,
        "not reached (aim 2)",
    )
    assert found["rtf"]["state"] == "reached (aim 0.03)"
    assert found["first_sound_ms"]["state"] == "not reached (aim 100)"
    assert found["memory_mb"]["state"].startswith("not measured"), "missing is never reached"


def test_speech_takes_the_loop_that_is_fastest_there() -> None:
    none = {"state": "not measured (no kernel)"}
    ends = ("", gpu.RECORDED)
    loops: dict[str, Any] = {f"{form} fp16{end}": none for form in gpu.FORMS for end in ends}
    assert f"{gpu.fastest(loops, 'fp16', 1000)}" == "scatter_elements fp16"
    loops["scatter fp16"] = {"state": "measured", "tokens_per_s": 10.0}
    loops["scatter_in_parts fp16 CUDA graph"] = {"state": "measured", "tokens_per_s": 20.0}
    assert f"{gpu.fastest(loops, 'fp16', 1000)}" == "scatter_in_parts fp16"


def test_wrong_scores_miss_the_bar(sentence: Sentence, model: T2S) -> None:
    right = compared(GrowingStep(model), sentence, "fp32")
    assert right["state"] == "measured"
    spoilt = on_device(model, "cpu", torch.float32)
    spoilt.weights["ar_predict_layer.weight"] = spoilt.weights["ar_predict_layer.weight"] * 1.01
    assert compared(GrowingStep(spoilt), sentence, "fp32")["state"].startswith("missed (scores ")

    class Silent(GrowingStep):
        def step(self, row: Any, live: int) -> Any:
            return np.full_like(super().step(row, live), np.nan)

    assert compared(Silent(model), sentence, "fp32")["state"].startswith("missed (scores nan")


def test_a_fixed_cache_answers_as_a_growing_one(sentence: Sentence, model: T2S) -> None:
    fixed = FixedStep(model, 1000, recorded=False)
    assert compared(fixed, sentence, "fp32")["relative_rms"] < 1e-4
    again = compared(fixed, sentence, "fp32")
    assert again["relative_rms"] < 1e-4, "what an utterance leaves does no harm to the next"


def test_what_a_library_refuses_is_told_and_counted_as_nothing() -> None:
    def refuses() -> dict[str, Any]:
        raise RuntimeError("no kernel\nfor this")

    assert attempt(refuses) == {"state": "not measured (no kernel for this)"}
    assert attempt(lambda: {"ms": 1}) == {"state": "measured", "ms": 1}


def test_a_checkpoint_that_is_none_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "gpt.ckpt").write_bytes(b"no checkpoint")
    job = Job(bundles.v2(), tmp_path / "gpt.ckpt", bundles.SOVITS / "v2.pth", "cpu", TOKENS, 1, 1)
    with pytest.raises(CheckpointError, match=r"gpt\.ckpt"):
        gpu.measured(job)


def test_a_bundle_of_another_precision_is_refused(tmp_path: Path) -> None:
    folder = bundles.copied(bundles.v2(), tmp_path / "bundle")
    bundles.change_manifest(
        folder, lambda manifest: manifest["graphs"]["t2s_decoder"].update(precision="int8")
    )
    job = Job(folder, bundles.GPT, bundles.SOVITS / "v2.pth", "cpu", TOKENS, 1, 1)
    with pytest.raises(GraphError, match="its decoder is not fp32; measure the fp32 bundle"):
        gpu.measured(job)
