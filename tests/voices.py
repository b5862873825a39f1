"""The goldens' checkpoints as acoustic models and as a whole voice, made once per run."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from runtime.acoustic import Acoustic, Delivery, Manner
from runtime.backends import Threads
from runtime.backends.cpu import open_graph
from runtime.noise import normals
from runtime.voice import Voice
from tests import goldens
from tests.graphs.exported import exported
from tests.t2s_models import t2s_graphs, t2s_model
from workflow_scripts.bundle.pack import Contents, Labels, Origin, Part, pack
from workflow_scripts.graphs.t2s import step_tables

SOVITS = ("quantizer", "style", "prior", "vocoder")
T2S = ("t2s_embed", "t2s_decoder")


@cache
def acoustic(checkpoint: Path) -> Acoustic:
    folder, one = exported("sovits", checkpoint), Threads(intra_op=1)
    return Acoustic(
        open_graph(folder / "prior.onnx", one), open_graph(folder / "vocoder.onnx", one)
    )


def manner(model: goldens.Case, seed: int = 0, speed: float = 1.0, steady: bool = False) -> Manner:
    """The first phones and the style of a golden, with our own noise."""
    width = acoustic(model.model).latent_width
    return Manner(
        model["text_a"][0],
        model["t12__ge"],
        lambda first, count: normals(seed, 0, first, count, width),
        Delivery(speed, steady=steady),
    )


@cache
def voice() -> Voice:
    """A whole voice of tiny random models: no speaker, no RoBERTa."""
    return Voice.load(bundle(), threads=1)


@cache
def bundle() -> Path:
    """Its folder; not to be changed."""
    (model,) = (model for model in goldens.sovits_models() if model.name == "v2")
    checkpoint = goldens.ROOT / "t2s" / "tiny_a.ckpt"
    folder = Path(mkdtemp(prefix="voice-"))
    homes = dict.fromkeys(SOVITS, exported("sovits", model.model))
    homes |= dict.fromkeys(T2S, t2s_graphs(checkpoint))
    homes["hubert"] = exported("hubert", goldens.ROOT / "sovits" / "hubert_768")
    tables = folder / "t2s_tables.npz"
    np.savez(tables, **step_tables(t2s_model(checkpoint)))
    contents = Contents(
        parts=tuple(Part(name, "fp32", home / f"{name}.onnx") for name, home in homes.items()),
        tables=(tables,),
        audio=goldens.ROOT / "sovits" / "ref_mono_32k.wav",
    )
    pack(folder / "bundle", contents, Labels("tiny", "fp32", 300, "Hello.", "en"), _origin())
    return folder / "bundle"


def _origin() -> Origin:
    sizes = t2s_model(goldens.ROOT / "t2s" / "tiny_a.ckpt").sizes
    facts = {
        "family": "v2",
        "symbols": "v2",
        "spectrogram_bins": 1025,
        "needs_speaker": False,
        "gpt": {
            "sizes": {
                "layers": sizes.layers,
                "heads": sizes.heads,
                "vocabulary": sizes.vocabulary,
                "max_sec": 54,
            }
        },
    }
    return Origin(facts, {}, {}, {}, {})
