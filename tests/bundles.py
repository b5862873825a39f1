"""Tiny bundles out of the goldens' checkpoints, made by our own steps once per run."""

import json
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from runtime.contract import STEP_TABLES
from runtime.manifest import NAME, VOCABULARY, digest
from tests.graphs.exported import exported
from tests.once import once
from workflow_scripts.bundle.pack import Contents, Labels, Origin, Part, pack
from workflow_scripts.graphs.export import EXPORTERS
from workflow_scripts.models.describe import describe

TEXT, LANG = "[phones=HH AH0 L OW1 W ER1 L D .]", "en"  # needs no language's packages
MAX_LEN = 1000
GOLDEN = Path(__file__).parent / "golden"  # ours, whatever --golden-dir says
SOVITS = GOLDEN / "sovits"
GPT = GOLDEN / "t2s" / "tiny_a.ckpt"
EXAMPLE = SOVITS / "ref_mono_32k.wav"  # 3.1 s
HUBERT, ROBERTA = SOVITS / "hubert_768", SOVITS / "bert_1024"
SPEAKER = SOVITS / "eres2netv2_full.ckpt"


@cache
def pro_plus() -> Path:
    """A v2ProPlus voice with every graph that there is."""
    sources = {"hubert": HUBERT, "roberta": ROBERTA, "speaker": SPEAKER}
    return _packed("v2ProPlus", sources)


@cache
def v2() -> Path:
    """A v2 voice without RoBERTa, as `bert: null` makes one."""
    return _packed("v2", {"hubert": HUBERT})


@cache
def brief() -> Path:
    """The v2 voice; after a second of speech each sentence is stopped."""

    def make(folder: Path) -> None:
        bundle = copied(v2(), folder / "bundle")
        change_manifest(bundle, lambda manifest: manifest["t2s"].update(max_sec=1))

    return once(make, "brief bundle") / "bundle"


def copied(bundle: Path, to: Path) -> Path:
    """The same files under another folder, as links: replace them, never edit them."""
    return Path(shutil.copytree(bundle, to, copy_function=os.link))


def change_manifest(bundle: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Write a manifest anew; `change` edits the parsed JSON."""
    path = bundle / NAME
    manifest = json.loads(path.read_text("utf-8"))
    change(manifest)
    replace_file(path, json.dumps(manifest).encode())


def replace_file(path: Path, content: bytes) -> None:
    """Other content under the same name, without a change to what else is linked to the file."""
    path.unlink()
    path.write_bytes(content)


def list_anew(bundle: Path, name: str) -> None:
    """Let the manifest say what a file is now."""
    path = bundle / name
    entry = {"size_bytes": path.stat().st_size, "sha256": digest(path)}
    change_manifest(bundle, lambda manifest: manifest["files"].update({name: entry}))


def _packed(family: str, bases: dict[str, Path]) -> Path:
    sources = bases | {"t2s": GPT, "sovits": SOVITS / f"{family}.pth"}
    made = {kind: exported(kind, source) for kind, source in sources.items()}
    contents = Contents(
        parts=tuple(
            Part(graph, "fp32", folder / f"{graph}.onnx")
            for kind, folder in made.items()
            for graph in EXPORTERS[kind].graphs(sources[kind])
        ),
        tables=(
            made["t2s"] / STEP_TABLES,
            *(made[kind] / VOCABULARY for kind in made if kind == "roberta"),
        ),
        audio=EXAMPLE,
    )

    def make(folder: Path) -> None:
        pack(
            folder / "bundle",
            contents,
            Labels(family, "fp32", MAX_LEN, TEXT, LANG),
            Origin(describe(GPT, sources["sovits"]), {}, {}, {}, {}),
        )

    return once(make, f"{family} bundle") / "bundle"
