"""A voice whose decoder and graphs are counted, and that can be interfered with between tokens."""

from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime import Voice
from runtime.backends import GraphRunner, Repetition
from runtime.backends.choices import choose
from runtime.graphs import VoiceGraphs
from runtime.manifest import load
from runtime.t2s.request import TokenSource


@dataclass
class Watch:
    """What has happened.

    Attributes:
        runs: of each graph that was opened by name.
        tokens: that the decoder has made.
        open: utterances that the decoder has begun and that are not closed.
        on_token: called after each token, in the thread that works.
        on_repetition: called after each run of a graph over its own result.
    """

    runs: Counter[str] = field(default_factory=Counter)
    tokens: int = 0
    open: int = 0
    on_token: Callable[[], object] = lambda: None
    on_repetition: Callable[[], object] = lambda: None


class WatchedRunner:
    def __init__(self, name: str, runner: GraphRunner, watch: Watch) -> None:
        self._name, self._runner, self._watch = name, runner, watch

    def run(self, inputs: dict[str, Any]) -> Any:
        self._watch.runs[self._name] += 1
        return self._runner.run(inputs)

    def repeated(self, *given: Any) -> Any:
        return _WatchedRepetition(self._name, self._runner.repeated(*given), self._watch)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runner, name)


class _WatchedRepetition:
    def __init__(self, name: str, runner: Repetition, watch: Watch) -> None:
        self._name, self._runner, self._watch = name, runner, watch

    def run(self, changed: dict[str, Any]) -> None:
        self._watch.runs[self._name] += 1
        self._runner.run(changed)
        self._watch.on_repetition()

    def value(self, name: str) -> Any:
        return self._runner.value(name)


class WatchedDecoder:
    def __init__(self, decoder: TokenSource, watch: Watch) -> None:
        self._decoder, self._watch = decoder, watch

    def tokens(self, *args: Any, **named: Any) -> Generator[int, None, None]:
        self._watch.open += 1
        made = self._decoder.tokens(*args, **named)
        try:
            for token in made:
                self._watch.tokens += 1
                self._watch.on_token()
                yield token
        finally:
            made.close()
            self._watch.open -= 1


@dataclass(frozen=True)
class WatchedGraphs(VoiceGraphs):
    watch: Watch = field(default_factory=Watch, compare=False)

    def open(self, graph: str) -> Any:
        return WatchedRunner(graph, super().open(graph), self.watch)

    def decoder(self) -> Any:
        return WatchedDecoder(super().decoder(), self.watch)


def watched(bundle: Path) -> tuple[Voice, Watch]:
    """The voice of a bundle, and what is known of its work."""
    manifest = load(bundle)
    graphs = WatchedGraphs.of_bundle(bundle, manifest, choose("cpu", manifest), threads=1)
    assert isinstance(graphs, WatchedGraphs)
    return Voice(bundle, manifest, graphs), graphs.watch
