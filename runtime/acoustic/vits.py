"""Semantic tokens, phones and style in, latent frames and samples out.

Knows nothing of text or of how tokens came about.
"""

import numpy as np

from runtime.acoustic.kind import AcousticSettings, Conditioning
from runtime.acoustic.vocoder import Vocoder
from runtime.arrays import Latent, Samples, Tokens
from runtime.backends import GraphRunner, Windows
from runtime.frames import FRAMES_PER_TOKEN, Window, frame_grid, steady_grid


class Vits:
    """The prior and the vocoder of one voice; no state of its own."""

    def __init__(
        self, prior: GraphRunner, vocoder: GraphRunner, windows: Windows | None = None
    ) -> None:
        self._prior = prior
        self.vocoder = Vocoder(vocoder, windows)
        self.latent_width = prior.input_dim("noise", 1)
        self.style_width = vocoder.input_dim("style", 1)

    def latent(self, tokens: Tokens, conditioning: Conditioning) -> Latent:
        """All latent frames float32 [1, I, N'] of an utterance's new tokens, int64 [T]."""
        return self.latent_window(tokens, conditioning, whole_window(tokens, conditioning.settings))

    def latent_window(self, tokens: Tokens, conditioning: Conditioning, window: Window) -> Latent:
        """Some latent frames, float32 [1, I, N].

        Args:
            tokens: int64 [T], those that the encoder sees.
            conditioning: of the utterance.
            window: the frames that are wanted, encoder frames counted from the first token.
        """
        inputs = {
            "tokens": tokens[None],
            "phones": conditioning.phones[None],
            "style": conditioning.reference["style"],
            "noise": conditioning.noise(window.first, window.index.size, self.latent_width),
            "noise_scale": np.array([conditioning.settings.noise_scale], np.float32),
            "frame_index": window.index,
            "frame_fraction": window.fraction,
        }
        (latent,) = self._prior.run(inputs)
        return latent

    def samples(
        self, latent: Latent, conditioning: Conditioning, wanted: range | None = None
    ) -> Samples:
        """Samples float32 [640 N] at 32 kHz of latent frames [1, I, F]; see `Vocoder.samples`."""
        return self.vocoder.samples(latent, conditioning.reference["style"], wanted)


def whole_window(tokens: Tokens, settings: AcousticSettings) -> Window:
    """The frames of a whole utterance, int64 [T]."""
    frames = FRAMES_PER_TOKEN * tokens.size
    window = Window(0, *frame_grid(frames, settings.speed))
    if settings.steady:
        return steady_grid(frames, settings.speed, 0, window.index.size)
    return window
