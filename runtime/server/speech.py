"""One request as it is spoken: a voice's chunks into the bytes that its client reads."""

import base64
import json
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from runtime.server.library import Bundle, Library
from runtime.server.references import Example
from runtime.server.workers import Job, Stopped
from runtime.settings import Changes
from runtime.sound.formats import FORMATS, Encoder
from runtime.voice import AudioChunk, Voice

Api = Literal["oai", "v2", "v1", "kok", "wy"]


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
    """

    format: str
    media_type: str
    rate: int | None = None
    streamed: bool = False
    by_tokens: bool = False
    files: bool = False
    events: bool = False

    @property
    def mode(self) -> str:
        """As metrics and headers call it."""
        return "stream" if self.streamed else "whole"


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
        timestamps: whether events say when sentences are spoken.
        seed: of the request.
        made: filled in as it is spoken.
    """

    api: Api
    bundle: Bundle
    text: str
    changes: Changes
    wire: Wire
    example: Example
    seed: int
    timestamps: bool = False
    made: Made = field(default_factory=Made)

    @property
    def rate(self) -> int:
        """Samples per second of the answer (Hz)."""
        native = self.bundle.manifest.acoustic.sampling_rate_hz
        return self.wire.rate or FORMATS[self.wire.format].rate_for(native)


def work(plan: Plan, library: Library) -> Callable[[Job], None]:
    """What a worker does for a request."""

    def speak(job: Job) -> None:
        with library.loaded(plan.bundle) as voice:
            put = job.put if not plan.wire.events else lambda content: job.put(_delta(content))
            if plan.wire.files:
                _send_files(plan, chunks(voice, plan, job), put)
            elif plan.wire.streamed:
                _send(plan, chunks(voice, plan, job), put)
            else:
                _send_whole(plan, chunks(voice, plan, job), put)
            if plan.wire.events:
                job.put(event("speech.audio.done", usage=_usage(voice, plan)))

    return speak


def chunks(voice: Voice, plan: Plan, job: Job) -> Iterator[AudioChunk]:
    """The voice's chunks; ends with `Stopped` soon after the job is no longer wanted.

    Raises:
        Stopped: the job was cancelled.
        FoundryError: the request can't be spoken.
    """
    speak = voice.stream if plan.wire.by_tokens else voice.sentences
    changes: Any = {**plan.changes, "seed": plan.seed}
    if reference := plan.example.reference():
        changes["reference"] = reference
    plan.made.rate = voice.rate
    made = speak(plan.text, **changes)
    with closing(cast(Generator[AudioChunk, None, None], made)):
        for chunk in made:
            plan.made.samples += chunk.samples.size
            plan.made.tokens += chunk.tokens.size
            plan.made.truncated += chunk.finish_reason not in ("", "eos")
            yield chunk
    if job.stop.is_set():
        raise Stopped


def _encoder(plan: Plan, *, whole: bool) -> Encoder:
    wire = plan.wire
    return Encoder(wire.format, plan.made.rate, rate=wire.rate, whole=whole)


def _send(plan: Plan, made: Iterator[AudioChunk], put: Callable[[bytes], None]) -> None:
    """A stream: a header of its own where the format has one, then sound as it comes."""
    encoder = None
    for chunk in made:
        if encoder is None:
            encoder = _encoder(plan, whole=False)
            header = encoder.feed(chunk.samples[:0])
            if header:
                put(header)
        if content := encoder.feed(chunk.samples):
            put(content)
    if encoder and (rest := encoder.finish()):
        put(rest)


def _send_files(plan: Plan, made: Iterator[AudioChunk], put: Callable[[bytes], None]) -> None:
    """A file per chunk: some clients decode each message by itself."""
    for chunk in made:
        encoder = _encoder(plan, whole=True)
        put(encoder.feed(chunk.samples) + encoder.finish())


def _send_whole(plan: Plan, made: Iterator[AudioChunk], put: Callable[[bytes], None]) -> None:
    first, *more = made
    encoder = _encoder(plan, whole=True)
    content = [encoder.feed(chunk.samples) for chunk in (first, *more)]
    put(b"".join(content) + encoder.finish())


def event(kind: str, **payload: Any) -> bytes:
    """One server-sent event."""
    return f"data: {json.dumps({'type': kind} | payload, ensure_ascii=False)}\n\n".encode()


def _delta(content: bytes) -> bytes:
    return event("speech.audio.delta", audio=base64.b64encode(content).decode())


def _usage(voice: Voice, plan: Plan) -> dict[str, int]:
    spoken, tokens = len(plan.text), plan.made.tokens
    return {"input_tokens": spoken, "output_tokens": tokens, "total_tokens": spoken + tokens}
