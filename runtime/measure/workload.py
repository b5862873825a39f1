"""Fixed work to time: a prompt and tokens that are replayed, whatever a model would choose.

Every candidate does the same: so many rows to prefill, so many steps, so many frames. Nothing
depends on when an utterance would end.
"""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle

import numpy as np

from runtime import noise
from runtime.acoustic.kind import Arrays, Conditioning, SizedWork, Streaming
from runtime.arrays import Flags, Int64, Logits, Samples
from runtime.errors import SettingError
from runtime.graphs import VoiceGraphs
from runtime.manifest import Defaults
from runtime.measure.timing import Work
from runtime.t2s.decode import Decoder, DecodeState
from runtime.t2s.request import Chooser, Finish, Limits, Prompt, sampled
from runtime.t2s.sampler import Sampling

ROWS = (200, 500, 900)  # cached positions at which single steps are timed
STEPS_PER_RUN = 8
PHONES, PROMPT_TOKENS = 60, 150
LOWEST_PHONE, HIGHEST_PHONE = 1, 300  # in every table of symbols
CODES = 1024  # semantic tokens of every voice, the end token left out
FEATURE_WIDTH = 1024
STREAMING = Streaming()
FIRST_TOKENS = STREAMING.first_chunk_tokens + Defaults.lookahead_tokens  # waited for by a stream
CHUNK_TOKENS = STREAMING.largest_chunk_tokens  # of each chunk of a stream whose chunks are timed
LARGEST = Streaming(CHUNK_TOKENS, 1.0, CHUNK_TOKENS)

TOKENS_PER_SECOND = 25
TOTAL, FIRST_SOUND = "total", "first_sound"


@dataclass(frozen=True, eq=False)
class Replay:
    """What every candidate speaks.

    Attributes:
        prompt: phones, text features and prompt tokens of the prefill.
        tokens: int64 [T], the tokens that follow in the longest sentence.
        usual: tokens of the usual sentence.
    """

    prompt: Prompt
    tokens: Int64
    usual: int

    @classmethod
    def of(cls, usual: int, longest: int = 0) -> "Replay":
        """A replay of so many new tokens, always the same."""
        generator = np.random.default_rng(0)
        prompt = Prompt(
            phones=generator.integers(LOWEST_PHONE, HIGHEST_PHONE, PHONES),
            features=np.zeros((FEATURE_WIDTH, PHONES), np.float32),
            tokens=generator.integers(0, CODES, PROMPT_TOKENS),
        )
        return cls(prompt, generator.integers(0, CODES, max(usual, longest)), usual)

    @property
    def rows(self) -> int:
        """Cache rows that its longest sentence fills."""
        return self.prompt.rows + self.tokens.size


@dataclass(frozen=True)
class Works:
    """One candidate's ways to do the work.

    Attributes:
        steps: cached positions → STEPS_PER_RUN steps at that many.
        parts: `prefill`, `steps`, `sampler`, FIRST_SOUND → that work once, for the usual sentence.
        sound: graphs that make sound, TOTAL → that work for so many tokens; all but TOTAL, with
            the parts but FIRST_SOUND, add up to it.
        bare_steps: cached positions → as many runs of the step's graph alone, where they can be
            separated.
        chunks: a number of chunks → seconds of each in a stream whose tokens are there, and of a
            vocoder call on as many frames, always the same, beside it.
        vocoder: name of the part that is its vocoder's.
        vocoder_on_cpu: the vocoder's part on ONNX Runtime, where it runs elsewhere.
    """

    steps: Mapping[int, Work]
    parts: Mapping[str, Work]
    sound: Mapping[str, SizedWork]
    bare_steps: Mapping[int, Work] = field(default_factory=dict)
    chunks: Callable[[int], list[tuple[float, float]]] | None = None
    vocoder: str = "vocoder"
    vocoder_on_cpu: SizedWork | None = None

    @property
    def summands(self) -> tuple[str, ...]:
        """The parts that add up to the total."""
        every = (*self.parts, *self.sound)
        return tuple(part for part in every if part not in (TOTAL, FIRST_SOUND))


def conditioning(replay: Replay, reference: Arrays) -> Conditioning:
    """What every candidate's sound is made under, with noise that is always the same."""
    return Conditioning(replay.prompt.phones, reference, partial(noise.normals, 0, 0))


def replayed(replay: Replay) -> Chooser:
    """Samples each token, then takes the replayed one."""
    sample = sampled(Sampling(), partial(noise.exponentials, 0, 0))

    def choose(logits: Logits, used: Flags, step: int) -> int:
        sample(logits, used, step)
        return int(replay.tokens[step])

    return choose


