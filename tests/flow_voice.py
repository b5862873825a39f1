"""Bundles of small random v3 and v4 voices, made by our own steps once per run."""

from functools import cache
from pathlib import Path

import yaml

from runtime.contract import STEP_TABLES
from tests import bundles
from tests.once import once
from workflow_scripts.bundle.pack import Contents, Labels, Origin, Part, pack
from workflow_scripts.checkpoint.families import FAMILIES
from workflow_scripts.graphs.export import EXPORTERS, export
from workflow_scripts.models.describe import describe
from workflow_scripts.random_voice.__main__ import TINY, write_voice

MAX_SEC = 4  # a sentence is of 201 tokens: two chunks, and a long second one


@cache
def bundle(family: str) -> Path:
    """The bundle of a family; not to be changed."""
    return once(lambda folder: _make(folder, family), "flow voice", family) / "bundle"


def vocoder(family: str) -> Path:
    """Its vocoder's graph."""
    return bundle(family) / f"{FAMILIES[family].vocoder}.onnx"


def _make(folder: Path, family: str) -> None:
    written = yaml.safe_load(write_voice(folder / "files", family, TINY, 5).read_text("utf-8"))
    (voice,), row, shared = written["voices"], FAMILIES[family], written["shared"]
    gpt, sovits = Path(voice["gpt"]), Path(voice["sovits"])
    sources = {"hubert": shared["ssl"], row.vocoder: shared[row.vocoder]}
    sources |= {"t2s": gpt, "sovits": sovits}
    graphs, parts = folder / "graphs", []
    for kind, source in sources.items():
        export(kind, Path(source), graphs, folder / "answers", graphs)
        names = EXPORTERS[kind].graphs(Path(source))
        parts += [Part(name, "fp32", graphs / f"{name}.onnx") for name in names]
    example = Path(voice["reference"]["audio"])
    pack(
        folder / "bundle",
        Contents(tuple(parts), (graphs / STEP_TABLES,), example),
        Labels(family, "fp32", bundles.MAX_LEN, bundles.TEXT, bundles.LANG),
        Origin(describe(gpt, sovits), {}, {}, {}, {}),
    )
    bundles.change_manifest(folder / "bundle", lambda found: found["t2s"].update(max_sec=MAX_SEC))
