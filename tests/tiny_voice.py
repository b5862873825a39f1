"""A bundle of the goldens' tiny networks, exported and packed once per run."""

import shutil
from functools import cache
from pathlib import Path

from tests import goldens
from tests.graphs.exported import exported
from tests.once import once
from workflow_scripts.bundle.pack import Contents, Labels, Origin, Part, pack
from workflow_scripts.graphs.export import EXPORTERS
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
    """The bundle's folder, beside its exported parts; copy it before you harm it."""
    return once(_pack, "tiny voice") / "bundle"


def _pack(build: Path) -> None:
    for kind in SOURCES:
        shutil.copytree(exported(kind, source(kind)), build, dirs_exist_ok=True)
    parts = [
        Part(graph, "fp32", build / f"{graph}.onnx")
        for kind in SOURCES
        for graph in EXPORTERS[kind].graphs(source(kind))
    ]
    tables = (build / "t2s_tables.npz", build / "vocabulary.json")
    audio = goldens.OWN / "sovits/ref_mono_32k.wav"
    pack(
        build / "bundle",
        Contents(tuple(parts), tables, audio),
        Labels("tiny", "fp32", 1000, "The quick brown fox.", "en"),
        Origin(describe(source("t2s"), source("sovits")), {}, {}, {}, {}),
    )
