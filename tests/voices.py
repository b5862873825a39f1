"""The goldens' checkpoints as acoustic models and as a whole voice, made once per run."""

from functools import cache, partial
from pathlib import Path

from runtime.acoustic.kind import AcousticSettings, Conditioning
from runtime.acoustic.vits import Vits
from runtime.backends import Threads
from runtime.backends.cpu import open_graph
from runtime.noise import normals
from runtime.voice import Voice
from tests import bundles, goldens
from tests.graphs.exported import exported


@cache
def acoustic(checkpoint: Path) -> Vits:
    folder, one = exported("sovits", checkpoint), Threads(intra_op=1)
    return Vits(open_graph(folder / "prior.onnx", one), open_graph(folder / "vocoder.onnx", one))


def conditioning(
    model: goldens.Case, seed: int = 0, speed: float = 1.0, steady: bool = False
) -> Conditioning:
    """The first phones and the style of a golden, with our own noise."""
    return Conditioning(
        model["text_a"][0],
        {"style": model["t12__ge"]},
        partial(normals, seed, 0),
        AcousticSettings(speed, steady=steady),
    )


@cache
def voice() -> Voice:
    """A whole voice of tiny random models, whose sentences are of two seconds at most."""
    return Voice.load(bundles.brief(), threads=1)
