"""The T2S goldens' decoders as `t2s_loop`, made once per run."""

from functools import cache
from pathlib import Path

import onnx

from runtime.backends import Threads
from runtime.backends.cpu import open_graph
from runtime.backends.ort_loop import OrtLoop
from runtime.backends.sessions import STAND_IN
from runtime.t2s.device_loop import LoopDecoder
from tests.once import once
from tests.t2s_models import t2s_graphs, t2s_model
from workflow_scripts.engines.loop import loop_graph
from workflow_scripts.graphs.t2s import step_tables

ONE = Threads(intra_op=1)
LOOP = "t2s_loop.onnx"
ATTENTIONS = ("scatter_elements", "scatter_in_parts")


@cache
def loop_file(
    checkpoint: Path, rows: int, attention: str = ATTENTIONS[1], arithmetic: str = "fp32"
) -> Path:
    def make(folder: Path) -> None:
        decoder = onnx.load(t2s_graphs(checkpoint) / "t2s_decoder.onnx")
        tables = step_tables(t2s_model(checkpoint))
        onnx.save(loop_graph(decoder, tables, rows, attention, arithmetic), folder / LOOP)

    return once(make, "loop", checkpoint, rows, attention, arithmetic) / LOOP


@cache
def loop_decoder(
    checkpoint: Path, rows: int, attention: str = ATTENTIONS[1], arithmetic: str = "fp32"
) -> LoopDecoder:
    embed = open_graph(t2s_graphs(checkpoint) / "t2s_embed.onnx", ONE)
    loop = OrtLoop(loop_file(checkpoint, rows, attention, arithmetic), ONE, STAND_IN)
    return LoopDecoder(embed, loop)
