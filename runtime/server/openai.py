"""OpenAI's speech API: what its packages and the many clients that copy it send."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from runtime.server import fields, request_fields
from runtime.server.answer import answered
from runtime.server.fields import Fields
from runtime.server.references import OPENAI, Example
from runtime.server.refusals import invalid
from runtime.server.service import Service
from runtime.server.speech import Plan, Wire
from runtime.server.uploads import PREFIX
from runtime.sound.formats import FORMATS

FORMAT_NAMES = {
    "mp3": "mp3", "opus": "opus", "aac": "aac", "flac": "flac", "wav": "wav", "pcm": "pcm",
    "ogg": "opus",
}  # fmt: skip
PCM_HZ = 24_000  # what OpenAI sends and its clients play, whatever the header states
MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
STREAMED = ("pcm", "mp3", "opus", "aac")  # where nothing is said


async def speak(request: Request, service: Service) -> Response:
    """`POST /v1/audio/speech`."""
    service.refuse_if_busy()
    return await answered(request, service, planned(await fields.body_fields(request), service))


def planned(given: Fields, service: Service) -> Plan:
    """A body of this API as a plan.

    Raises:
        Refusal: 400 or 404.
    """
    body = _unboxed(given)
    text = fields.spoken_text(body, service.options.longest_text, "input")
    wire = _wire(body)
    example = service.references.reference_of(_with_upload(body, service), OPENAI)
    bundle, style = service.library.styled(_voice(body, service))
    if example.bundle:
        bundle, example = example.bundle, Example()
    elif style and example.read is None:
        example = Example(style=style)
    changes = request_fields.settings(body, "openai", service.options, bundle)
    request_fields.speakable(bundle, changes)
    return Plan("oai", bundle, text, changes, wire, example, request_fields.drawn_seed(changes))


def _unboxed(given: Fields) -> Fields:
    """GSVI's clients put settings into a box; what is outside wins."""
    box = given.get("other_params")
    return {**box, **given} if isinstance(box, dict) else given


def _wire(body: Fields) -> Wire:
    word = fields.text(body, "response_format") or "mp3"
    name = request_fields.format_named(word, FORMAT_NAMES, "response_format")
    said, sse = _streaming(body)
    form = FORMATS[name]
    streamed = sse or (name in STREAMED if said is None else said)
    streamed = streamed and form.streams
    if sse and not form.streams:
        raise invalid("response_format", f"response_format: {name} comes whole; use mp3 with sse")
    timestamps = sse and request_fields.switch(body, "timestamps") is True
    rate = request_fields.rate(body, name, PCM_HZ if name == "pcm" else None)
    return Wire(
        name, form.media_type, rate, streamed, by_tokens=streamed, events=sse, timestamps=timestamps
    )


def _streaming(body: Fields) -> tuple[bool | None, bool]:
    """Whether a stream is asked for, and whether as events."""
    word = (fields.text(body, "stream_format") or "").strip().lower()
    if word not in ("", "audio", "sse"):
        raise invalid("stream_format", "stream_format: use audio or sse")
    switch = request_fields.switch(body, "stream")
    if word == "sse" and switch is False:
        raise invalid("stream", "stream: events are a stream; leave it out, or stream_format")
    return (True if word == "audio" and switch is None else switch), word == "sse"


def _voice(body: Fields, service: Service) -> str:
    voice = body.get("voice")
    name = fields.text(voice, "id") if isinstance(voice, dict) else fields.text(body, "voice")
    if name is None:  # some clients send the voice as the model
        model = fields.text(body, "model")
        name = model if model and service.library.find(model) else ""
    return "" if service.uploads.get(name) else name


def _with_upload(body: Fields, service: Service) -> Fields:
    """An uploaded voice is a reference for the default voice."""
    voice: Any = body.get("voice")
    name = voice.get("id") if isinstance(voice, dict) else voice
    upload = service.uploads.get(name) if isinstance(name, str) else None
    if upload is None:
        return body
    said = {"ref_text": upload.text, "ref_lang": upload.lang}
    given = {name: value for name, value in body.items() if value not in (None, "")}
    return {"ref_audio": f"{PREFIX}{upload.id}", **said, **given}
