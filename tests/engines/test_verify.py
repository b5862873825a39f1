"""Comparing engines with the CPU, on a GPU that is imitated; what the runtime makes of the result.

That an engine's answers are right says nothing here: what an imitated GPU computes, ONNX Runtime
does. Tested is that a difference is found, written down and heeded.
"""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from runtime.backends.engine_files import (
    VERIFIED,
    EngineFile,
    engine_for,
    refuse_wrong,
    tell_unverified,
    verification,
)
from runtime.backends.engine_load import load
from runtime.errors import BackendMissing, EngineMismatch, GraphError
from tests.engines.fake_gpu import FakeDevice, engine_file, library, machine_of
from tests.engines.stand_in import RELEASES
from tests.runtime.fake_driver import Driver
from tests.tiny_voice import tiny_bundle
from workflow_scripts.engines import verify
from workflow_scripts.engines.arithmetic import ARITHMETICS
from workflow_scripts.engines.verify import SAMPLED, Evidence, facts_of, missed, verified
from workflow_scripts.graphs import answers
from workflow_scripts.graphs.answers import Answer

HERE = machine_of("tensorrt_10")
ROWS = 256


def recorded(graph: str) -> dict[str, Answer]:
    return answers.load(tiny_bundle().parent / f"{graph}.npz")


def evidence_of(graph: str) -> Evidence:
    tables = tiny_bundle() / "t2s_tables.npz"
    return Evidence(tiny_bundle() / f"{graph}.onnx", recorded(graph), tables)


def compared(
    folder: Path, source: Path, evidence: Evidence, release: str = "tensorrt_10", **facts: Any
) -> dict[str, Any]:
    """What is found of an engine that computes `source` and says that it is of the evidence's."""
    device, here = FakeDevice(), machine_of(release)
    build = {
        "onnx_sha256": hashlib.sha256(evidence.source.read_bytes()).hexdigest(),
        "max_len": ROWS,
        "precision": "fp32",
        "arithmetic": "as stored",
        "profiles": {"step": {}, "prefill": {}},
    } | facts
    file = engine_file(folder, source, here, build=build)
    return verified(load(library(release, source, device), file, here), device, evidence)


def spoilt(source: Path, folder: Path, weight: str, by: float) -> Path:
    """The same graph with a weight that is a little larger."""
    model = onnx.load(source)
    (found,) = (w for w in model.graph.initializer if w.name == weight)
    values = onnx.numpy_helper.to_array(found) * np.float32(by)
    found.CopyFrom(onnx.numpy_helper.from_array(values, weight))
    path = folder / source.name
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("graph", ["vocoder", "style"])
def test_an_engine_that_answers_as_the_cpu_misses_nothing(
    graph: str, release: str, tmp_path: Path
) -> None:
    evidence = evidence_of(graph)
    found = compared(tmp_path, evidence.source, evidence, release)
    assert found["missed"] == []
    assert found["cases"] == len(evidence.cases)
    assert found["graph"] == graph
    assert max(found["distances"].values()) < 1e-6


def test_a_difference_is_found_and_named_with_its_bar(tmp_path: Path) -> None:
    evidence = evidence_of("vocoder")
    weight = max(onnx.load(evidence.source).graph.initializer, key=lambda w: len(w.raw_data)).name
    found = compared(tmp_path, spoilt(evidence.source, tmp_path, weight, 1.1), evidence)
    (line,) = found["missed"]
    assert line.startswith("audio ")
    assert line.endswith(" from the CPU's, bar 0.001")
    assert found["distances"]["audio"] > 1e-3


def test_whole_numbers_count_by_their_share(tmp_path: Path) -> None:
    evidence = evidence_of("quantizer")
    # the imitated engine gives tokens of another length, and none of them can be right
    found = compared(tmp_path, evidence.source, evidence)
    assert found["distances"] == {"tokens": 1.0}
    assert found["missed"] == ["tokens 1 from the CPU's, bar 0.001"]


def test_nan_is_over_every_bar_and_bars_follow_the_arithmetic() -> None:
    for row in ARITHMETICS.values():
        assert missed({"audio": np.nan}, row)
        assert missed({"audio": row.worst_rms}, row) == []
        assert missed({SAMPLED: 0.1}, row)
    assert missed({"audio": 5e-3}, ARITHMETICS["fp32"])
    assert not missed({"audio": 5e-3}, ARITHMETICS["fp16"])


def tiny_loop(folder: Path, arithmetic: str = "fp32") -> Path:
    from workflow_scripts.engines import loop

    path = folder / "t2s_loop.onnx"
    words = ["--tables", str(tiny_bundle() / "t2s_tables.npz"), "--max-len", str(ROWS)]
    words += ["--arithmetic", arithmetic, "--output", str(path)]
    loop.main([str(tiny_bundle() / "t2s_decoder.onnx"), *words])
    return path


@pytest.mark.parametrize("arithmetic", ["fp32", "fp16"])
def test_a_loop_is_compared_in_its_logits_and_in_its_sampler(
    arithmetic: str, tmp_path: Path
) -> None:
    evidence = evidence_of("t2s_decoder")
    made = tiny_loop(tmp_path, arithmetic)
    found = compared(tmp_path, made, evidence, arithmetic=arithmetic)
    assert found["graph"] == "t2s_loop"
    assert found["cases"] >= 3
    assert found["distances"]["logits"] <= ARITHMETICS[arithmetic].worst_rms
    assert found["eager_because"] == ""
    assert (found["missed"], found["distances"][SAMPLED]) == ([], 0)
    if arithmetic != "fp32":
        assert found["distances"]["logits"] > 1e-6, "it is not the fp32 loop that was run"


