"""The numbers that a program needs to speak from a bundle, and can't read from its graphs.

They are the same in all bundles of a format, and stand in each manifest under `loop`, so that a
program in another language needs nothing beside the bundle. docs/native.md says how they are used.
"""

from dataclasses import dataclass, field
from typing import Any

from runtime.contract import ENCODER_FRAMES_PER_TOKEN, MELS, OFFERED_STEPS
from runtime.model_settings import default_of


def _number(value: Any, note: str) -> Any:
    """A field with its value and what it is."""
    return field(default=value, metadata={"note": note})


@dataclass(frozen=True)
class DecodeNumbers:
    """When an utterance may end, has to end, and how large its cache is."""

    end_held_back_steps: int = _number(11, "first steps at which the end token can't be drawn")
    hard_cap_tokens: int = _number(1500, "tokens of an utterance at most")
    early_stop_tokens_per_second: int = _number(
        50, "times `t2s.max_sec`: an utterance of more tokens is ended"
    )
    usual_tokens_per_phone: float = _number(2.5, "pace of a reference without text")
    most_tokens_per_phone: float = _number(12, "slowest pace that is believed")
    pace_slower: float = _number(3, "times as slow as the reference an utterance may be")
    least_tokens: int = _number(100, "that every utterance may have, however short its text")
    cache_capacities: tuple[int, ...] = _number(
        (512, 1024, 2048, 4096), "rows of a KV cache on offer, each cut to `max_len`"
    )


@dataclass(frozen=True)
class DrawNumbers:
    """Random numbers: the generator, and the second word of its key by purpose."""

    generator: str = _number("philox4x64-10", "counter-based, 64 bits, four words a counter")
    tokens_key: int = _number(0, "second word of the key, for draws of tokens")
    frames_key: int = _number(1, "second word of the key, for noise of frames")


@dataclass(frozen=True)
class GridNumbers:
    """Rates of time."""

    tokens_per_second: int = _number(25, "semantic tokens")
    encoder_frames_per_token: int = _number(
        ENCODER_FRAMES_PER_TOKEN, "frames of the encoder that reads tokens"
    )
    pause_ms: int = _number(300, "silence after each sentence where a caller gives none")


@dataclass(frozen=True)
class StreamNumbers:
    """How a stream of a `vits` voice is cut; `defaults.lookahead_tokens` belongs to them."""

    first_chunk_tokens: int = _number(default_of("first_chunk_tokens"), "of a sentence")
    chunk_growth: float = _number(default_of("chunk_growth"), "from chunk to chunk")
    largest_chunk_tokens: int = _number(default_of("largest_chunk_tokens"), "end of the growth")
    history_tokens: int = _number(default_of("history_tokens"), "seen before a chunk")
    context_frames: int = _number(11, "seen by the vocoder to each side of a frame")
    blend_frames: int = _number(4, "over which old and new latents are cross-faded")
    position_rounding: float = _number(1e-6, "of a frame, added to the first place that is read")


@dataclass(frozen=True)
class MelNumbers:
    """Mel frames of a `cfm` voice; `acoustic.sizes` has what its family adds."""

    bands: int = _number(MELS, "of a mel spectrogram")
    quietest: float = _number(-12.0, "log-mel that is -1 to the models")
    loudest: float = _number(2.0, "log-mel that is 1 to the models")
    offered_steps: tuple[int, ...] = _number(OFFERED_STEPS, "of the sampler")
    padded_lengths: int = _number(8, "lengths of a run of the sampler, at most")


@dataclass(frozen=True)
class LoopNumbers:
    """All of them, by what needs them."""

    decode: DecodeNumbers = field(default_factory=DecodeNumbers)
    draws: DrawNumbers = field(default_factory=DrawNumbers)
    grid: GridNumbers = field(default_factory=GridNumbers)
    stream: StreamNumbers = field(default_factory=StreamNumbers)
    mel: MelNumbers = field(default_factory=MelNumbers)
