"""Which engine is taken for a graph, and which are refused before they are loaded."""

import json
import logging
from pathlib import Path
from typing import Any

import onnx
import pytest

from runtime.backends.engine_files import (
    EngineFile,
    checked_bytes,
    engine_for,
    loop_of,
    read,
)
from runtime.errors import BackendMissing, EngineMismatch
from tests.engines.fake_gpu import engine_file, machine_of
from tests.runtime.fake_driver import Driver
from workflow_scripts.engines import loop as loop_script

HERE = machine_of("tensorrt_10")


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    return tiny_graph(tmp_path / "vocoder.onnx", 2)


def tiny_graph(path: Path, width: int) -> Path:
    make = onnx.helper
    values = [make.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, width]) for n in "xy"]
    made = make.make_graph([make.make_node("Relu", ["x"], ["y"])], "g", values[:1], values[1:])
    onnx.save(make.make_model(made, opset_imports=[make.make_opsetid("", 18)], ir_version=10), path)
    return path


def test_the_engine_of_this_machine_and_graph_is_found_at_any_depth(
    graph: Path, tmp_path: Path
) -> None:
    other = tiny_graph(tmp_path / "other.onnx", 3)
    engine_file(tmp_path / "e" / "far" / "fp16", graph, machine_of("tensorrt_10", Driver("L4")))
    engine_file(tmp_path / "e" / "rtx", graph, machine_of("tensorrt_rtx_1"))
    wanted = engine_file(tmp_path / "e" / "here" / "fp32", graph, HERE)
    assert engine_for(graph, "vocoder", tmp_path / "e", HERE).path == wanted.path
    with pytest.raises(BackendMissing, match=r"vocoder: no tensorrt engine of .*other\.onnx"):
        engine_for(other, "vocoder", tmp_path / "e", HERE)


def test_the_longest_of_several_is_taken(graph: Path, tmp_path: Path) -> None:
    for rows in (500, 2000, 1000):
        made = engine_file(tmp_path / "e" / str(rows), graph, HERE)
        build = dict(made.facts["build"]) | {"max_len": rows}
        engine_file(tmp_path / "e" / str(rows), graph, HERE, build=build)
    found = engine_for(graph, "vocoder", tmp_path / "e", HERE)
    assert found.facts["build"]["max_len"] == 2000


def test_a_sidecar_that_an_older_build_wrote_is_read(graph: Path, tmp_path: Path) -> None:
    made = engine_file(tmp_path / "e", graph, HERE)
    sidecar = made.path.with_suffix(".json")
    sidecar.write_text(sidecar.read_text("utf-8").replace('"io_tensors"', '"puts"'), "utf-8")
    assert engine_for(graph, "vocoder", tmp_path / "e", HERE).io_tensors == made.io_tensors


def test_without_a_folder_the_option_is_named(graph: Path) -> None:
    with pytest.raises(BackendMissing, match="vocoder: no folder of engines was given; give --eng"):
        engine_for(graph, "vocoder", None, HERE)


def test_an_engine_of_another_machine_is_refused_with_both_keys(
    graph: Path, tmp_path: Path
) -> None:
    there = machine_of("tensorrt_10", Driver(name="NVIDIA A100", cuda=12080))
    engine_file(tmp_path, graph, there)
    with pytest.raises(EngineMismatch) as caught:
        engine_for(graph, "vocoder", tmp_path, HERE)
    message = str(caught.value)
    assert f"({there.id}), this is" in message
    assert f"({HERE.id}): gpu_name was NVIDIA A100, is" in message
    assert message.endswith("; run snakemake engines on this machine")
    assert "\n" not in message


def test_another_version_of_the_library_is_another_machine(graph: Path, tmp_path: Path) -> None:
    engine_file(tmp_path, graph, machine_of("tensorrt_11"))
    with pytest.raises(EngineMismatch, match=r"trt_version was 11\.4\.0\.106, is 10\.16\.1\.11"):
        engine_for(graph, "vocoder", tmp_path, HERE)


