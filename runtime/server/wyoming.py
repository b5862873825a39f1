"""Wyoming, the protocol of Home Assistant's voice parts: a line of JSON, data, and payload.

The same voices and queue as over HTTP. The protocol has no keys, so that it is meant for this
machine alone.
"""

import asyncio
import contextlib
import json
import logging
import re
from dataclasses import dataclass
from typing import Any

from wyoming.audio import AudioChunk as WireChunk
from wyoming.audio import AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event, async_write_event
from wyoming.info import Attribution, Info, TtsProgram, TtsVoice
from wyoming.ping import Ping, Pong
from wyoming.tts import SynthesizeStopped

from runtime.server import fields, labels, refusals, request_fields, speech
from runtime.server.answer import Note
from runtime.server.library import Bundle
from runtime.server.references import Example
from runtime.server.refusals import Refusal
from runtime.server.service import Service
from runtime.server.speech import Plan, Wire

LINE_BYTES, DATA_BYTES = 64 << 10, 1 << 20
IDLE_S = 60.0
CONNECTIONS = 64
CHUNK_BYTES = 2 * 1024
NAME = "sovits-foundry"
HOME = Attribution("SoVITS Foundry", "")
COUNTRIES = {"en": "en-US", "zh": "zh-CN", "ja": "ja-JP", "ko": "ko-KR", "yue": "zh-HK"}
SENTENCES = re.compile(r".*(?:[。！？…\n]|[.!?](?=\s))", re.S)
LOG = logging.getLogger(__name__)


class Gone(Exception):  # noqa: N818 - clients may leave
    """The client left, or sent what is no event."""


@dataclass
class _Stream:
    """Text that comes in pieces, and how far it is spoken."""

    voice: dict[str, Any]
    waiting: str = ""
    started: bool = False
    sent: int = 0


class Server:
    """Serves Wyoming's clients."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._open = 0

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Start to listen.

        Raises:
            OSError: the address is taken.
        """
        return await asyncio.start_server(self._connected, host, port, limit=LINE_BYTES)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open >= CONNECTIONS:
            writer.close()
            return
        self._open += 1
        try:
            await _Connection(self._service, reader, writer).run()
        except (Gone, OSError, TimeoutError, asyncio.IncompleteReadError):
            pass
        except Exception:
            LOG.exception("a Wyoming connection failed")
        finally:
            self._open -= 1
            writer.close()


