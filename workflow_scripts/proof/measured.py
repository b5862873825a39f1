"""What is measured of a voice, as it lies on disk: of each graph, of the chain, of the stream.

Written by `parity`, `chain` and `stream`; read by the verdict, the bundle and the report. Numbers
only, without a judgement.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime import records
from runtime.errors import ArtifactError

CHAIN, STREAM = "chain", "stream"  # what their reports have in place of a graph's name
AGAIN = "remove it and build again"

Values = Mapping[str, float | None]


@dataclass(frozen=True)
class Case:
    """One recorded case.

    Attributes:
        case: its name.
        metrics: `{output}_{metric}` → value; None where NaN or infinity came out.
        finite: whether all outputs are.
    """

    case: str
    metrics: Values
    finite: bool = True


@dataclass(frozen=True)
class Measured:
    """The distance of one graph, chain or stream from PyTorch's answers.

    Attributes:
        graph: name of the graph in the contract, CHAIN or STREAM.
        metrics: the same as of a case, over all cases and layers.
        cases: in the order of the record.
        finite: whether all outputs of all cases are.
    """

    graph: str
    metrics: Values
    cases: tuple[Case, ...]
    finite: bool = True


@dataclass(frozen=True)
class Steps:
    """What decode steps with given tokens are like, a value for each.

    Attributes:
        kl: divergence of the token's distribution from PyTorch's, in nats.
        same_best: whether the most likely token is the same.
    """

    kl: tuple[float | None, ...] = ()
    same_best: tuple[bool, ...] = ()


@dataclass(frozen=True)
class ChainMeasured(Measured):
    """The whole chain, and what stands behind its numbers.

    Attributes:
        steps: each decode step.
        sampled_tokens: length of each free run in tokens, a seed for each; the longest is cut.
    """

    steps: Steps = Steps()
    sampled_tokens: tuple[int, ...] = ()


@dataclass(frozen=True)
class FromWhole:
    """One stream beside the vocoder of its frames and beside the whole decode.

    Attributes:
        seam_error: largest difference from one vocoder call over all frames.
        lost_samples: how many more or fewer samples than the whole decode has.
        latent_relative_rms: of all frames, to the whole decode.
        seam_relative_rms, around_relative_rms: of the frames at seams, and around them.
        by_distance: the same by frames from the nearest seam; None where no frame is so far.
        log_mel_db: of the sound, to the whole decode.
        seam_errors: the error at each seam alone.
    """

    seam_error: float | None
    lost_samples: float | None
    latent_relative_rms: float | None
    seam_relative_rms: float | None
    around_relative_rms: float | None
    by_distance: Mapping[int, float | None]
    log_mel_db: float | None
    seam_errors: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class StreamMeasured(Measured):
    """A voice's stream.

    Attributes:
        from_whole: how it was streamed → its distances.
        least_lookahead_tokens: the least at which seams hardly stand out.
        recommended_lookahead_tokens: what the bundle's default becomes.
    """

    from_whole: Mapping[str, FromWhole] = field(default_factory=dict)
    least_lookahead_tokens: int = 0
    recommended_lookahead_tokens: int = 0


KINDS: Mapping[str, type[Measured]] = {CHAIN: ChainMeasured, STREAM: StreamMeasured}


def read(path: Path) -> Measured:
    """One measurement; its graph's name decides which kind it is.

    Raises:
        ArtifactError: it is not what a measuring script writes.
    """
    found: Any = records.content(path, ArtifactError, AGAIN)
    name = found.get("graph") if isinstance(found, dict) else None
    kind = KINDS.get(f"{name}", Measured)
    return records.parse(
        kind, found, f"{path}", lambda message: ArtifactError(f"{message}; {AGAIN}")
    )


def read_stream(path: Path) -> StreamMeasured:
    """The measurement of a stream.

    Raises:
        ArtifactError: it is none.
    """
    found = read(path)
    if not isinstance(found, StreamMeasured) or not found.recommended_lookahead_tokens:
        raise ArtifactError(f"{path}: recommends no lookahead; {AGAIN}")
    return found
