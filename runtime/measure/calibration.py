"""A calibration run: a voice encodes its own example and speaks, to judge other back ends' graphs.

What each graph gets, and what `cpu` makes of it, is kept; a candidate's answer is followed to where
it is audible, prompt tokens or sound, and its distance from what `cpu` gives there is taken.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime import noise
from runtime.acoustic.kind import AcousticSettings, Conditioning
from runtime.audio import Audio
from runtime.backends import Arrays, GraphRunner, Windows
from runtime.contract import GRAPHS, OFFERED_STEPS
from runtime.graphs import VoiceGraphs
from runtime.manifest import Acoustic
from runtime.measure.workload import HIGHEST_PHONE, LOWEST_PHONE, PHONES
from runtime.reference import features

TOKENS, CHARACTERS = 100, 42  # four seconds of speech; a line of Chinese
SHORTEST = 40  # percent of a graph's whole inputs, where lengths vary
TINY = 1e-60  # in place of the power of silence

Array = NDArray[Any]
Run = Callable[[Arrays], Array]
STEP = "cfm_step"  # runs over its own result


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
TO_TOKENS, TO_FEATURES = ("hubert", "quantizer"), ("roberta",)  # where their answers are compared


def bar_of(graph: str) -> Bar:
    """The bar of a graph's answers: of prompt tokens, of text features, of sound for all others."""
    if graph in TO_TOKENS:
        return SAME_TOKENS
    return SAME_FEATURES if graph in TO_FEATURES else SAME_SOUND


@dataclass
class _Followed:
    """A graph on `cpu` whose first call is kept, and whose answer to it can be another one.

    Attributes:
        inputs, outputs: of the first call; None before it.
        other: in place of the first output, where that call comes again.
        work: what answers every call with the first output, in place of the graph.
    """

    runner: GraphRunner
    inputs: Arrays | None = None
    outputs: list[Array] = field(default_factory=list)
    other: Array | None = None
    work: Run | None = None

    def run(self, inputs: Arrays) -> list[Array]:
        """As the graph, or as was asked for."""
        if self.inputs is None:
            self.inputs, self.outputs = dict(inputs), self.runner.run(inputs)
            return self.outputs
        if self.work is not None:
            return [self.work(inputs), *self.outputs[1:]]
        if any(not np.array_equal(self.inputs[name], array) for name, array in inputs.items()):
            return self.runner.run(inputs)
        return self.outputs if self.other is None else [self.other, *self.outputs[1:]]

    def input_dim(self, name: str, axis: int) -> int:
        """As the graph."""
        return self.runner.input_dim(name, axis)


@dataclass(frozen=True)
class _FollowedGraphs(VoiceGraphs):
    """The graphs of a voice, each followed.

    Attributes:
        followed: those that were opened.
    """

    followed: dict[str, _Followed] = field(default_factory=dict)

    def open(self, graph: str) -> _Followed:
        """Once, whoever asks."""
        if graph not in self.followed:
            self.followed[graph] = _Followed(super().open(graph))
        return self.followed[graph]

    def windows_of(self, graph: str) -> Windows:
        """One call for all."""
        return Windows()


def _sized(array: Array, moving: tuple[bool, ...]) -> list[tuple[int, bool]]:
    return list(zip(array.shape, moving, strict=True))


def _part(size: int, dynamic: bool, share: int) -> slice:
    return slice(size * share // 100 if dynamic else None)


class Calibration:
    """One voice on `cpu`, but for its decoder.

    Attributes:
        inputs: graph → what it gets, for every graph that the voice has.
    """

    def __init__(self, graphs: VoiceGraphs, example: Audio, vocabulary: Path | None) -> None:
        given = {f.name: getattr(graphs, f.name) for f in fields(VoiceGraphs)}
        self._graphs = _FollowedGraphs(**given)
        self._example = example
        self._references = self._graphs.references()
        self._model = self._graphs.acoustic_model()
        self._tokens = self._references.prompt_tokens(example)
        self._speak()
        if vocabulary is not None:
            self._graphs.open("roberta").run({"input_ids": _characters(vocabulary)})
        followed = self._graphs.followed
        self.inputs: Mapping[str, Arrays] = {
            name: followed[name].inputs or {} for name in GRAPHS if name in followed
        }
        self._wanted = {
            name: self._audible(name, followed[name].outputs[0]) for name in self.inputs
        }

    def _speak(self) -> Array:
        """Samples of a line in the example's voice."""
        drawn = np.random.default_rng(0).integers(LOWEST_PHONE, HIGHEST_PHONE, PHONES)
        encoded = self._references.encoded([self._example], self._model.wants)
        kept = self._model.primed(encoded, self._tokens, drawn)
        few = AcousticSettings(sample_steps=OFFERED_STEPS[0])
        conditioning = Conditioning(drawn, kept, partial(noise.normals, 0, 0), few)
        return self._model.whole(np.resize(self._tokens, TOKENS), conditioning).samples

    def varied(self, graph: str) -> Iterator[Arrays]:
        """Ever other lengths of what a graph gets, up to all of it, as texts have; no end.

        What is padded to few lengths keeps its own.
        """
        while GRAPHS[graph].few_lengths and graph != self.acoustic.vocoder:
            yield self.inputs[graph]
        dims = {tensor.name: tensor.dynamic for tensor in GRAPHS[graph].inputs}
        generator = np.random.default_rng(0)
        while True:
            for share in generator.permutation(np.arange(SHORTEST, 101)).tolist():
                yield {
                    name: array[tuple(_part(*pair, share) for pair in _sized(array, dims[name]))]
                    for name, array in self.inputs[graph].items()
                }

    def _audible(self, graph: str, answer: Array) -> Array:
        """What becomes of a graph's answer where it is audible, everything behind it on `cpu`."""
        if graph in TO_FEATURES or graph == self._graphs.acoustic.vocoder:
            return answer
        followed = self._graphs.followed[graph]
        followed.other = answer
        try:
            if graph in TO_TOKENS:
                return self._references.prompt_tokens(self._example)
            return self._speak()
        finally:
            followed.other = None

    @property
    def acoustic(self) -> Acoustic:
        """What the manifest says of the acoustic model."""
        return self._graphs.acoustic

    def distance_of(self, graph: str, work: Run) -> float:
        """How far what answers every call of a graph is from `cpu`.

        A graph that runs many times, each over the result of the one before, is asked each time.
        """
        if graph != STEP:
            return self.distance(graph, work(self.inputs[graph]))
        followed = self._graphs.followed[graph]
        followed.work = work
        try:
            return bar_of(graph).measure(self._speak(), self._wanted[graph])
        finally:
            followed.work = None

    def distance(self, graph: str, answer: Array) -> float:
        """How far an answer is from that of `cpu`, in the metric of the graph's bar."""
        return bar_of(graph).measure(self._audible(graph, answer), self._wanted[graph])


def _characters(vocabulary: Path) -> Array:
    """Ids of a line of characters, int64 [1, U+2]."""
    ids = sorted(json.loads(vocabulary.read_text("utf-8")).values())
    return np.resize(np.array(ids, np.int64), CHARACTERS + 2)[None]
