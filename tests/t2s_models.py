"""The T2S goldens' checkpoints as PyTorch models and as graphs, made once per run."""

from functools import cache
from pathlib import Path

import onnx

from runtime.backends import Threads
from runtime.backends.cpu import open_graph
from runtime.t2s.cache import CacheShape
from runtime.t2s.decode import Decoder
from runtime.t2s.step_tables import StepTables
from tests.once import once
from workflow_scripts.checkpoint.read import read
from workflow_scripts.graphs.t2s import build_decoder, build_embed, default_attention, step_tables
from workflow_scripts.models.t2s import T2S

LONGEST = 2048


@cache
def t2s_model(checkpoint: Path) -> T2S:
    stored = read(checkpoint, "t2s")
    return T2S(stored.weights, stored.config)


@cache
def t2s_graphs(checkpoint: Path, attention: str = "") -> Path:
    def make(folder: Path) -> None:
        model = t2s_model(checkpoint)
        onnx.save(build_embed(model), folder / "t2s_embed.onnx")
        decoder = build_decoder(model, attention or default_attention(model.sizes))
        onnx.save(decoder, folder / "t2s_decoder.onnx")

    return once(make, "t2s graphs", checkpoint, attention)


@cache
def t2s_decoder(checkpoint: Path, attention: str = "") -> Decoder:
    folder, model = t2s_graphs(checkpoint, attention), t2s_model(checkpoint)
    one = Threads(intra_op=1)
    sizes = model.sizes
    return Decoder(
        open_graph(folder / "t2s_embed.onnx", one),
        open_graph(folder / "t2s_decoder.onnx", one),
        StepTables.from_arrays(step_tables(model), LONGEST),
        CacheShape(sizes.layers, sizes.heads, sizes.head_width),
    )
