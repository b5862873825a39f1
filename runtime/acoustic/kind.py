"""What every acoustic family offers: tokens in, chunks of samples out, under settings.

A voice, a benchmark and a proof know this module alone; how a family makes sound is behind it.
"""

import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import Float32, Int64, PhoneIds, Samples, Tokens
from runtime.backends import GraphRunner, Windows
from runtime.errors import STOPPED, BundleError, Stopped
from runtime.manifest import Acoustic
from runtime.model_settings import check_settings, default_of

Noise = Callable[[int, int, int], Float32]  # (first frame, frames, width) -> normal [1, width, N]
Arrays = Mapping[str, NDArray[Any]]
SizedWork = Callable[[int], object]  # of so many tokens


@dataclass(frozen=True)
class AcousticSettings:
    """How tokens are spoken.

    Attributes:
        speed: above 1 is faster; 1 leaves the frames as they are.
        noise_scale: share of the prior's spread that is used; 0 gives its mean.
        sample_steps: of a flow-matching sampler; None takes the family's.
        steady: read frames at steps of exactly the speed, as a stream has to, instead of fitting
            them between first and last, as the reference does: under a frame apart at the end.
    """

    speed: float = default_of("speed")
    noise_scale: float = default_of("noise_scale")
    sample_steps: int | None = default_of("sample_steps")
    steady: bool = False

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, eq=False)
class Conditioning:
    """What all tokens of one utterance are spoken under.

    Attributes:
        phones: int64 [X] of the target text only.
        reference: what the family keeps of the reference, by name, as `primed` gave it.
        noise: gives standard normal frames by their number in the utterance.
        settings: speed and noise scale.
        unwanted: whether nobody wants the sound any more.
    """

    phones: PhoneIds
    reference: Arrays
    noise: Noise
    settings: AcousticSettings = field(default_factory=AcousticSettings)
    unwanted: Callable[[], bool] = bool

    def refuse_unwanted(self) -> None:
        """End here what nobody wants any more: for work that takes long after the last token.

        Raises:
            Stopped: so it is.
        """
        if self.unwanted():
            raise Stopped(STOPPED)


@dataclass(frozen=True)
class Streaming:
    """How a stream is cut into chunks, and what a chunk's models see around it.

    Attributes:
        first_chunk_tokens: of the first chunk of a sentence; fewer sound earlier (25 a second).
        chunk_growth: how many times larger each further chunk is.
        largest_chunk_tokens: where the growth ends.
        lookahead_tokens: how many tokens are waited for behind a chunk, at a speed up to 1; above,
            as many times more. More come nearer to the whole decode. None takes the voice's.
        history_tokens: how many before a chunk its encoder sees.
    """

    first_chunk_tokens: int = default_of("first_chunk_tokens")
    chunk_growth: float = default_of("chunk_growth")
    largest_chunk_tokens: int = default_of("largest_chunk_tokens")
    lookahead_tokens: int | None = None
    history_tokens: int = default_of("history_tokens")

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, eq=False)
class SpokenChunk:
    """Some tokens of an utterance, spoken.

    Attributes:
        samples: float32 [S], as many for each frame as the family has.
        frames: float32 [1, I, N], what they are the sound of: latent frames, or a mel spectrogram.
        tokens: int64 [T].
        last: whether the utterance ends with it.
    """

    samples: Samples
    frames: Float32
    tokens: Tokens
    last: bool


class Graphs(Protocol):
    """The graphs of a voice, as an acoustic model asks for them."""

    @property
    def acoustic(self) -> Acoustic:
        """What the manifest states of the acoustic model."""

    def open(self, graph: str) -> GraphRunner:
        """A graph by its name in the contract, loaded."""

    def windows_of(self, graph: str) -> Windows:
        """The lengths at which an opened graph runs best."""


class AcousticModel(Protocol):
    """The graphs of one voice that make sound of tokens; no state of its own."""

    @property
    def frames_name(self) -> str:
        """What its frames are called in reports: `latent`, `mel`."""

    @property
    def context_frames(self) -> int:
        """Frames to each side of a frame that its vocoder sees."""

    @property
    def wants(self) -> tuple[str, ...]:
        """What it takes of a reference's sound: names in `runtime.reference.encoder.ENCODINGS`."""

    @property
    def streams_tokens(self) -> bool:
        """Whether a stream begins while tokens are made; if not, no size of chunks matters."""

    def primed(self, sound: Arrays, tokens: Tokens, phones: PhoneIds) -> Arrays:
        """What it keeps of a reference; the same arrays come back in every `Conditioning`.

        Args:
            sound: what it wants, by name.
            tokens: int64 [P], prompt tokens; empty in prompt-free mode.
            phones: int64 [X], of what is said in the reference; empty in prompt-free mode.

        Raises:
            SettingError: it can't speak from that.
        """

    def made_up(self) -> Arrays:
        """What `primed` could have given: always the same, to measure with."""

    def whole(self, tokens: Tokens, conditioning: Conditioning) -> SpokenChunk:
        """Speak a whole utterance, int64 [T], at once."""

    def stream(
        self, tokens: Iterable[int], conditioning: Conditioning, streaming: Streaming
    ) -> Iterator[SpokenChunk]:
        """Speak an utterance while its tokens are made.

        Every token is spoken once, in order; joined, the samples are those of `sound` of all frames
        joined, up to rounding; memory does not grow with the length.
        """

    def sound(self, frames: Float32, conditioning: Conditioning) -> Samples:
        """Samples float32 [S] of frames [1, I, N], in one call."""

    def seams(self, ends: Int64) -> Int64:
        """Frames at which a stream's chunks meet.

        Args:
            ends: frames after each of its chunks but the last, int64.
        """

    def parts(self, tokens: Tokens, conditioning: Conditioning) -> dict[str, SizedWork]:
        """The work of `whole` on the first n tokens, graph by graph, to be timed: graph → work."""


@dataclass(frozen=True)
class Kind:
    """A row of KINDS.

    Attributes:
        module: has `open_model(graphs) -> AcousticModel`.
        note: how it makes sound, for docs.
    """

    module: str
    note: str


KINDS: dict[str, Kind] = {
    "vits": Kind("runtime.acoustic.vits_model", "a prior with a flow, and a vocoder of its latent"),
    "cfm": Kind(
        "runtime.acoustic.cfm_model", "mel frames by flow matching, and a vocoder of its own file"
    ),
}


def share(frames: Float32, count: int, tokens: Tokens) -> Float32:
    """The frames [1, W, N] that the first `count` of all tokens have, nearly: as many in parts."""
    return np.ascontiguousarray(frames[..., : frames.shape[-1] * count // tokens.size])


def open_model(graphs: Graphs) -> AcousticModel:
    """The acoustic model of a voice.

    Raises:
        BundleError: of a kind that this runtime does not have.
    """
    kind = graphs.acoustic.kind
    if kind not in KINDS:
        raise BundleError(
            f"acoustic.kind: {kind!r} is none of {', '.join(KINDS)}; install a newer runtime"
        )
    model: AcousticModel = pkgutil.resolve_name(f"{KINDS[kind].module}:open_model")(graphs)
    return model
