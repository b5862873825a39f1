"""One request as it is spoken: a voice's chunks into the bytes that its client reads."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from runtime.server.library import Bundle, Library
from runtime.server.references import Example
from runtime.server.workers import Job, Unwanted
from runtime.settings import SETTINGS, Changes
from runtime.sound.formats import FORMATS, Encoder
from runtime.speech import AudioChunk
from runtime.subtitles import ALIGNMENT, Caption, Timeline
from runtime.voice import Voice

Api = Literal["oai", "v2", "v1", "kok", "wy"]
Put = Callable[[bytes], None]


@dataclass(frozen=True)
class Wire:
    """How sound goes to a client.

    Attributes:
        format: a key of FORMATS.
        media_type: what the answer says it is.
        rate: samples per second (Hz); None for what the format makes of the voice's.
        streamed: whether bytes go out as they are made.
        by_tokens: whether the voice streams tokens; else it makes whole sentences.
        files: whether each chunk is a file of its own.
        events: whether bytes go out as server-sent events.
        timestamps: whether events say when sentences are spoken.
    """

    format: str
    media_type: str
    rate: int | None = None
    streamed: bool = False
    by_tokens: bool = False
    files: bool = False
    events: bool = False
    timestamps: bool = False

    @property
    def mode(self) -> str:
        """As metrics and headers call it."""
        return "stream" if self.streamed else "whole"


@dataclass(frozen=True)
class Timed:
    """An answer in which sound and the times of its text stand together.

    Attributes:
        media_type: of the whole answer.
        part: puts sound and sentences together; once for all, or once a sentence.
    """

    media_type: str
    part: "Callable[[Plan, bytes, list[Caption]], bytes]"


@dataclass
class Made:
    """What was made so far."""

    rate: int = 0
    samples: int = 0
    tokens: int = 0
    truncated: int = 0

    @property
    def seconds(self) -> float:
        """How long the sound is."""
        return self.samples / self.rate if self.rate else 0.0


@dataclass(frozen=True, eq=False)
class Plan:
    """A request, checked.

    Attributes:
        api: family of the client.
        bundle: the voice's bundle.
        text: what is said.
        changes: settings by name.
        wire: how the sound goes out.
        example: whom to sound like.
        seed: of the request.
        timed: how sound and times go out together; None where sound goes alone.
        made: filled in as it is spoken.
    """

    api: Api
    bundle: Bundle
    text: str
    changes: Changes
    wire: Wire
    example: Example
    seed: int
    timed: Timed | None = None
    made: Made = field(default_factory=Made)

    @property
    def rate(self) -> int:
        """Samples per second of the answer (Hz)."""
        native = self.bundle.manifest.acoustic.sampling_rate_hz
        return self.wire.rate or FORMATS[self.wire.format].rate_for(native)

    @property
    def media_type(self) -> str:
        """Of the answer."""
        if self.wire.events:
            return "text/event-stream; charset=utf-8"
        return self.timed.media_type if self.timed else self.wire.media_type

    @property
    def timeline(self) -> Timeline:
        """An empty one, for its sentences."""
        usual = SETTINGS["pause_ms"].default
        return Timeline(int(self.changes.get("pause_ms", usual)))


def work(plan: Plan, library: Library) -> Callable[[Job], None]:
    """What a worker does for a request."""
    sent = _send_whole
    if plan.timed:
        sent = _send_lines if plan.wire.streamed else _send_timed
    elif plan.wire.events:
        sent = _send_events
    elif plan.wire.files:
        sent = _send_files
    elif plan.wire.streamed:
        sent = _send

    def speak(job: Job) -> None:
        with library.loaded(plan.bundle) as voice:
            sent(plan, chunks(voice, plan, job), job.put)

    return speak


def chunks(voice: Voice, plan: Plan, job: Job) -> Iterator[AudioChunk]:
    """The voice's chunks; soon after the job is no longer wanted there are no more.

    Raises:
        Unwanted: the job was cancelled.
        FoundryError: the request can't be spoken.
    """
    speak = voice.stream if plan.wire.by_tokens else voice.sentences
    changes: Changes = {**plan.changes, "seed": plan.seed}
    if reference := plan.example.reference(voice):
        changes["reference"] = reference
    plan.made.rate = voice.rate
    with speak(plan.text, stop=job.stop, **changes) as made:
        for chunk in made:
            plan.made.samples += chunk.samples.size
            plan.made.tokens += chunk.tokens.size
            plan.made.truncated += chunk.finish_reason not in ("", "eos")
            yield chunk
    if job.stop.is_set():
        raise Unwanted


def _encoder(plan: Plan, *, whole: bool) -> Encoder:
    wire = plan.wire
    return Encoder(wire.format, plan.made.rate, rate=wire.rate, whole=whole)


def _send(plan: Plan, made: Iterator[AudioChunk], put: Put) -> None:
    """A stream: a header of its own where the format has one, then sound as it comes."""
    encoder = None
    for chunk in made:
        if encoder is None:
            encoder = _encoder(plan, whole=False)
            if header := encoder.feed(chunk.samples[:0]):
                put(header)
        if content := encoder.feed(chunk.samples):
            put(content)
    if encoder and (rest := encoder.finish()):
        put(rest)


def _send_files(plan: Plan, made: Iterator[AudioChunk], put: Put) -> None:
    """A file per chunk: some clients decode each message by itself."""
    for chunk in made:
        encoder = _encoder(plan, whole=True)
        put(encoder.feed(chunk.samples) + encoder.finish())


def _send_whole(plan: Plan, made: Iterator[AudioChunk], put: Put) -> None:
    put(_whole(plan, made))


def _whole(plan: Plan, made: Iterator[AudioChunk]) -> bytes:
    first, *more = made  # before the encoder: the rate is known then
    encoder = _encoder(plan, whole=True)
    content = [encoder.feed(chunk.samples) for chunk in (first, *more)]
    return b"".join(content) + encoder.finish()


def _send_timed(plan: Plan, made: Iterator[AudioChunk], put: Put) -> None:
    """Sound and the times of all sentences in one."""
    timeline = plan.timeline

    def counted() -> Iterator[AudioChunk]:
        for chunk in made:
            timeline.add(chunk)
            yield chunk

    content = _whole(plan, counted())
    if plan.timed:
        put(plan.timed.part(plan, content, timeline.captions))


def _send_lines(plan: Plan, made: Iterator[AudioChunk], put: Put) -> None:
    """Sound and times, a sentence a line; what the encoder has left is a line without times."""
    timeline, encoder, content = plan.timeline, None, b""
    timed = plan.timed
    if timed is None:
        return
    for chunk in made:
        encoder = encoder or _encoder(plan, whole=False)
        content += encoder.feed(chunk.samples)
        if caption := timeline.add(chunk):
            put(timed.part(plan, content, [caption]) + b"\n")
            content = b""
    if encoder and (rest := content + encoder.finish()):
        put(timed.part(plan, rest, []) + b"\n")


def _send_events(plan: Plan, made: Iterator[AudioChunk], put: Put) -> None:
    """A stream of events; each sentence's times come behind its sound."""
    timeline = plan.timeline

    def timed() -> Iterator[AudioChunk]:
        for chunk in made:
            caption = timeline.add(chunk)
            yield chunk
            if caption and plan.wire.timestamps:
                put(_timestamps(caption))

    _send(plan, timed(), lambda content: put(_delta(content)))
    spoken, tokens = len(plan.text), plan.made.tokens
    usage = {"input_tokens": spoken, "output_tokens": tokens, "total_tokens": spoken + tokens}
    put(event("speech.audio.done", usage=usage))


def event(kind: str, **payload: Any) -> bytes:
    """One server-sent event."""
    return f"data: {json.dumps({'type': kind} | payload, ensure_ascii=False)}\n\n".encode()


def _delta(content: bytes) -> bytes:
    return event("speech.audio.delta", audio=base64.b64encode(content).decode())


def _timestamps(caption: Caption) -> bytes:
    times = asdict(caption)
    segment = times.pop("id")
    return event("speech.audio.timestamps", segment=segment, alignment=ALIGNMENT, **times)
