"""The T2S goldens' decoders as `t2s_loop`, made once per run."""

import atexit
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import onnx

from runtime.backends import Threads
from runtime.backends.cpu import open_graph
from runtime.backends.ort_loop import OrtLoop
from runtime.backends.sessions import STAND_IN
from runtime.t2s.device_loop import LoopDecoder
from tests.t2s_models import t2s_graphs, t2s_model
from workflow_scripts.engines.loop import loop_form
from workflow_scripts.graphs.t2s import step_tables

ONE = Threads(intra_op=1)
FORMS = ("scatter_elements", "scatter_in_parts")


@cache
def loop_file(checkpoint: Path, rows: int, form: str = FORMS[1], arithmetic: str = "fp32") -> Path:
    folder = Path(mkdtemp(prefix="loops-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    decoder = onnx.load(t2s_graphs(checkpoint) / "t2s_decoder.onnx")
    made = loop_form(decoder, step_tables(t2s_model(checkpoint)), rows, form, arithmetic)
    onnx.save(made, folder / "t2s_loop.onnx")
    return folder / "t2s_loop.onnx"


@cache
def loop_decoder(
    checkpoint: Path, rows: int, form: str = FORMS[1], arithmetic: str = "fp32"
) -> LoopDecoder:
    embed = open_graph(t2s_graphs(checkpoint) / "t2s_embed.onnx", ONE)
    loop = OrtLoop(loop_file(checkpoint, rows, form, arithmetic), ONE, STAND_IN)
    return LoopDecoder(embed, loop)
