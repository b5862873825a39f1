"""The whole chain against PyTorch's record, and what a spoilt stage does to it."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from runtime import audio as sound
from runtime import records
from runtime.backends import Threads
from runtime.contract import STEP_TABLES
from runtime.errors import ArtifactError, UsageError
from runtime.graphs import VoiceGraphs
from runtime.manifest import Acoustic
from tests.goldens import OWN
from tests.graphs.exported import exported
from workflow_scripts.checkpoint.acoustic_sources import AcousticSources
from workflow_scripts.checkpoint.families import FAMILIES
from workflow_scripts.graphs import answers
from workflow_scripts.graphs.export import EXPORTERS
from workflow_scripts.proof import chain
from workflow_scripts.proof.chain import measure_chain
from workflow_scripts.proof.chain_record import ChainRecord
from workflow_scripts.proof.measured import ChainMeasured, read
from workflow_scripts.proof.record import TOKENS, load_networks, record_chain
from workflow_scripts.variants.job import ReductionJob
from workflow_scripts.variants.precisions import reduce_file

SOVITS, V2 = OWN / "sovits", Acoustic(**FAMILIES["v2"].acoustic)
ACOUSTIC = ("--acoustic", records.text(V2))
SOURCES = {
    "t2s": OWN / "t2s" / "tiny_a.ckpt",
    "sovits": SOVITS / "v2.pth",
    "hubert": SOVITS / "hubert_768",
}


@pytest.fixture(scope="module")
def record() -> ChainRecord:
    networks = load_networks(
        SOURCES["t2s"], AcousticSources(SOURCES["sovits"]), SOURCES["hubert"], None
    )
    return record_chain(networks, sound.read(SOVITS / "ref_mono_24k.wav"))


@pytest.fixture(scope="module")
def files() -> dict[str, Path]:
    return {
        graph: exported(kind, source) / f"{graph}.onnx"
        for kind, source in SOURCES.items()
        for graph in EXPORTERS[kind].graphs(source)
    }


@pytest.fixture(scope="module")
def tables() -> Path:
    return exported("t2s", SOURCES["t2s"]) / STEP_TABLES


def measured(files: dict[str, Path], tables: Path, record: ChainRecord) -> dict[str, float | None]:
    return measure_chain(VoiceGraphs(files, tables, V2, threads=Threads(1)), record)[0].metrics


def test_the_runtime_equals_pytorch_along_the_chain(
    files: dict[str, Path], tables: Path, record: ChainRecord
) -> None:
    found = measured(files, tables, record)
    assert 0 < record.tokens.size <= TOKENS
    assert found["prompt_tokens_token_equality"] == 1
    assert found["tokens_token_equality"] == 1
    assert found["logits_max_abs"] < 1e-4
    assert found["latent_max_abs"] < 1e-4
    assert found["audio_max_abs"] < 1e-4


def test_one_changed_weight_of_the_decoder_shows_in_the_logits_alone(
    files: dict[str, Path], tables: Path, record: ChainRecord, tmp_path: Path
) -> None:
    model = onnx.load(files["t2s_decoder"])
    weight = next(w for w in model.graph.initializer if w.name == "h.layers.0.linear1.weight")
    changed = numpy_helper.to_array(weight).copy()
    changed[0] += 1
    weight.CopyFrom(numpy_helper.from_array(changed, weight.name))
    onnx.save(model, tmp_path / "t2s_decoder.onnx")
    good = measured(files, tables, record)
    bad = measured(files | {"t2s_decoder": tmp_path / "t2s_decoder.onnx"}, tables, record)
    assert bad["logits_max_abs"] > 100 * good["logits_max_abs"]
    assert bad["audio_max_abs"] == good["audio_max_abs"]  # rendered from the recorded tokens


def test_an_int8_cache_is_measured_along_the_chain_like_any_other(
    files: dict[str, Path], tables: Path, record: ChainRecord, tmp_path: Path
) -> None:
    recorded = answers.load(tables.parent / "t2s_decoder.npz")
    job = ReductionJob("t2s_decoder", recorded, block=32)
    reduced, note = tmp_path / "t2s_decoder.onnx", tmp_path / "t2s_decoder.json"
    reduce_file(files["t2s_decoder"], reduced, note, to="int8_kv8", job=job)
    found = measured(files | {"t2s_decoder": reduced}, tables, record)
    assert 0 < found["logits_kl"] < 0.01
    assert found["logits_top1_agreement"] > 0.8
    assert found["audio_max_abs"] < 1e-4


def test_a_record_is_read_as_it_was_written(record: ChainRecord, tmp_path: Path) -> None:
    record.save(tmp_path / "chain.npz")
    again = ChainRecord.load(tmp_path / "chain.npz")
    assert (again.seed, again.speed, again.audio_rate) == (
        record.seed,
        record.speed,
        record.audio_rate,
    )
    np.testing.assert_array_equal(again.samples, record.samples)


def test_the_script_writes_a_report_that_the_gate_reads(
    files: dict[str, Path], tables: Path, record: ChainRecord, tmp_path: Path
) -> None:
    record.save(tmp_path / "chain.npz")
    named = [f"{name}={path}" for name, path in (files | {"t2s_tables": tables}).items()]
    answers, output, sound = (tmp_path / f"chain.{end}" for end in ("npz", "json", "npy"))
    options = ["--answers", f"{answers}", "--output", f"{output}", "--sound", f"{sound}"]
    chain.main([*named, *ACOUSTIC, *options])
    report = read(output)
    assert isinstance(report, ChainMeasured)
    assert (report.graph, report.metrics) == ("chain", report.cases[0].metrics)
    assert len(report.steps.kl) == len(report.steps.same_best) == record.tokens.size
    assert all(report.steps.same_best)
    assert len(report.sampled_tokens) == chain.FREE_RUNS
    assert 0 < max(report.sampled_tokens) <= chain.LONGEST_TOKENS
    assert np.load(sound).shape == record.samples.shape


def test_another_file_is_no_record(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", tokens=np.zeros(3))
    with pytest.raises(ArtifactError, match=r"other\.npz: no record of a chain"):
        ChainRecord.load(tmp_path / "other.npz")


def test_a_file_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not NAME=PATH"):
        chain.main(["x.onnx", *ACOUSTIC, "--answers", "a", "--output", "b", "--sound", "c"])


@pytest.mark.parametrize("text", ["{", "[]", '{"kind": "vits"}', '{"sampling_rate_hz": "32000"}'])
def test_what_is_no_acoustic_model_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--acoustic"):
        chain.main(["x=x.onnx", "--acoustic", text])