class _Connection:
    """One client; its events one after the other."""

    def __init__(
        self, service: Service, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._service = service
        self._reader = reader
        self._writer = writer
        self._stream: _Stream | None = None

    async def run(self) -> None:
        while True:
            async with asyncio.timeout(IDLE_S):
                event = await read_event(self._reader)
            try:
                await self._handle(event)
            except Refusal as refusal:
                await self._send(Error(refusal.message, refusal.code).event())
                raise Gone from refusal

    async def _handle(self, event: Event) -> None:
        data = event.data
        match event.type:
            case "describe":
                await self._send(described(self._service).event())
            case "ping":
                await self._send(Pong(Ping.from_event(event).text).event())
            case "synthesize" if self._stream is None:
                if data.get("text_format") == "ssml":
                    raise refusals.invalid("text_format", "text_format: ssml is not read")
                stream = _Stream(_wanted(data.get("voice")))
                await self._speak(fields.text(data, "text") or "", stream)
                await self._end(stream)
            case "synthesize-start":
                self._stream = _Stream(_wanted(data.get("voice")))
            case "synthesize-chunk" if self._stream is not None:
                await self._further(fields.text(data, "text") or "", self._stream)
            case "synthesize-stop" if self._stream is not None:
                stream, self._stream = self._stream, None
                await self._speak(stream.waiting, stream)
                await self._end(stream)
                await self._send(SynthesizeStopped().event())

    async def _further(self, text: str, stream: _Stream) -> None:
        stream.waiting += text
        if len(stream.waiting) > self._service.options.longest_text:
            raise refusals.invalid("text", "text: it is too long", "text_too_long")
        if found := SENTENCES.match(stream.waiting):
            stream.waiting = stream.waiting[found.end() :]
            await self._speak(found[0], stream)

    async def _speak(self, text: str, stream: _Stream) -> None:
        """Say a text; the event loop waits for it, and the client's leaving ends it."""
        if not text.strip():
            return
        plan = self._plan(text, stream.voice)
        job = self._service.workers.submit(speech.work(plan, self._service.library))
        note = Note(self._service, plan, job, "wyoming")
        leaving = asyncio.ensure_future(self._left())
        sending = asyncio.ensure_future(self._send_sound(plan, job, stream))
        status = 499
        try:
            await asyncio.wait({leaving, sending}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                raise Gone
            sending.result()
            status = 200
        except Refusal as refusal:
            status = refusal.status
            raise
        finally:
            self._service.workers.drop(job, "disconnect")
            for task in (leaving, sending):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task
            note.write(status)

    def _plan(self, text: str, voice: dict[str, Any]) -> Plan:
        text = fields.spoken_text({"text": text}, self._service.options.longest_text, "text")
        bundle = self._voice(voice)
        lang = labels.language(str(voice.get("language") or self._service.options.language))
        changes = request_fields.settings({"lang": lang}, "openai", self._service.options, bundle)
        request_fields.speakable(bundle, changes)
        wire = Wire("pcm", "audio/pcm", streamed=True, by_tokens=True)
        return Plan(
            "wy", bundle, text, changes, wire, Example(), seed=request_fields.drawn_seed(changes)
        )

    def _voice(self, wanted: dict[str, Any]) -> Bundle:
        name, language = wanted.get("name"), wanted.get("language")
        if name:
            return self._service.library.resolve(str(name))
        code = labels.language(str(language or ""))
        speaking = [one for one in self._service.library.bundles() if code in one.languages]
        default = self._service.library.default
        return speaking[0] if speaking and code not in default.languages else default

    async def _send_sound(self, plan: Plan, job: Any, stream: _Stream) -> None:
        workers = self._service.workers
        await workers.begin(job)
        content: bytes | None = await workers.first(job)
        rate = plan.rate
        if not stream.started:
            stream.started = True
            await self._send(AudioStart(rate, 2, 1, timestamp=0).event())
        while content is not None:
            for at in range(0, len(content), CHUNK_BYTES):
                part = content[at : at + CHUNK_BYTES]
                time = stream.sent * 1000 // (2 * rate)
                await self._send(WireChunk(rate, 2, 1, part, timestamp=time).event())
                stream.sent += len(part)
            content = await job.next()
        if job.refusal:
            raise job.refusal
        if job.reason:
            raise Gone

    async def _end(self, stream: _Stream) -> None:
        if not stream.started:  # nothing was to be said
            rate = self._service.library.default.manifest.acoustic.sampling_rate_hz
            await self._send(AudioStart(rate, 2, 1, timestamp=0).event())
        await self._send(AudioStop().event())

    async def _left(self) -> None:
        """Ends when the client has closed the connection."""
        while not self._reader.at_eof():
            await asyncio.sleep(0.02)

    async def _send(self, event: Event) -> None:
        await async_write_event(event, self._writer)


async def read_event(reader: asyncio.StreamReader) -> Event:
    """The next event, within the limits of its parts.

    Raises:
        Gone: the connection ended, or it is no event.
    """
    try:
        line = await reader.readline()
        header: Any = json.loads(line)
        data_bytes = int(header.get("data_length") or 0)
        payload_bytes = int(header.get("payload_length") or 0)
        kind, data = str(header["type"]), dict(header.get("data") or {})
        if not 0 <= data_bytes <= DATA_BYTES or payload_bytes:
            raise Gone
        if data_bytes:
            data |= json.loads(await reader.readexactly(data_bytes))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Gone from error
    return Event(kind, data)


def _wanted(voice: Any) -> dict[str, Any]:
    """The voice of an event: an object, or its name alone."""
    return voice if isinstance(voice, dict) else {"name": voice} if voice else {}


def described(service: Service) -> Info:
    """What this server offers."""
    found = [
        TtsVoice(
            name=name, attribution=HOME, installed=True, description=name, version=service.version,
            languages=[COUNTRIES[code] for code in bundle.languages],
        )
        for name, bundle in zip(service.library.names, service.library.bundles(), strict=True)
    ]  # fmt: skip
    program = TtsProgram(
        name=NAME, attribution=HOME, installed=True, description="GPT-SoVITS voices",
        version=service.version, voices=found, supports_synthesize_streaming=True,
    )  # fmt: skip
    return Info(tts=[program])
