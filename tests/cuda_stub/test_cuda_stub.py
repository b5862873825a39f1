"""The CUDA provider of a real onnxruntime-gpu over a CUDA that computes nothing.

Whether sessions open, steps are captured and replayed, and what is launched and waited for. No
number that comes back means anything; those need a card.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import helper

from tests.cuda_stub.libraries import lacking, libraries, site
from tests.once import once
from tests.tiny_voice import tiny_bundle
from workflow_scripts.checkpoint.read import read
from workflow_scripts.engines.arithmetic import ARITHMETICS
from workflow_scripts.engines.loop import loop_graph
from workflow_scripts.graphs.t2s import build_decoder, step_tables
from workflow_scripts.models.t2s import T2S
from workflow_scripts.proof.gpu.trials import ATTENTIONS
from workflow_scripts.random_voice.__main__ import FAMILIES, TINY, write_t2s

ROOT = Path(__file__).parents[2]
MAX_LEN, LAYERS = 256, 24
LOOPS = [f"{attention} {arithmetic}" for attention in ATTENTIONS for arithmetic in ARITHMETICS]
MOST_NODES = 620  # of the CUDA graph of a step

pytestmark = pytest.mark.cuda_stub


def graphs(folder: Path) -> None:
    """Every loop of a narrow voice of 24 layers, one that copies at each step, and a vocoder."""
    checkpoint = folder / "voice.ckpt"
    sizes = replace(TINY, layers=LAYERS)
    write_t2s(checkpoint, FAMILIES["v2"].symbols, sizes, torch.Generator().manual_seed(0))
    stored = read(checkpoint, "t2s")
    model = T2S(stored.weights, stored.config)
    decoder, tables = build_decoder(model, "group_query"), step_tables(model)
    for name in LOOPS:
        made = loop_graph(decoder, tables, MAX_LEN, *name.split())
        onnx.save(made, folder / f"{name}.onnx")
    onnx.save(that_copies(made), folder / "copying.onnx")
    shutil.copy(tiny_bundle() / "vocoder.onnx", folder)


def that_copies(loop: onnx.ModelProto) -> onnx.ModelProto:
    """The loop as it once was: the row that is written first comes from a shape, so of the host."""
    scatter = next(node for node in loop.graph.node if node.op_type == "TensorScatter")
    maker = next(node for node in loop.graph.node if node.output[0] == scatter.input[2])
    at = list(loop.graph.node).index(maker)
    rows = helper.make_node("Shape", ["rows"], ["own/rows"], start=0, end=1, name="own/Shape")
    maker.CopyFrom(helper.make_node("Sub", ["loop/cached", "own/rows"], list(maker.output)))
    loop.graph.node.insert(at, rows)
    return loop


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    if reason := lacking():
        pytest.skip(reason)
    folder = once(graphs, "graphs for the stub")
    answer = folder / "answer.json"
    paths = f"{site()}{os.pathsep}{ROOT}"
    driver = Path(__file__).with_name("driver.py")
    subprocess.run(
        [sys.executable, driver, folder, answer],
        check=True,
        env=os.environ | {"LD_LIBRARY_PATH": f"{libraries()}", "PYTHONPATH": paths},
    )
    return json.loads(answer.read_text("utf-8"))


@pytest.mark.parametrize("name", LOOPS)
def test_every_loop_is_captured_at_load_and_replayed(found: dict[str, Any], name: str) -> None:
    loop = found["loops"][name]
    assert loop["eager_because"] == ""
    assert (loop["captured_at_load"], loop["captured_later"]) == (1, 0)
    assert loop["violations"] == 0
    assert loop["launches"] == loop["tokens"] - 1, "the first token is the prefill's"


@pytest.mark.parametrize("name", LOOPS)
def test_a_step_copies_nothing_and_has_few_kernels(found: dict[str, Any], name: str) -> None:
    loop = found["loops"][name]
    sys.stdout.write(
        f"{name}: {loop['kernels_of_a_step']} kernels and {loop['copies_within']} copies a step\n"
    )
    assert loop["copies_to_or_from_the_host"] == 0
    assert LAYERS < loop["kernels_of_a_step"] + loop["copies_within"] <= MOST_NODES


@pytest.mark.parametrize("name", LOOPS)
def test_a_block_is_waited_for_once(found: dict[str, Any], name: str) -> None:
    loop = found["loops"][name]
    sys.stdout.write(f"{name}: {loop['waits']} waits for {loop['blocks']} blocks of steps\n")
    assert loop["waits"] == loop["blocks"]


def test_utterances_on_several_threads_make_as_many_launches_as_steps(
    found: dict[str, Any],
) -> None:
    threads = found["threads"]
    assert threads["violations"] == 0
    assert threads["launches_of_steps"] == threads["steps"] > 0


def test_a_vocoder_plans_its_convolutions_once(found: dict[str, Any]) -> None:
    assert found["vocoder"]["plans_at_load"] > 0
    assert found["vocoder"]["plans_later"] == 0


def test_a_node_that_copies_at_each_step_is_named(found: dict[str, Any]) -> None:
    message = found["copying"]
    assert "no CUDA graph can be captured: each step copies own/rows between host" in message
    assert "\n" not in message