def test_another_driver_is_told_and_let_through(
    graph: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = engine_file(tmp_path, graph, HERE)
    newer = machine_of("tensorrt_10", Driver(driver="590.1", uuid=9))
    with caplog.at_level(logging.WARNING):
        assert engine_for(graph, "vocoder", tmp_path, newer).path == engine.path
    assert "driver was 580.65.06, is 590.1; its answers have to be compared" in caplog.text


def harmed(engine: EngineFile, content: bytes) -> EngineFile:
    engine.path.write_bytes(content)
    return engine


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes where its sidecar states 25"),
        (b"an engine of vocoder", "20 bytes where its sidecar states 25"),
        (b"an engine of prior...onnx", "not the engine of its sidecar"),
    ],
    ids=["empty", "cut short", "swapped"],
)
def test_a_file_that_is_not_the_one_of_its_sidecar_is_refused(
    graph: Path, tmp_path: Path, content: bytes, message: str
) -> None:
    engine = engine_file(tmp_path, graph, HERE)
    assert checked_bytes(engine) == b"an engine of vocoder.onnx"
    with pytest.raises(EngineMismatch, match=rf"vocoder\.engine: {message}"):
        checked_bytes(harmed(engine, content))


def test_an_engine_without_its_sidecar_or_the_reverse_is_refused(
    graph: Path, tmp_path: Path
) -> None:
    engine = engine_file(tmp_path, graph, HERE)
    engine.path.unlink()
    with pytest.raises(EngineMismatch, match="is missing beside its sidecar"):
        checked_bytes(engine)
    engine.path.with_suffix(".json").unlink()
    with pytest.raises(EngineMismatch, match=r"has no vocoder\.json beside it"):
        read(engine.path)


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 1}', '{"format": 2}'])
def test_a_sidecar_that_is_none_is_refused(graph: Path, tmp_path: Path, content: str) -> None:
    engine = engine_file(tmp_path, graph, HERE)
    engine.path.with_suffix(".json").write_text(content, "utf-8")
    with pytest.raises(EngineMismatch, match=r"vocoder\.json: not "):
        engine_for(graph, "vocoder", tmp_path, HERE)


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    from tests.tiny_voice import tiny_bundle

    folder = tmp_path_factory.mktemp("loop")
    decoder, tables = tiny_bundle() / "t2s_decoder.onnx", tiny_bundle() / "t2s_tables.npz"
    output = folder / "1000" / "t2s_loop.onnx"
    output.parent.mkdir()
    options = ["--tables", str(tables), "--max-len", "64", "--output", str(output)]
    older = ["--form", "scatter_elements"]  # of --attention
    loop_script.main([str(decoder), *options, *older])
    return {"folder": folder, "decoder": decoder, "output": output}


def test_the_loop_of_a_decoder_is_written_and_found(loop: dict[str, Any], graph: Path) -> None:
    assert loop_of(loop["decoder"], loop["folder"]) == loop["output"]
    facts = json.loads((loop["output"].parent / "t2s_loop.onnx.json").read_text("utf-8"))
    assert (facts["max_len"], facts["attention"]) == (64, "scatter_elements")
    with pytest.raises(BackendMissing, match="t2s_loop: none of"):
        loop_of(graph, loop["folder"])
    with pytest.raises(BackendMissing, match="t2s_loop: no folder of engines was given"):
        loop_of(graph, None)


def test_an_altered_loop_is_refused(loop: dict[str, Any]) -> None:
    whole = loop["output"].read_bytes()
    loop["output"].write_bytes(whole[:-1])
    try:
        with pytest.raises(EngineMismatch, match=r"t2s_loop\.onnx: not the file of its sidecar"):
            loop_of(loop["decoder"], loop["folder"])
    finally:
        loop["output"].write_bytes(whole)
