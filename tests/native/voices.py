"""The default voice as bundles with its example encoded, made once per run."""

import shutil
from functools import cache
from pathlib import Path

from runtime.contract import STEP_TABLES
from runtime.pack import main as pack_styles
from tests.graphs.exported import exported, simplified
from tests.once import once
from workflow_scripts.bundle.pack import Contents, Labels, Origin, Part, pack
from workflow_scripts.graphs import answers
from workflow_scripts.models.describe import describe
from workflow_scripts.variants.job import ReductionJob
from workflow_scripts.variants.precisions import reduce_file, usual_precision

FLITE = Path(__file__).parents[2] / "voices/flite"
SOURCES = {"hubert": FLITE / "hubert", "t2s": FLITE / "gpt.ckpt", "sovits": FLITE / "sovits.pth"}
EXAMPLE = (  # what rms.wav says; needs no language's packages
    "[phones=DH AH0 JH EH1 N T AH0 L B EY1 K ER0 L UH1 K T F AO1 R T UW1 HH AH1 N D R AH0 D TH"
    " ER1 D IY2 T UW1 L AO1 NG W AA1 CH AH0 Z IH0 N N OW0 V EH1 M B ER0 .]"
)


@cache
def default_voice(precision: str, activations: str = "int8") -> Path:
    """A bundle of the default voice with `styles.zip`; copy it before you harm it."""
    made = once(
        lambda to: _make(to, precision, activations), "default voice", precision, activations
    )
    return made / "bundle"


def _make(folder: Path, precision: str, activations: str) -> None:
    parts = []
    for kind, source in SOURCES.items():
        recorded = exported(kind, source)
        for graph, (path, _) in simplified(kind, source).items():
            at = usual_precision(precision, graph)
            made = folder / f"{graph}.onnx"
            job = ReductionJob(
                graph, answers.load(recorded / f"{graph}.npz"), activations=activations
            )
            reduce_file(path, made, folder / f"{graph}.json", to=at, job=job)
            parts.append(Part(graph, at, made))
    tables = (exported("t2s", SOURCES["t2s"]) / STEP_TABLES,)
    pack(
        folder / "bundle",
        Contents(tuple(parts), tables, FLITE / "rms.wav"),
        Labels("flite", precision, 1000, EXAMPLE, "en"),
        Origin(describe(SOURCES["t2s"], SOURCES["sovits"]), {}, {}, {}, {}),
    )
    pack_styles(["-m", f"{folder / 'bundle'}", "--threads", "1"])


def copied(bundle: Path, to: Path) -> Path:
    """A bundle whose files may be harmed."""
    return Path(shutil.copytree(bundle, to))
