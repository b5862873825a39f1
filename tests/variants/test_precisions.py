"""Every precision of the table works, and so does the script that writes one."""

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from runtime.contract import GRAPHS
from runtime.errors import GraphError
from tests.proof import decoder
from tests.variants import tiny
from workflow_scripts.graphs import answers
from workflow_scripts.variants import reduce
from workflow_scripts.variants.measure import Running, distance
from workflow_scripts.variants.precisions import PRECISIONS, usual_precision

LIMITS = {
    "fp32": 0.0,
    "fp16": 5e-3,
    "fp16_stored": 5e-4,
    "int8": 0.02,
    "int8_kv8": 0.03,
    "int4": 0.2,
    "int4_kv8": 0.3,
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    onnx.save(tiny.dense(), tmp_path / "roberta.onnx")
    answers.save(tmp_path / "roberta.npz", tiny.cases(tiny.dense()))
    return tmp_path / "roberta.onnx"


def reduced(source: Path, to: str, *options: str, graph: str = "roberta") -> tuple[Path, Path]:
    output, record = source.with_name(f"{to}.onnx"), source.with_name(f"{to}.json")
    paths = ("--answers", source.with_suffix(".npz"), "--output", output, "--record", record)
    arguments = [source, "--graph", graph, "--to", to, *paths, *options]
    reduce.main([str(argument) for argument in arguments])
    return output, record


def test_every_precision_has_a_limit_here() -> None:
    assert set(LIMITS) == set(PRECISIONS)


@pytest.fixture
def decoder_source(tmp_path: Path) -> Path:
    onnx.save(decoder.model(), tmp_path / "t2s_decoder.onnx")
    answers.save(tmp_path / "t2s_decoder.npz", decoder.cases())
    return tmp_path / "t2s_decoder.onnx"


@pytest.mark.parametrize("to", PRECISIONS)
def test_every_precision_writes_a_graph_that_answers_and_a_record(
    source: Path, decoder_source: Path, to: str
) -> None:
    graph = "roberta" if PRECISIONS[to].fits("roberta") else "t2s_decoder"
    source = source if graph == "roberta" else decoder_source
    output, record = reduced(source, to, "--block", "16", graph=graph)
    found = distance(Running(output, to), answers.load(source.with_suffix(".npz")))
    assert found <= LIMITS[to]
    written = json.loads(record.read_text("utf-8"))
    assert (written["graph"], written["precision"]) == (graph, to)
    assert written["relative_rms"] == found
    assert written["bytes"] == {
        "before": source.stat().st_size,
        "after": output.stat().st_size,
    }
    assert written["method"]


@pytest.mark.parametrize("to", PRECISIONS)
def test_every_precision_fits_a_graph_and_says_what_to_take_for_the_others(to: str) -> None:
    precision = PRECISIONS[to]
    assert any(precision.fits(graph) for graph in GRAPHS)
    for graph in GRAPHS:
        usual = usual_precision(to, graph)
        assert PRECISIONS[usual].usual(graph)
        assert (usual == to) == precision.usual(graph)
    assert precision.note


def test_a_graph_that_a_precision_does_not_fit_is_refused(source: Path) -> None:
    with pytest.raises(GraphError, match="vocoder: int8 is not meant for it; use fp16_stored"):
        reduced(source, "int8", graph="vocoder")
    assert not list(source.parent.glob("int8*"))


def test_a_cache_in_8_bits_takes_other_graphs_from_the_precision_of_its_weights() -> None:
    found = {graph: usual_precision("int4_kv8", graph) for graph in GRAPHS}
    assert found["t2s_decoder"] == "int4_kv8"
    assert found["roberta"] == "int4"
    assert {found[graph] for graph in ("hubert", "vocoder", "t2s_embed")} == {"fp16_stored"}


def test_the_sampler_is_in_8_bits_and_never_in_4() -> None:
    assert usual_precision("int8", "cfm_step") == usual_precision("int8_kv8", "cfm_step") == "int8"
    assert usual_precision("int4", "cfm_step") == "fp16_stored"


def test_options_reach_the_conversion(source: Path) -> None:
    _, record = reduced(source, "fp16", "--keep_fp32", "second", "--aim", "0.1")
    written = json.loads(record.read_text("utf-8"))
    assert written["kept"] == {"second": "kept on request"}
    _, record = reduced(source, "fp16", "--aim", "0")
    assert json.loads(record.read_text("utf-8"))["why"].startswith("no choice of nodes")
    _, record = reduced(source, "int4", "--keep-int8", "second", "--block", "16")
    assert "second" in json.loads(record.read_text("utf-8"))["kept"]


def test_a_name_to_keep_that_nothing_has_is_refused(source: Path) -> None:
    message = r"roberta: keep_int8 'seconds' fits no node or weight; a name here is 'a'"
    with pytest.raises(GraphError, match=message):
        reduced(source, "int4", "--keep-int8", "second", "seconds", "--block", "16")


def test_what_is_no_graph_and_what_are_no_answers_is_refused(source: Path) -> None:
    source.write_bytes(b"\xff" * 50)
    with pytest.raises(GraphError, match=r"roberta\.onnx: not an ONNX file"):
        reduced(source, "fp16")
    source.with_suffix(".npz").write_bytes(b"hello")
    with pytest.raises(GraphError, match=r"roberta\.npz: not recorded answers"):
        reduced(source, "fp16")


def test_answers_to_other_shapes_are_refused(source: Path) -> None:
    wrong = tiny.cases(tiny.dense())
    wrong["rows1"].outputs["y"] = wrong["rows1"].outputs["y"][:, :-1]
    answers.save(source.with_suffix(".npz"), wrong)
    with pytest.raises(GraphError, match=r"output 'y' is \[1, 48\], PyTorch answered \[1, 47\]"):
        reduced(source, "fp32")


def test_reading_the_tables_loads_no_heavy_library() -> None:
    tables = "import workflow_scripts.variants.precisions, workflow_scripts.proof.metrics, sys"
    heavy = "{'onnx', 'onnxruntime', 'onnxconverter_common', 'torch', 'soundfile'}"
    command = [sys.executable, "-c", f"{tables}; print(sorted({heavy} & set(sys.modules)))"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
