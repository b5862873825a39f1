"""The families v3 and v4 behind what all kinds of acoustic models offer."""

from collections.abc import Iterable, Iterator

import numpy as np

from runtime.acoustic.cfm import Cfm, CfmGraphs, Prompt
from runtime.acoustic.kind import (
    Arrays,
    Conditioning,
    Graphs,
    SizedWork,
    SpokenChunk,
    Streaming,
    share,
)
from runtime.acoustic.mel import MelFrames
from runtime.acoustic.vocoder import MelVocoder
from runtime.arrays import Float32, Int64, PhoneIds, Samples, Tokens
from runtime.contract import MELS
from runtime.errors import SettingError

MADE_UP_FRAMES = 375  # a prompt of 4 s, or nearly


class CfmModel:
    """Features, sampler and vocoder of one voice as an `AcousticModel`.

    Attributes:
        frames_name: its frames are those of a normalised mel spectrogram.
        context_frames: what its vocoder sees to each side of a frame.
        wants: the style and the mel of the reference.
        streams_tokens: False: what a token means depends on all tokens of its sentence.
    """

    frames_name = "mel"
    wants = ("style", "prompt_mel")
    streams_tokens = False

    def __init__(self, cfm: Cfm, style_width: int, features: int, vocoder: str) -> None:
        self._cfm, self._vocoder = cfm, vocoder
        self._style_width, self._features = style_width, features
        self.context_frames = cfm.frames.context_frames

    def primed(self, sound: Arrays, tokens: Tokens, phones: PhoneIds) -> Arrays:
        """Style, mel and features of the reference, cut to what both have and a chunk can take.

        Raises:
            SettingError: without the reference's words.
        """
        if not tokens.size:
            raise SettingError(
                "reference text: missing; v3 and v4 continue the reference and need what is said"
                " in it"
            )
        style = sound["style"]
        features = self._cfm.features(tokens, phones, style, 1.0)
        return {"style": style, **cut(sound["prompt_mel"], features, self._cfm.frames)}

    def made_up(self) -> Arrays:
        """A style and a prompt that are drawn, always the same."""
        draw = np.random.default_rng(0).standard_normal
        shapes = {
            "style": (1, self._style_width, 1),
            "prompt_mel": (1, MELS, MADE_UP_FRAMES),
            "prompt_features": (1, self._features, MADE_UP_FRAMES),
        }
        return {name: draw(shape).astype(np.float32) for name, shape in shapes.items()}

    def whole(self, tokens: Tokens, conditioning: Conditioning) -> SpokenChunk:
        """A whole utterance, int64 [T]: the chunks of its stream, joined."""
        chunks = list(self._spoken(tokens, conditioning))
        return SpokenChunk(
            np.concatenate([chunk.samples for chunk in chunks]),
            np.concatenate([chunk.frames for chunk in chunks], -1),
            tokens,
            last=True,
        )

    def stream(
        self,
        tokens: Iterable[int],
        conditioning: Conditioning,
        streaming: Streaming,
    ) -> Iterator[SpokenChunk]:
        """A chunk as soon as it is sampled; the first one waits for all tokens.

        What a token means to the features depends on all tokens of its sentence, and a chunk is as
        long as the model was trained for; so there are no sizes to set.
        """
        made = np.fromiter(tokens, np.int64)
        if made.size:
            yield from self._spoken(made, conditioning)

    def sound(self, frames: Float32, _conditioning: Conditioning) -> Samples:
        """Samples float32 [S] of mel frames [1, 100, N]."""
        return self._cfm.samples(frames)

    def seams(self, ends: Int64) -> Int64:
        """Chunks of sound end where the vocoder's context begins."""
        return ends

    def parts(self, tokens: Tokens, conditioning: Conditioning) -> dict[str, SizedWork]:
        """Features of all tokens, one run of the sampler after another, and the vocoder."""
        features = self._of_tokens(tokens, conditioning)
        mel = np.concatenate(list(self._mels(features, conditioning)), -1)
        return {
            "features": lambda n: self._of_tokens(tokens[:n], conditioning),
            "cfm_step": lambda n: list(self._mels(share(features, n, tokens), conditioning)),
            self._vocoder: lambda n: self._cfm.samples(share(mel, n, tokens)),
        }

    def _spoken(self, tokens: Tokens, conditioning: Conditioning) -> Iterator[SpokenChunk]:
        """Sound up to where the vocoder sees all that it needs, after each run of the sampler."""
        features = self._of_tokens(tokens, conditioning)
        total, seen, emitted, spoken = features.shape[-1], 0, 0, 0
        context = self.context_frames
        mel = np.zeros((1, MELS, 0), np.float32)  # from `first` on
        first = 0
        for piece in self._mels(features, conditioning):
            mel = np.concatenate([mel, piece], -1)
            seen += piece.shape[-1]
            last = seen == total
            end = total if last else seen - context
            conditioning.refuse_unwanted()
            sound = self._cfm.samples(mel, range(emitted - first, end - first))
            frames = mel[..., emitted - first : end - first].copy()
            count = tokens.size if last else end * tokens.size // total
            yield SpokenChunk(sound, frames, tokens[spoken:count], last)
            emitted, spoken = end, count
            keep = max(0, end - context)
            mel, first = mel[..., keep - first :], keep

    def _of_tokens(self, tokens: Tokens, conditioning: Conditioning) -> Float32:
        style = conditioning.reference["style"]
        speed = conditioning.settings.speed
        return self._cfm.features(tokens, conditioning.phones, style, speed)

    def _mels(self, features: Float32, conditioning: Conditioning) -> Iterator[Float32]:
        reference = conditioning.reference
        prompt = Prompt(reference["prompt_mel"], reference["prompt_features"])
        return self._cfm.chunks(features, prompt, conditioning)


def cut(mel: Float32, features: Float32, frames: MelFrames) -> dict[str, Float32]:
    """Mel and features of a reference as a chunk takes them: as many frames, at most the last P."""
    both = min(mel.shape[-1], features.shape[-1])
    kept = {"prompt_mel": mel[..., :both], "prompt_features": features[..., :both]}
    most = frames.prompt_frames
    return {name: np.ascontiguousarray(array[..., -most:]) for name, array in kept.items()}


def open_model(graphs: Graphs) -> CfmModel:
    """Load all four graphs."""
    acoustic, frames = graphs.acoustic, MelFrames.of(graphs.acoustic)
    vocoder = graphs.open(acoustic.vocoder)  # first: its windows are those of what has opened it
    opened = CfmGraphs(
        graphs.open("features"),
        graphs.open("cfm_condition"),
        graphs.open("cfm_step"),
        MelVocoder(vocoder, graphs.windows_of(acoustic.vocoder), frames),
    )
    return CfmModel(
        Cfm(opened, frames),
        opened.features.input_dim("style", 1),
        opened.condition.input_dim("features", 1),
        acoustic.vocoder,
    )
