"""A request in, chunks of sound out, one sentence after the other."""

import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from runtime import noise
from runtime.acoustic.kind import AcousticModel, Conditioning, SpokenChunk
from runtime.backends.memory import releasing
from runtime.errors import Stopped
from runtime.manifest import Manifest
from runtime.preparation import Request, Sentence
from runtime.speech import AudioChunk, Stop
from runtime.t2s.ahead import Row
from runtime.t2s.request import CUT_SHORT, Ending, Limits, Prompt, TokenSource, sampled
from runtime.text import Piece

TOKENS_PER_SECOND_OF_LIMIT = 50  # early stop: 50 tokens per second of the longest training example
CUT = "sentence %d was cut short (%s); cut the text finer"
RAN_ON = "sentence %d ran on past what its text explains and was ended (%s); take another seed"
STOPPED = "speech: stopped by its caller"
LOG = logging.getLogger(__name__)

Speak = Callable[[Iterable[int], Conditioning], Iterator[SpokenChunk]]


@dataclass(frozen=True)
class Turn:
    """A sentence in its place.

    Attributes:
        sentence, number: what, and its place in the request.
        ending: gets why its tokens ended.
    """

    sentence: Sentence
    number: int
    ending: Ending = field(default_factory=Ending)


class Speaker:
    """The decoder and the acoustic model of one voice.

    Attributes:
        limits: when a sentence ends besides by the model.
    """

    def __init__(
        self, manifest: Manifest, decoder: TokenSource, acoustic: AcousticModel, ahead: int = 0
    ) -> None:
        """Take the models.

        Args:
            manifest: of the voice.
            decoder: phones to tokens.
            acoustic: tokens to sound.
            ahead: sentences of a request that are decoded before their turn, at most.
        """
        self._manifest = manifest
        self._ahead = ahead
        self._decoder = decoder
        self._acoustic = acoustic
        self._rate = manifest.acoustic.sampling_rate_hz
        self.limits = Limits(
            early_stop_tokens=int(TOKENS_PER_SECOND_OF_LIMIT * manifest.t2s.max_sec),
            max_len=manifest.max_len,
        )

    def parts(self, request: Request) -> list[tuple[Prompt, Conditioning]]:
        """What each sentence is decoded from, and what its sound is made under."""
        return [
            (self._prompt(sentence, request), self._conditioning(sentence, request, number))
            for number, sentence in request.sentences
        ]

    def foresee(self, request: Request) -> None:
        """Say, before anything is spoken, which sentences will likely be cut short.

        Raises:
            SettingError: a sentence leaves no room for a token.
        """
        for place, (_, sentence) in enumerate(request.sentences, 1):
            phones = sentence.line.phones.size
            room = self.limits.room(self._prompt(sentence, request))
            likely = request.reference.pace.likely(phones)
            if likely > room:
                LOG.warning(
                    "sentence %d: %d phones likely need %d tokens and there is room for %d; cut the"
                    " text finer or build a longer max_len",
                    place, phones, likely, room,
                )  # fmt: skip

    def whole(self, request: Request, stop: Stop) -> Generator[AudioChunk, None, None]:
        """Each sentence decoded whole: a chunk a sentence."""
        return self._chunks(request, self._decoded_whole, stop)

    def streamed(self, request: Request, stop: Stop) -> Generator[AudioChunk, None, None]:
        """Chunks of some tokens, each as soon as it can be made."""
        streaming = request.settings.chunking(self._manifest.defaults)
        return self._chunks(request, partial(self._acoustic.stream, streaming=streaming), stop)

    def _decoded_whole(
        self, tokens: Iterable[int], conditioning: Conditioning
    ) -> Iterator[SpokenChunk]:
        yield self._acoustic.whole(np.fromiter(tokens, np.int64), conditioning)

    def _chunks(
        self, request: Request, speak: Speak, stop: Stop
    ) -> Generator[AudioChunk, None, None]:
        turns = {number: Turn(sentence, number) for number, sentence in request.sentences}
        opened = (partial(self._tokens, turn, request) for turn in turns.values())
        start = sentence = 0
        with closing(Row(opened, self._ahead)) as row:
            for number, item in enumerate(request.items):
                if isinstance(item, Sentence):
                    sentence += 1
                    made = self._sentence(turns[number], row.next(), request, speak, stop)
                else:
                    made = self._pause(item, number)
                end = number == len(request.items) - 1
                with closing(made):
                    for chunk in made:
                        if chunk.finish_reason in CUT_SHORT:
                            told = RAN_ON if chunk.finish_reason == "pace" else CUT
                            LOG.warning(told, sentence, chunk.finish_reason)
                        yield replace(chunk, start=start, last=end and chunk.last)
                        start += chunk.samples.size
                if stop.is_set():
                    return

    def _pause(self, pause: Piece, number: int) -> Generator[AudioChunk, None, None]:
        silence = np.zeros(pause.samples(self._rate), np.float32)
        yield AudioChunk(silence, self._rate, number, np.zeros(0, np.int64), "", last=True)

    def _sentence(
        self,
        turn: Turn,
        made: Generator[int, None, None],
        request: Request,
        speak: Speak,
        stop: Stop,
    ) -> Generator[AudioChunk, None, None]:
        """Its chunks, the pause behind it included; fewer where it is stopped."""
        sentence, number, ending = turn.sentence, turn.number, turn.ending
        pause = Piece(pause_ms=request.settings.pause_ms).samples(self._rate)
        conditioning = self._conditioning(sentence, request, number)
        # closed at once where a stream is given up, so that the decode state is free again
        with releasing(), closing(made) as tokens:
            try:
                for spoken in speak(_until(stop, tokens), conditioning):
                    samples = np.pad(spoken.samples, (0, pause * spoken.last))
                    yield AudioChunk(
                        samples,
                        self._rate,
                        number,
                        spoken.tokens,
                        ending.reason if spoken.last else "",
                        spoken.last,
                        sentence.text,
                    )
            except Stopped:
                return

    def _prompt(self, sentence: Sentence, request: Request) -> Prompt:
        line, reference = sentence.line, request.reference
        spoken = line.after(reference.line) if reference.line else line
        most = reference.pace.most(line.phones.size)
        return Prompt(spoken.phones, spoken.features, reference.tokens, most)

    def _tokens(self, turn: Turn, request: Request) -> Generator[int, None, None]:
        """Semantic tokens of one sentence as they are made."""
        prompt = self._prompt(turn.sentence, request)
        sampling = request.settings.sampling(self._manifest.defaults)
        chooser = sampled(sampling, partial(noise.exponentials, request.seed, turn.number))
        most = -1 if prompt.most_tokens is None else prompt.most_tokens
        limits = replace(self.limits, pace_tokens=most)
        return self._decoder.tokens(prompt, chooser, limits, turn.ending)

    def _conditioning(self, sentence: Sentence, request: Request, number: int) -> Conditioning:
        drawn = partial(noise.normals, request.seed, number)
        settings = request.settings.acoustic(self._manifest.defaults)
        return Conditioning(sentence.line.phones, request.reference.acoustic, drawn, settings)


def _until(stop: Stop, tokens: Iterable[int]) -> Iterator[int]:
    """The same tokens, as long as nobody stops them.

    Raises:
        Stopped: somebody has; also behind the last token, before it is made sound of.
    """
    for token in tokens:
        if stop.is_set():
            raise Stopped(STOPPED)
        yield token
    if stop.is_set():
        raise Stopped(STOPPED)
