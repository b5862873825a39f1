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
from runtime.errors import STOPPED, Stopped, TextError
from runtime.loop_numbers import DecodeNumbers
from runtime.manifest import Manifest
from runtime.preparation import Request, Sentence
from runtime.reference.prepared import EncodedReference
from runtime.speech import AudioChunk, Stop
from runtime.t2s.ahead import Row
from runtime.t2s.request import (
    TRUNCATED,
    UNFINISHED,
    Finish,
    Limits,
    Prompt,
    TokenSource,
    sampled,
)
from runtime.text import Piece

CUT = "sentence %d was truncated (%s); cut the text finer or build a longer max_len"
RAN_ON = "sentence %d ran on past what its text explains and was ended (%s); take another seed"
GOES_ON = (
    "sentence %d came to a limit (%s): what is left is spoken apart, a word of it maybe twice; cut"
    " the text finer or build a longer max_len"
)
PARTS = 32  # bits of a sentence's number; above them stands that of its part
LOG = logging.getLogger(__name__)

Speak = Callable[[Iterable[int], Conditioning], Iterator[SpokenChunk]]


@dataclass(frozen=True)
class Turn:
    """A sentence in its place.

    Attributes:
        sentence, number: what, and its place in the request.
        place: among the sentences, from 1.
        part: 0; above, what was left of the sentence when a limit came.
        finish: gets why its tokens ended.
    """

    sentence: Sentence
    number: int
    place: int
    part: int = 0
    finish: Finish = field(default_factory=Finish)

    @property
    def draws(self) -> int:
        """What its random numbers go by."""
        return self.number + (self.part << PARTS)

    def behind(self, rest: Sentence) -> "Turn":
        """What is left of it, in its place."""
        finish = Finish(unwanted=self.finish.unwanted)
        return Turn(rest, self.number, self.place, self.part + 1, finish)


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
            early_stop_tokens=DecodeNumbers.early_stop_tokens_per_second * manifest.t2s.max_sec,
            max_len=manifest.max_len,
        )

    def parts(self, request: Request) -> list[tuple[Prompt, Conditioning]]:
        """What each sentence is decoded from, and what its sound is made under."""
        return [
            (self._prompt(turn.sentence, request), self._conditioning(turn, request))
            for turn in _turns(request)
        ]

    def longest(self, reference: EncodedReference) -> int:
        """Phones of a sentence that likely fits behind a reference."""
        said = reference.line.phones.size if reference.line else 0
        return self.limits.phones(reference.pace, reference.tokens.size + said)

    def foresee(self, request: Request) -> None:
        """Say, before anything is spoken, which sentences will likely be cut short.

        Raises:
            SettingError: a sentence leaves no room for a token.
        """
        for turn in _turns(request):
            phones = turn.sentence.line.phones.size
            room = self.limits.room(self._prompt(turn.sentence, request))
            likely = request.reference.pace.likely(phones)
            if likely > room:
                LOG.warning(
                    "sentence %d: %d phones likely need %d tokens and there is room for %d; cut the"
                    " text finer or build a longer max_len",
                    turn.place, phones, likely, room,
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
        turns = {turn.number: turn for turn in _turns(request, stop)}
        opened = (partial(self._tokens, turn, request) for turn in turns.values())
        start = 0
        with closing(Row(opened, self._ahead)) as row:
            for number, item in enumerate(request.items):
                if isinstance(item, Sentence):
                    made = self._sentence(turns[number], row.next(), request, speak, stop)
                else:
                    made = self._pause(item, number)
                end = number == len(request.items) - 1
                with closing(made):
                    for chunk in made:
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
        pause = Piece(pause_ms=request.settings.pause_ms).samples(self._rate)
        going: Turn | None = turn
        while going:
            part, going, count = going, None, 0
            # closed at once where a stream is given up, so that the decode state is free again
            with releasing(), closing(made) as tokens:
                try:
                    for spoken in speak(_until(stop, tokens), self._conditioning(part, request)):
                        count += spoken.tokens.size
                        going = self._left(part, count, request) if spoken.last else None
                        yield self._chunk(turn, spoken, part.finish, pause, more=bool(going))
                except Stopped:
                    return
            if going:
                made = self._tokens(going, request)

    def _chunk(
        self, turn: Turn, spoken: SpokenChunk, finish: Finish, pause: int, *, more: bool
    ) -> AudioChunk:
        """A chunk of a sentence; the last one with the pause behind it, and why it ended."""
        last = spoken.last and not more
        samples = np.pad(spoken.samples, (0, pause * last))
        reason = finish.reason if last else ""
        text, number = turn.sentence.text, turn.number
        return AudioChunk(samples, self._rate, number, spoken.tokens, reason, last, text)

    def _left(self, turn: Turn, tokens: int, request: Request) -> Turn | None:
        """What a limit has left unspoken of a sentence that ends here.

        Raises:
            TextError: a limit has ended it, and that is not wanted.
        """
        place, reason = turn.place, turn.finish.reason
        if reason not in TRUNCATED:
            return None
        cut = RAN_ON if reason == "pace" else CUT
        if request.settings.strict:
            raise TextError("text: " + cut % (place, reason))
        spoken = request.reference.pace.spoken(tokens, turn.sentence.line.phones.size)
        rest = request.rest(turn.sentence, spoken) if reason in UNFINISHED else None
        if not rest:
            LOG.warning(cut, place, reason)
            return None
        LOG.warning(GOES_ON, place, reason)
        return turn.behind(rest)

    def _prompt(self, sentence: Sentence, request: Request) -> Prompt:
        line, reference = sentence.line, request.reference
        spoken = line.after(reference.line) if reference.line else line
        most = reference.pace.most(line.phones.size)
        return Prompt(spoken.phones, spoken.features, reference.tokens, most)

    def _tokens(self, turn: Turn, request: Request) -> Generator[int, None, None]:
        """Semantic tokens of one sentence as they are made."""
        prompt = self._prompt(turn.sentence, request)
        sampling = request.settings.sampling(self._manifest.defaults)
        chooser = sampled(sampling, partial(noise.exponentials, request.seed, turn.draws))
        most = -1 if prompt.most_tokens is None else prompt.most_tokens
        limits = replace(self.limits, pace_tokens=most)
        return self._decoder.tokens(prompt, chooser, limits, turn.finish)

    def _conditioning(self, turn: Turn, request: Request) -> Conditioning:
        drawn = partial(noise.normals, request.seed, turn.draws)
        settings = request.settings.acoustic(self._manifest.defaults)
        phones = turn.sentence.line.phones
        unwanted = turn.finish.unwanted
        return Conditioning(phones, request.reference.acoustic, drawn, settings, unwanted)


def _turns(request: Request, stop: Stop | None = None) -> list[Turn]:
    """The sentences of a request, each in its place."""
    unwanted = (stop or Stop()).is_set
    return [
        Turn(sentence, number, place, finish=Finish(unwanted=unwanted))
        for place, (number, sentence) in enumerate(request.sentences, 1)
    ]


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
