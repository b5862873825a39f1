"""A calibration run: a voice encodes its own example and speaks, to judge other back ends' graphs.

What each graph gets, and what `cpu` makes of it, is kept; a candidate's answer is followed to where
it is audible, prompt tokens or sound, and its distance from what `cpu` gives there is taken.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import Style
from runtime.audio import Audio
from runtime.backends import Arrays, GraphRunner
from runtime.contract import GRAPHS
from runtime.measure.workload import HIGHEST_PHONE, LOWEST_PHONE, PHONES, prior_inputs
from runtime.reference import features

TOKENS, CHARACTERS = 100, 42  # four seconds of speech; a line of Chinese
SHORTEST = 40  # percent of a graph's whole inputs, where lengths vary
TINY = 1e-60  # in place of the power of silence

Array = NDArray[Any]


@dataclass(frozen=True)
class Bar:
    """How answers are compared where they are audible.

    Attributes:
        metric: name of the distance, with its unit.
        measure: found, wanted → distance; lower is nearer.
        worst: the largest distance that is let through.
    """

    metric: str
    measure: Callable[[Array, Array], float]
    worst: float


def unequal(found: Array, wanted: Array) -> float:
    """Share of tokens that are not the same."""
    return float(np.mean(found != wanted)) if found.shape == wanted.shape else 1.0


def log_mel(found: Array, wanted: Array) -> float:
    """Mean absolute difference of log-mel spectra in dB."""
    here, there = (features.log_mel_db(sound.reshape(-1)) for sound in (found, wanted))
    return float(np.mean(np.abs(here - there)))


def relative_rms(found: Array, wanted: Array) -> float:
    """Rms of the difference over rms of what was wanted."""
    difference = np.asarray(found, np.float64) - wanted
    power = float(np.mean(np.square(wanted, dtype=np.float64)))
    return float(np.sqrt(np.mean(difference**2) / max(power, TINY)))


SAME_TOKENS = Bar("unequal_tokens", unequal, 0.0)
SAME_SOUND = Bar("log_mel_distance_db", log_mel, 0.5)
SAME_FEATURES = Bar("relative_rms", relative_rms, 0.01)

BARS: dict[str, Bar] = {
    "hubert": SAME_TOKENS,
    "roberta": SAME_FEATURES,
    "speaker": SAME_SOUND,
    "quantizer": SAME_TOKENS,
    "style": SAME_SOUND,
    "prior": SAME_SOUND,
    "vocoder": SAME_SOUND,
}


def _sized(array: Array, moving: tuple[bool, ...]) -> list[tuple[int, bool]]:
    return list(zip(array.shape, moving, strict=True))


def _part(size: int, moves: bool, share: int) -> slice:
    return slice(size * share // 100 if moves else None)


class Calibration:
    """One voice on `cpu`.

    Attributes:
        inputs: graph → what it gets, for every graph of BARS that the voice has.
    """

    def __init__(
        self, runners: Mapping[str, GraphRunner], example: Audio, vocabulary: Path | None
    ) -> None:
        self._runners = runners
        self.inputs: dict[str, Arrays] = {}
        self._wanted: dict[str, Array] = {}
        tokens = self._encode(example)
        if vocabulary is not None:
            self.inputs["roberta"] = {"input_ids": _characters(vocabulary)}
        phones = np.random.default_rng(0).integers(LOWEST_PHONE, HIGHEST_PHONE, PHONES)
        width = runners["prior"].input_dim("noise", 1)
        self.inputs["prior"] = prior_inputs(np.resize(tokens, TOKENS), phones, self._style, width)
        self._speak(self._style)

    def _run(self, graph: str, inputs: Arrays) -> Array:
        """The one output of a graph on `cpu`."""
        (output,) = self._runners[graph].run(inputs)
        return output

    def _encode(self, example: Audio) -> Array:
        """Prompt tokens of the example; its style is kept."""
        self.inputs["hubert"] = {"audio": features.ssl_audio(example)}
        samples = features.normalised_32k(example)
        bins = self._runners["style"].input_dim("spectrogram", 1)
        given: dict[str, Array] = {"spectrogram": features.spectrogram(samples, bins)}
        if "speaker" in self._runners:
            bank = features.filter_bank(features.speaker_audio(samples))
            self.inputs["speaker"] = {"filter_bank": bank[None]}
            given["speaker_embedding"] = self._run("speaker", self.inputs["speaker"])
        self.inputs["style"] = given
        self._style: Style = self._run("style", given)
        self.inputs["quantizer"] = {"features": self._run("hubert", self.inputs["hubert"])}
        return self._run("quantizer", self.inputs["quantizer"])

    def _speak(self, style: Style) -> Array:
        """Samples under a style; what the vocoder got is kept."""
        latent = self._run("prior", {**self.inputs["prior"], "style": style})
        return self._vocode(latent, style)

    def _vocode(self, latent: Array, style: Style) -> Array:
        inputs = {"latent": latent, "style": style}
        self.inputs.setdefault("vocoder", inputs)
        return self._run("vocoder", inputs)

    def varied(self, graph: str) -> Iterator[Arrays]:
        """Ever other lengths of what a graph gets, up to all of it, as texts have; no end."""
        dims = {tensor.name: tensor.moving for tensor in GRAPHS[graph].inputs}
        generator = np.random.default_rng(0)
        while True:
            for share in generator.permutation(np.arange(SHORTEST, 101)).tolist():
                yield {
                    name: array[tuple(_part(*pair, share) for pair in _sized(array, dims[name]))]
                    for name, array in self.inputs[graph].items()
                }

    def audible(self, graph: str, answer: Array) -> Array:
        """What becomes of a graph's answer where it is audible, everything behind it on `cpu`."""
        if graph == "hubert":
            return self._run("quantizer", {"features": answer})
        if graph == "speaker":
            inputs = {**self.inputs["style"], "speaker_embedding": answer}
            return self._speak(self._run("style", inputs))
        if graph == "style":
            return self._speak(answer)
        if graph == "prior":
            return self._vocode(answer, self._style)
        return answer

    def distance(self, graph: str, answer: Array) -> float:
        """How far an answer is from that of `cpu`, in the metric of the graph's bar."""
        if graph not in self._wanted:
            self._wanted[graph] = self.audible(graph, self._run(graph, self.inputs[graph]))
        return BARS[graph].measure(self.audible(graph, answer), self._wanted[graph])


def _characters(vocabulary: Path) -> Array:
    """Ids of a line of characters, int64 [1, U+2]."""
    ids = sorted(json.loads(vocabulary.read_text("utf-8")).values())
    return np.resize(np.array(ids, np.int64), CHARACTERS + 2)[None]
