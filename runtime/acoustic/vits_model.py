"""The families v1, v2, v2Pro and v2ProPlus: a prior and a vocoder, behind what all kinds offer."""

from collections.abc import Iterable, Iterator

import numpy as np

from runtime.acoustic.kind import (
    Arrays,
    Conditioning,
    Graphs,
    SizedWork,
    SpokenChunk,
    Streaming,
    share,
)
from runtime.acoustic.vits import Vits
from runtime.acoustic.vits_stream import BLEND_FRAMES, spoken_chunks
from runtime.acoustic.vocoder import CONTEXT_FRAMES
from runtime.arrays import Float32, Int64, PhoneIds, Samples, Tokens


class VitsModel:
    """Prior and vocoder of one voice as an `AcousticModel`.

    Attributes:
        frames_name: its frames are latent frames, 50 a second at speed 1.
        context_frames: 11.
        wants: the style of the reference.
        streams_tokens: True.
    """

    frames_name = "latent"
    context_frames = CONTEXT_FRAMES
    wants = ("style",)
    streams_tokens = True

    def __init__(self, graphs: Vits) -> None:
        self._graphs = graphs

    def primed(self, sound: Arrays, _tokens: Tokens, _phones: PhoneIds) -> Arrays:
        """The style alone: it speaks without the reference's words."""
        return sound

    def made_up(self) -> Arrays:
        """A style that is drawn, always the same."""
        shape = (1, self._graphs.style_width, 1)
        return {"style": np.random.default_rng(0).standard_normal(shape).astype(np.float32)}

    def whole(self, tokens: Tokens, conditioning: Conditioning) -> SpokenChunk:
        """A whole utterance, int64 [T], in one call of each graph."""
        latent = self._graphs.latent(tokens, conditioning)
        return SpokenChunk(self.sound(latent, conditioning), latent, tokens, last=True)

    def stream(
        self, tokens: Iterable[int], conditioning: Conditioning, streaming: Streaming
    ) -> Iterator[SpokenChunk]:
        """Chunks whose latent frames go over into each other; see `spoken_chunks`."""
        return spoken_chunks(tokens, self._graphs, conditioning, streaming)

    def sound(self, frames: Float32, conditioning: Conditioning) -> Samples:
        """Samples float32 [640 N] of latent frames [1, I, N]."""
        return self._graphs.samples(frames, conditioning)

    def seams(self, ends: Int64) -> Int64:
        """The middle of each blend, which begins where the vocoder's context ends."""
        return ends + CONTEXT_FRAMES + BLEND_FRAMES // 2

    def parts(self, tokens: Tokens, conditioning: Conditioning) -> dict[str, SizedWork]:
        """A call of each graph."""
        latent, graphs = self._graphs.latent(tokens, conditioning), self._graphs
        return {
            "prior": lambda n: graphs.latent(tokens[:n], conditioning),
            "vocoder": lambda n: graphs.samples(share(latent, n, tokens), conditioning),
        }


def open_model(graphs: Graphs) -> VitsModel:
    """Load both graphs."""
    prior, vocoder = graphs.open("prior"), graphs.open("vocoder")
    return VitsModel(Vits(prior, vocoder, graphs.windows_of("vocoder")))
