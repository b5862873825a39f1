"""Several users at once, and a long text: what is gained by decoding sentences together."""

import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np

from runtime.graphs import VoiceGraphs
from runtime.measure.candidates import BenchmarkOptions, Candidates
from runtime.measure.reports import Audiobook, Crowd
from runtime.measure.timing import Spread, interleaved
from runtime.measure.workload import STREAMING, TOKENS_PER_SECOND, Replay, conditioning, replayed
from runtime.t2s.request import Finish, Limits
from runtime.voice import Voice

Got = TypeVar("Got")


@dataclass(frozen=True)
class Served:
    """What one user waited for in a run: the first sound, and the last; seconds."""

    first_s: float
    end_s: float


class Users:
    """Users of one voice, each of whom asks for the same sentence at the same moment.

    Attributes:
        served: of all users of each run of `speak`.
    """

    def __init__(self, graphs: VoiceGraphs, replay: Replay) -> None:
        """Open the graphs for `graphs.users` users."""
        self._source, self._acoustic = graphs.token_source(), graphs.acoustic_model()
        self._replay, self._users = replay, graphs.users
        self._conditioning = conditioning(replay, self._acoustic.made_up())
        self.served: list[list[Served]] = []

    def decode(self) -> None:
        """The tokens of all."""
        self._each(lambda: sum(1 for _ in self._tokens()))

    def speak(self) -> None:
        """The same, streamed."""
        self.served.append(self._each(partial(self._stream, time.perf_counter())))

    def _each(self, work: Callable[[], Got]) -> list[Got]:
        with ThreadPoolExecutor(self._users) as threads:
            asked = [threads.submit(work) for _ in range(self._users)]
            return [one.result() for one in asked]

    def _tokens(self) -> Generator[int, None, None]:
        limits = Limits(self._replay.usual - 1, max_len=self._replay.rows + 1)
        return self._source.tokens(self._replay.prompt, replayed(self._replay), limits, Finish())

    def _stream(self, begin: float) -> Served:
        with closing(self._tokens()) as tokens:
            chunks = self._acoustic.stream(tokens, self._conditioning, STREAMING)
            next(chunks)
            first_s = time.perf_counter() - begin
            for _ in chunks:
                pass
        return Served(first_s, time.perf_counter() - begin)


def crowds(candidates: Candidates, options: BenchmarkOptions) -> dict[str, dict[int, Crowd]]:
    """Each number of users, interleaved, by candidate; the times are over those of the first."""
    found = {}
    for name, one in candidates.items():
        if one.graphs is not None and options.users:
            users = {
                count: Users(one.graphs(count), Replay.of(options.tokens))
                for count in options.users
            }
            found[name] = _crowds(users, options)
    return found


def _crowds(users: Mapping[int, Users], options: BenchmarkOptions) -> dict[int, Crowd]:
    decoding = interleaved({n: one.decode for n, one in users.items()}, options.rounds, warmup=1)
    speaking = interleaved({n: one.speak for n, one in users.items()}, options.rounds, warmup=1)
    alone = min(users)
    found = {}
    for n, one in users.items():
        served = one.served[1:]  # the first run is not counted
        firsts = 1e3 * np.array([user.first_s for run in served for user in run])
        ends = [[user.end_s for user in run] for run in served]
        found[n] = Crowd(
            tokens_per_s=Spread.of(n * options.tokens / decoding.seconds[n]),
            times_tokens=decoding.ratio(n, to=alone).times(n / alone),
            speech_per_s=Spread.of(n * options.tokens / TOKENS_PER_SECOND / speaking.seconds[n]),
            times_speech=speaking.ratio(n, to=alone).times(n / alone),
            first_sound_p50_ms=float(np.percentile(firsts, 50)),
            first_sound_p95_ms=float(np.percentile(firsts, 95)),
            slowest_over_fastest=float(np.median([max(run) / min(run) for run in ends])),
        )
    return found


def audiobooks(
    candidates: Candidates, options: BenchmarkOptions
) -> dict[str, dict[int, Audiobook]]:
    """The text as one request of a voice for one user and for the most users, by candidate.

    The voice for several decodes the next sentences of a request ahead.
    """
    return {
        name: _audiobook(one.voice, options)
        for name, one in candidates.items()
        if one.voice is not None and options.text
    }


def _audiobook(opened: Callable[[int], Voice], options: BenchmarkOptions) -> dict[int, Audiobook]:
    users = dict.fromkeys((1, max((2, *options.users))))
    made: dict[int, int] = {}

    def speak(voice: Voice, n: int) -> None:
        made[n] = voice.synthesize(options.text, seed=0).samples.size

    voices = {n: opened(n) for n in users}
    works = {n: partial(speak, voice, n) for n, voice in voices.items()}
    timed = interleaved(works, min(options.rounds, 3), warmup=1)
    return {
        n: Audiobook(
            seconds=made[n] / voice.rate,
            rtf=timed.spread(n).times(voice.rate / made[n]),
            times_faster=timed.ratio(n, to=1),
        )
        for n, voice in voices.items()
    }
