"""Semantic tokens, phones and style in, latent frames and samples out.

Knows nothing of text or of how tokens came about.
"""

import numpy as np

from runtime.acoustic.kind import Manner
from runtime.acoustic.vocoder import Vocoder
from runtime.arrays import Latent, Samples, Style, Tokens
from runtime.backends import GraphRunner, Windows
from runtime.frames import FRAMES_PER_TOKEN, Window, frame_grid, steady_grid


class Acoustic:
    """The prior and the vocoder of one voice; no state of its own."""

    def __init__(
        self, prior: GraphRunner, vocoder: GraphRunner, windows: Windows | None = None
    ) -> None:
        self._prior = prior
        self.vocoder = Vocoder(vocoder, windows)
        self.latent_width = prior.input_dim("noise", 1)
        self.style_width = vocoder.input_dim("style", 1)

    def latent(self, tokens: Tokens, manner: Manner) -> Latent:
        """All latent frames float32 [1, I, N'] of an utterance's new tokens, int64 [T]."""
        frames, delivery = FRAMES_PER_TOKEN * tokens.size, manner.delivery
        window = Window(0, *frame_grid(frames, delivery.speed))
        if delivery.steady:
            window = steady_grid(frames, delivery.speed, 0, window.index.size)
        return self.latent_window(tokens, manner, window)

    def latent_window(self, tokens: Tokens, manner: Manner, window: Window) -> Latent:
        """Some latent frames, float32 [1, I, N].

        Args:
            tokens: int64 [T], those that the encoder sees.
            manner: of the utterance.
            window: the frames that are wanted, encoder frames counted from the first token.
        """
        (latent,) = self._prior.run(
            {
                "tokens": tokens[None],
                "phones": manner.phones[None],
                "style": manner.style,
                "noise": manner.noise(window.first, window.index.size),
                "noise_scale": np.array([manner.delivery.noise_scale], np.float32),
                "frame_index": window.index,
                "frame_fraction": window.fraction,
            }
        )
        return latent

    def samples(self, latent: Latent, style: Style, wanted: range | None = None) -> Samples:
        """Samples float32 [640 N] at 32 kHz of latent frames [1, I, F]; see `Vocoder.samples`."""
        return self.vocoder.samples(latent, style, wanted)
