"""What every kind of acoustic model offers in PyTorch, to be recorded, compared and timed.

The counterpart of `runtime.acoustic.kind.AcousticModel`: the same arrays in and out.
"""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor, nn

from runtime.acoustic.kind import Arrays, Conditioning, SizedWork
from runtime.arrays import Float32, PhoneIds, Samples, Tokens
from runtime.audio import Audio
from workflow_scripts.checkpoint.acoustic_sources import AcousticSources
from workflow_scripts.checkpoint.families import FAMILIES, Family
from workflow_scripts.checkpoint.whole import read_whole

Speaker = nn.Module | None  # filter bank to speaker embedding, in families that take one


class SpokenInTorch(Protocol):
    """One acoustic model in PyTorch, float32."""

    @property
    def symbols(self) -> int:
        """Phones that it knows."""

    def quantize(self, features: Tensor) -> Tensor:
        """Prompt tokens, int64 [1, P], of ssl features, float32 [1, W, F]."""

    def primed(self, audio: Audio, speaker: Speaker, tokens: Tokens, phones: PhoneIds) -> Arrays:
        """What the runtime's model keeps of a reference: its sound, prompt tokens and phones."""

    def made_up(self) -> Arrays:
        """What `primed` could have given: always the same, to measure with."""

    def frames(self, tokens: Tokens, conditioning: Conditioning) -> Float32:
        """Frames [1, I, N] of a whole utterance, int64 [T]."""

    def sound(self, frames: Float32, conditioning: Conditioning) -> Samples:
        """Samples, float32 [S]."""

    def beginning(self, tokens: Tokens, conditioning: Conditioning, count: int) -> Samples:
        """Samples of the first `count` tokens, where these are known."""

    def parts(self, tokens: Tokens, conditioning: Conditioning) -> dict[str, SizedWork]:
        """The work of a whole utterance of the first n tokens, graph by graph, to be timed."""

    def on(self, device: str) -> dict[str, Callable[..., Tensor]]:
        """Its graphs that make sound, on a device: name → inputs of the contract → output."""


def load_acoustic(sources: AcousticSources) -> tuple[Family, SpokenInTorch]:
    """Read an acoustic model, and say of which family it is.

    Raises:
        CheckpointError: a file can't be used, or they don't belong together.
    """
    stored = read_whole(sources.sovits, sources.base)
    row = FAMILIES[f"{stored.family}"]
    built = row.function("load")(stored.weights, stored.config, str(stored.path))
    return row, row.function("spoken")(built, row, sources.vocoder)