def test_a_loop_that_answers_otherwise_is_found(tmp_path: Path) -> None:
    made = tiny_loop(tmp_path)
    (tmp_path / "other").mkdir()
    other = spoilt(made, tmp_path / "other", "loop/tokens", 1.5)
    found = compared(tmp_path, other, evidence_of("t2s_decoder"), arithmetic="fp32")
    assert any(line.startswith("logits ") for line in found["missed"])


def test_a_sampler_that_draws_otherwise_is_found(tmp_path: Path) -> None:
    model = onnx.load(tiny_loop(tmp_path))
    best = next(node for node in model.graph.node if node.op_type == "ArgMax")
    best.op_type = "ArgMin"  # logits stay right, tokens do not
    (tmp_path / "other").mkdir()
    onnx.save(model, tmp_path / "other" / "t2s_loop.onnx")
    evidence = evidence_of("t2s_decoder")
    found = compared(tmp_path, tmp_path / "other" / "t2s_loop.onnx", evidence, arithmetic="fp32")
    (line,) = found["missed"]
    assert line.startswith("sampled tokens ")


def test_an_engine_of_another_source_and_cases_that_fit_nowhere_are_refused(
    tmp_path: Path,
) -> None:
    evidence = evidence_of("vocoder")
    prior = Evidence(tiny_bundle() / "prior.onnx", evidence.cases)
    device = FakeDevice()
    file = engine_file(tmp_path, evidence.source, HERE)
    loaded = load(library("tensorrt_10", evidence.source, device), file, HERE)
    with pytest.raises(EngineMismatch, match=r"vocoder\.engine: not built of .*prior\.onnx"):
        verified(loaded, device, prior)
    far = {"latent": {"min": [1, 1, 9000], "opt": [1, 1, 9000], "max": [1, 9000, 9001]}}
    with pytest.raises(GraphError, match="none of its recorded cases fits into its profiles"):
        compared(tmp_path, evidence.source, evidence, profiles={"any": far})


def test_without_a_gpu_the_command_says_so(tmp_path: Path) -> None:
    evidence = evidence_of("vocoder")
    file = engine_file(tmp_path, evidence.source, HERE)
    output = tmp_path / "out.json"
    words = ["--source", str(evidence.source), "--output", str(output)]
    words += ["--answers", str(tiny_bundle().parent / "vocoder.npz")]
    with pytest.raises(BackendMissing, match="verify: no NVIDIA driver"):
        verify.main([str(file.path), *words])
    assert not output.exists()


def test_the_command_writes_what_it_found_beside_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence, device = evidence_of("vocoder"), FakeDevice()
    file = engine_file(tmp_path, evidence.source, HERE)
    stand_ins = {
        "machine_record": lambda library: HERE,
        "imported": lambda name: library("tensorrt_10", evidence.source, device),
        "gpu": lambda: device,
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(verify, name, stand_in)
    words = ["--source", str(evidence.source), "--output", str(file.path.with_suffix(VERIFIED))]
    verify.main([str(file.path), *words, "--answers", str(tiny_bundle().parent / "vocoder.npz")])
    found = verification(file)
    assert found is not None
    assert (found["gpu"], found["machine"]) == (HERE.gpu_name, HERE.id)
    assert found["soft"] == HERE.soft
    assert found["missed"] == []
    assert engine_for(evidence.source, "vocoder", tmp_path, HERE).path == file.path


def laid(engine: EngineFile, **changes: Any) -> None:
    """A verification beside an engine."""
    found = {
        "format": 1,
        "engine_sha256": engine.facts["engine"]["sha256"],
        "missed": [],
        **facts_of(HERE),
    }
    engine.path.with_suffix(VERIFIED).write_text(json.dumps(found | changes), "utf-8")


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    from tests.engines.test_engine_files import tiny_graph

    return tiny_graph(tmp_path / "vocoder.onnx", 2)


def test_a_wrong_engine_is_not_taken(graph: Path, tmp_path: Path) -> None:
    engine = engine_file(tmp_path / "e", graph, HERE)
    laid(engine)
    assert engine_for(graph, "vocoder", tmp_path / "e", HERE).path == engine.path
    laid(engine, missed=["audio 0.5 from the CPU's, bar 0.001"])
    with pytest.raises(EngineMismatch, match=r"its answers are wrong on NVIDIA H100.* \(audio 0"):
        engine_for(graph, "vocoder", tmp_path / "e", HERE)


def test_a_verification_is_of_one_engine_and_one_driver(
    graph: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = engine_file(tmp_path / "e", graph, HERE)
    newer = machine_of("tensorrt_10", Driver(driver="590.1"))
    laid(engine)
    with caplog.at_level(logging.WARNING):
        tell_unverified(engine, HERE)
        assert not caplog.messages
        tell_unverified(engine, newer)
    assert "driver was 580.65.06, is 590.1; its answers have to be compared" in caplog.text
    caplog.clear()
    laid(engine, **facts_of(newer))
    with caplog.at_level(logging.WARNING):
        tell_unverified(engine, newer)
    assert not caplog.messages, "compared again under the new driver"
    laid(engine, engine_sha256="of the engine before", missed=["audio 1 from the CPU's, bar 0"])
    assert verification(engine) is None
    refuse_wrong(engine)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 2}'])
def test_a_verification_that_is_none_is_refused(graph: Path, tmp_path: Path, content: str) -> None:
    engine = engine_file(tmp_path / "e", graph, HERE)
    engine.path.with_suffix(VERIFIED).write_text(content, "utf-8")
    with pytest.raises(
        EngineMismatch, match=r"vocoder\.verified\.json: (no verification of format|not readable)"
    ):
        engine_for(graph, "vocoder", tmp_path / "e", HERE)
