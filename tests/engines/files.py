"""Graphs of the embedded voices as engines take them, made once per run."""

from functools import cache
from pathlib import Path

import onnx

from tests.goldens import OWN
from tests.graphs.exported import exported, simplified
from tests.once import once
from workflow_scripts.engines.decoder import engine_decoder

MAX_LEN = 96
SOURCES = {
    "hubert": "sovits/hubert_768",
    "roberta": "sovits/bert_1024",
    "speaker": "sovits/eres2netv2_full.ckpt",
    "sovits v2": "sovits/v2.pth",
    "sovits v2ProPlus": "sovits/v2ProPlus.pth",
    "t2s tiny_a": "t2s/tiny_a.ckpt",
}
GRAPHS = {
    "hubert": ("hubert",),
    "roberta": ("roberta",),
    "speaker": ("speaker",),
    "sovits": ("quantizer", "style", "prior", "vocoder"),
    "t2s": ("t2s_embed", "t2s_decoder"),
}
TINY_DECODER = ("t2s tiny_a", "t2s_decoder")
EVERY = [(source, graph) for source in SOURCES for graph in GRAPHS[source.split()[0]]]


def stored(source: str, graph: str) -> Path:
    """The simplified fp32 graph, as the build keeps it."""
    return simplified(source.split()[0], OWN / SOURCES[source])[graph][0]


def answers_of(source: str, graph: str) -> Path:
    """PyTorch's recorded answers."""
    return exported(source.split()[0], OWN / SOURCES[source]) / f"{graph}.npz"


def tables_of(source: str, graph: str) -> Path:
    """Rows of tokens and positions that stand beside a decoder."""
    return exported(source.split()[0], OWN / SOURCES[source]) / "t2s_tables.npz"


@cache
def for_engine(source: str, graph: str, attention: str = "scatter_in_parts") -> Path:
    """The graph that an engine is made from."""
    path = stored(source, graph)
    if graph != "t2s_decoder":
        return path

    def rewrite(folder: Path) -> None:
        onnx.save(engine_decoder(onnx.load(path), MAX_LEN, attention), folder / f"{graph}.onnx")

    return once(rewrite, f"engine {graph}", source, attention) / f"{graph}.onnx"
