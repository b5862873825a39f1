"""A bundle of the goldens' tiny networks, exported and packed once per run."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from tests import goldens
from workflow_scripts.bundle.pack import Contents, Labels, Origin, Part, pack
from workflow_scripts.graphs.export import EXPORTERS, export
from workflow_scripts.models.describe import describe

SOURCES = {
    "hubert": "sovits/hubert_768",
    "roberta": "sovits/bert_1024",
    "speaker": "sovits/eres2netv2_full.ckpt",
    "sovits": "sovits/v2ProPlus.pth",
    "t2s": "t2s/tiny_a.ckpt",
}


def source(kind: str) -> Path:
    """File or folder that a kind of graphs is exported from."""
    return goldens.OWN / SOURCES[kind]


@cache
def tiny_bundle() -> Path:
    """The bundle's folder; copy it before you harm it."""
    build = Path(mkdtemp(prefix="tiny-voice-"))
    for kind in SOURCES:
        export(kind, source(kind), build, build, build)
    parts = [
        Part(graph, "fp32", build / f"{graph}.onnx")
        for row in EXPORTERS.values()
        for graph in row.graphs
    ]
    tables = (build / "t2s_tables.npz", build / "vocabulary.json")
    audio = goldens.OWN / "sovits/ref_mono_32k.wav"
    pack(
        build / "bundle",
        Contents(tuple(parts), tables, audio),
        Labels("tiny", "fp32", 1000, "The quick brown fox.", "en"),
        Origin(describe(source("t2s"), source("sovits")), {}, {}, {}, {}),
    )
    return build / "bundle"
