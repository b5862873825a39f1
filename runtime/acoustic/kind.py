"""What every acoustic family offers: tokens in, chunks of samples out, under settings."""

from collections.abc import Callable
from dataclasses import dataclass

from runtime.arrays import Float32, Latent, PhoneIds, Samples, Style, Tokens
from runtime.errors import SettingError

SPEEDS = (0.25, 4.0)
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

    speed: float = 1.0
    noise_scale: float = 0.5
    steady: bool = False

    def __post_init__(self) -> None:
        low, high = SPEEDS
        if not low <= self.speed <= high:
            raise SettingError(f"speed: {self.speed} is not between {low:g} and {high:g}")
        if not 0 <= self.noise_scale <= 2:
            raise SettingError(f"noise_scale: {self.noise_scale} is not between 0 and 2")


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


LIMITS = {  # of each setting, both ends included
    "first_chunk_tokens": (1, 1500),
    "chunk_growth": (1.0, 100.0),
    "largest_chunk_tokens": (1, 1500),
    "lookahead_tokens": (6, 1500),  # the least that gives the vocoder all that it sees
    "history_tokens": (0, 1500),
}


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

    first_chunk_tokens: int = 10
    chunk_growth: float = 1.5
    largest_chunk_tokens: int = 50
    lookahead_tokens: int | None = None
    history_tokens: int = 120

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise SettingError(f"{name}: {value} is not between {low:g} and {high:g}")


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
