"""Reference audio in, prompt tokens and style out: what makes a voice sound like its example."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from runtime.acoustic.mel import MelFrames
from runtime.arrays import Float32, Style, Tokens
from runtime.audio import Audio
from runtime.backends import Arrays, GraphRunner
from runtime.errors import AudioError
from runtime.manifest import Acoustic
from runtime.reference import features
from runtime.reference.prompt_mel import prompt_mel

Opener = Callable[[], GraphRunner]


@dataclass(frozen=True)
class ReferenceGraphs:
    """What encodes a reference; each is loaded when it is first needed.

    Attributes:
        hubert, quantizer, style: open these graphs.
        speaker: opens the speaker graph; None in families without one.
        acoustic: what the manifest states of the acoustic model.
    """

    hubert: Opener
    quantizer: Opener
    style: Opener
    speaker: Opener | None
    acoustic: Acoustic


class ReferenceEncoder:
    """Turns sound into what the models condition on."""

    def __init__(self, graphs: ReferenceGraphs) -> None:
        self._graphs = graphs
        self.acoustic = graphs.acoustic

    @cached_property
    def _hubert(self) -> GraphRunner:
        return self._graphs.hubert()

    @cached_property
    def _quantizer(self) -> GraphRunner:
        return self._graphs.quantizer()

    @cached_property
    def _style(self) -> GraphRunner:
        return self._graphs.style()

    @cached_property
    def _speaker(self) -> GraphRunner | None:
        return self._graphs.speaker() if self._graphs.speaker else None

    def prompt_tokens(self, audio: Audio) -> Tokens:
        """Semantic tokens of a reference, int64 [P].

        Raises:
            AudioError: shorter than 3 s or longer than 10 s.
        """
        (ssl,) = self._hubert.run({"audio": features.ssl_audio(audio)})
        (tokens,) = self._quantizer.run({"features": ssl})
        prompt: Tokens = tokens[0]
        return prompt

    def encoded(self, audios: Sequence[Audio], wanted: Sequence[str]) -> dict[str, Float32]:
        """What an acoustic model wants of one or more references.

        Args:
            audios: the reference, and further ones.
            wanted: names in ENCODINGS.
        """
        return {name: ENCODINGS[name](self, audios) for name in wanted}

    def style(self, audios: Sequence[Audio]) -> Style:
        """The mean style of one or more references, float32 [1, G, 1]."""
        if not audios:
            raise AudioError("reference audio: none given; a style needs at least one")
        return self.mean_style([self._heard(audio) for audio in audios])

    def mean_style(self, references: Sequence[Arrays]) -> Style:
        """The mean style, float32 [1, G, 1], of what the style graph takes of each reference."""
        styles = [self._style.run(inputs)[0] for inputs in references]
        mean: Style = np.mean(styles, axis=0, dtype=np.float32)
        return mean

    def _heard(self, audio: Audio) -> Arrays:
        samples = features.normalised_32k(audio)
        bins = self._style.input_dim("spectrogram", 1)
        inputs = {"spectrogram": features.spectrogram(samples, bins)}
        if self._speaker is not None:
            bank = features.filter_bank(features.speaker_audio(samples))
            (inputs["speaker_embedding"],) = self._speaker.run({"filter_bank": bank[None]})
        return inputs


def prompt_mel_of(encoder: ReferenceEncoder, audios: Sequence[Audio]) -> Float32:
    """The mel, float32 [1, 100, R], of the first reference: the one whose words are known."""
    return prompt_mel(audios[0], MelFrames.of(encoder.acoustic))


# what is taken of a reference's sound for an acoustic model: name → how
ENCODINGS: dict[str, Callable[[ReferenceEncoder, Sequence[Audio]], Float32]] = {
    "style": ReferenceEncoder.style,
    "prompt_mel": prompt_mel_of,
}
