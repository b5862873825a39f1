"""What every acoustic family offers: tokens in, chunks of samples out, under settings."""

from collections.abc import Callable
from dataclasses import dataclass

from runtime.arrays import Float32, Latent, PhoneIds, Samples, Style, Tokens
from runtime.model_settings import check_settings, default_of

Noise = Callable[[int, int], Float32]  # (first frame, frames) -> standard normal [1, I, N]


@dataclass(frozen=True)
class Delivery:
    """How the tokens are spoken.

    Attributes:
        speed: above 1 is faster; 1 leaves the frames as they are.
        noise_scale: share of the prior's spread that is used; 0 gives its mean.
        steady: read frames at steps of exactly the speed, as a stream has to, instead of fitting
            them between first and last, as the reference does: under a frame apart at the end.
    """

    speed: float = default_of("speed")
    noise_scale: float = default_of("noise_scale")
    steady: bool = False

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, eq=False)
class Manner:
    """What all tokens of one utterance are spoken under.

    Attributes:
        phones: int64 [X] of the target text only.
        style: float32 [1, G, 1], the mean over the references.
        noise: gives standard normal frames by their number in the utterance.
        delivery: speed and noise scale.
    """

    phones: PhoneIds
    style: Style
    noise: Noise
    delivery: Delivery


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
        samples: float32 [640 N].
        latent: float32 [1, I, N], the frames that they are the sound of.
        tokens: int64 [T].
        last: whether the utterance ends with it.
    """

    samples: Samples
    latent: Latent
    tokens: Tokens
    last: bool
