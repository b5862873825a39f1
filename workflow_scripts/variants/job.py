"""What a precision variant is made from, and what is written down about it."""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from workflow_scripts.graphs.answers import Answer

AIM = 5e-3  # 46 dB: half the distance that the default bar of the audio allows
# bits → weights that share a scale: the largest at which ONNX Runtime's products have the same bits
# however many rows there are, so that sentences can be decoded side by side
BLOCKS = {8: 64, 4: 32}
ACTIVATIONS = {"int8": 4, "fp32": 1}  # → accuracy_level of MatMulNBits


@dataclass(frozen=True)
class ReductionJob:
    """One graph to write at another precision.

    Attributes:
        graph: its name in the contract.
        cases: recorded answers to measure with.
        keep_fp32: names of nodes or weights, with `*`, whose arithmetic stays fp32.
        keep_int8: names of nodes or weights, with `*`, that get no fewer than 8 bits.
        aim: largest relative rms from the answers that a search for nodes settles for.
        block: weights that share a scale; None takes BLOCKS.
        activations: what integer weights are multiplied with, a key of ACTIVATIONS.
    """

    graph: str
    cases: dict[str, Answer]
    keep_fp32: tuple[str, ...] = ()
    keep_int8: tuple[str, ...] = ()
    aim: float = AIM
    block: int | None = None
    activations: str = "int8"


@dataclass(frozen=True)
class Trial:
    """One measured attempt of a search.

    Attributes:
        keeps: what stayed fp32, in words.
        nodes: how many nodes that were.
        relative_rms: the largest over outputs and cases, when rounded as fp16 hardware rounds;
            None if something was not finite.
        failure: why it was not taken though that held.
    """

    keeps: str
    nodes: int
    relative_rms: float | None
    failure: str = ""


@dataclass(frozen=True)
class Record:
    """How a variant came about.

    Attributes:
        method: what was done, in words.
        why: the reason if it is not what the precision says; else empty.
        kept: node or weight -> why it was left at a higher precision.
        trials: what was measured on the way.
    """

    method: str
    why: str = ""
    kept: dict[str, str] = field(default_factory=dict)
    trials: tuple[Trial, ...] = ()


def matches(names: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    """Whether one of the names fits one of the patterns (`*` stands for anything)."""
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