class Speaker:
    """The graphs of a voice, loaded to replay."""

    def __init__(self, graphs: VoiceGraphs, replay: Replay) -> None:
        self._graphs, self._replay = graphs, replay
        decoder = graphs.decoder()
        if not isinstance(decoder, Decoder):
            raise SettingError(
                "provider: a decoder on a device is timed by python -m workflow_scripts.proof.gpu;"
                " here use t2s_decoder=cpu"
            )
        self.decoder = decoder
        self._acoustic = graphs.acoustic_model()
        self._conditioning = conditioning(replay, self._acoustic.made_up())
        self._frames = self._acoustic.whole(replay.tokens, self._conditioning).frames
        self._choose = replayed(replay)

    def decode(self, count: int) -> Generator[int, None, None]:
        """The first `count` tokens; each is sampled, then the replayed one is taken."""
        limits = Limits(early_stop_tokens=count - 1, max_len=self._replay.rows + 1)
        return self.decoder.tokens(self._replay.prompt, self._choose, limits, Finish())

    def first_sound(self) -> Samples:
        """From the prompt to the first chunk of a stream."""
        with closing(self.decode(self._replay.usual)) as tokens:
            return next(self._acoustic.stream(tokens, self._conditioning, STREAMING)).samples

    def chunk_seconds(self, count: int) -> list[tuple[float, float]]:
        """Seconds of each of so many chunks of one size, and of the same fixed work after each."""
        tokens = cycle(self._replay.tokens.tolist())
        stream = self._acoustic.stream(tokens, self._conditioning, LARGEST)
        new = round(self._graphs.acoustic.frames_per_token * CHUNK_TOKENS)
        seen = new + 2 * self._acoustic.context_frames  # by the vocoder, for each chunk
        repeats = -(-seen // self._frames.shape[-1])
        frames = np.tile(self._frames, repeats)[..., :seen].copy()
        fixed = partial(self._acoustic.sound, frames, self._conditioning)
        return [(_seconds(partial(next, stream)), _seconds(fixed)) for _ in range(count)]

    def _vocoder_on_cpu(self) -> SizedWork | None:
        """The vocoder's part on ONNX Runtime; None where that is what it runs on."""
        backends, vocoder = self._graphs.backends, self._graphs.acoustic.vocoder
        if backends.get(vocoder, self._graphs.default) == "cpu":
            return None
        there = replace(self._graphs, backends={**backends, vocoder: "cpu"}, below={}, opened={})
        return there.acoustic_model().parts(self._replay.tokens, self._conditioning)[vocoder]

    def total(self, count: int) -> Samples:
        """From the prompt to all samples of so many tokens."""
        tokens = np.fromiter(self.decode(count), np.int64)
        return self._acoustic.whole(tokens, self._conditioning).samples

    def works(self) -> Works:
        """Its ways to do the work."""
        replay, decoder = self._replay, self.decoder
        state = decoder.state_at(replay.rows)
        states = {rows: decoder.state_at(rows) for rows in ROWS}
        for rows in ROWS:
            _steps_at(states[rows], rows)  # binds what bare runs read
        return Works(
            steps={rows: partial(_steps_at, states[rows], rows) for rows in ROWS},
            bare_steps={rows: partial(_bare_steps, states[rows]) for rows in ROWS},
            chunks=self.chunk_seconds if self._acoustic.streams_tokens else None,
            vocoder=self._graphs.acoustic.vocoder,
            vocoder_on_cpu=self._vocoder_on_cpu(),
            parts={
                "prefill": partial(_prefill, decoder, replay),
                "steps": partial(_steps, state, replay),
                "sampler": sampler_work(decoder.vocabulary, replay),
                FIRST_SOUND: self.first_sound,
            },
            sound={**self._acoustic.parts(replay.tokens, self._conditioning), TOTAL: self.total},
        )


def sampler_work(vocabulary: int, replay: Replay) -> Work:
    """One draw a token with the usual settings, noise included."""
    logits = np.random.default_rng(0).standard_normal(vocabulary).astype(np.float32)
    used = np.zeros(vocabulary, np.bool_)
    used[replay.prompt.tokens] = True
    choose = sampled(Sampling(), partial(noise.exponentials, 0, 0))

    def work() -> None:
        for step in range(replay.usual):
            choose(logits, used, step)

    return work


def _seconds(work: Work) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _prefill(decoder: Decoder, replay: Replay) -> None:
    limits = Limits(early_stop_tokens=0, max_len=replay.rows + 1)
    for _ in decoder.tokens(replay.prompt, lambda *_: 0, limits, Finish()):
        pass


def _steps(state: DecodeState, replay: Replay) -> None:
    """All steps of the usual sentence: its last token needs none."""
    state.cache.live_rows = replay.prompt.rows
    for position, token in enumerate(replay.tokens[: replay.usual - 1], replay.prompt.tokens.size):
        state.step(int(token), position)


def _steps_at(state: DecodeState, rows: int) -> None:
    for _ in range(STEPS_PER_RUN):
        state.cache.live_rows = rows - 1
        state.step(0, rows - 1)


def _bare_steps(state: DecodeState) -> None:
    """The graph of `_steps_at` alone, over the buffers that its last step has bound."""
    for _ in range(STEPS_PER_RUN):
        state.binding.run()
