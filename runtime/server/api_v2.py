"""GPT-SoVITS's api_v2: `/tts` and the routes that change what later requests mean."""

import hashlib
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runtime.server import fields, request_fields
from runtime.server.answer import answered
from runtime.server.fields import Fields
from runtime.server.library import Bundle
from runtime.server.references import API_V2, Example
from runtime.server.refusals import Refusal, invalid
from runtime.server.service import Service
from runtime.server.speech import Plan, Wire
from runtime.sound.formats import FORMATS

FORMAT_NAMES = {
    "wav": "wav", "raw": "pcm", "ogg": "vorbis", "aac": "aac", "mp3": "mp3", "flac": "flac",
    "auto": "wav",
}  # fmt: skip
MEDIA_TYPES = {"pcm": "audio/raw"}  # where these clients want another than ours
VOICE_FIELDS = ("voice", "speaker", "cha_name", "character", "target_voice")
WHOLE, SENTENCES, TOKENS = 0, 1, 2
MODES = {
    "0": WHOLE, "false": WHOLE, "off": WHOLE, "no": WHOLE, "f": WHOLE, "n": WHOLE,
    "1": SENTENCES, "true": SENTENCES, "on": SENTENCES, "yes": SENTENCES, "t": SENTENCES,
    "y": SENTENCES, "ture": SENTENCES,  # so a client's built-in default is spelt
    "2": TOKENS, "3": TOKENS,
}  # fmt: skip


async def speak(request: Request, service: Service) -> Response:
    """`GET` and `POST /tts`."""
    service.refuse_if_busy()
    return await answered(request, service, planned(await asked_fields(request), service))


async def asked_fields(request: Request) -> Fields:
    """Fields of the query and of the body."""
    found = fields.query_fields(request)
    if request.method == "POST":
        found |= await fields.body_fields(request, forms=True)
    return found


def planned(body: Fields, service: Service, *, one_file: bool = False) -> Plan:
    """A request of this API as a plan.

    Args:
        body: its fields.
        service: the server.
        one_file: whether a stream is one file, as browsers play it, instead of one a sentence.

    Raises:
        Refusal: 400.
    """
    text = fields.spoken_text(body, service.options.longest_text, "text")
    wire = _wire(body, one_file=one_file)
    bundle, example = chosen(
        service, fields.text(body, *VOICE_FIELDS), service.references.reference_of(body, API_V2)
    )
    changes = request_fields.settings(body, "api_v2", service.options, bundle)
    request_fields.speakable(bundle, changes)
    return Plan("v2", bundle, text, changes, wire, example, seed=request_fields.drawn_seed(changes))


def chosen(service: Service, voice: str | None, example: Example) -> tuple[Bundle, Example]:
    """The voice and the reference of a request; those that were set before, where it has none.

    Raises:
        Refusal: 400, the voice is unknown.
    """
    current = service.current
    if voice is not None:
        try:
            bundle, style = service.library.styled(voice)
            named = example.bundle or (style and example.read is None)
            return bundle, Example(style=style) if named else example
        except Refusal as refusal:
            if refusal.status == 404:
                refusal.status = 400
            raise
    if example.bundle:
        return example.bundle, Example()
    if example.read is None and current.example:
        example = current.example
    return current.bundle or service.library.default, example


def _wire(body: Fields, *, one_file: bool) -> Wire:
    word = fields.text(body, "media_type") or "wav"
    name = request_fields.format_named(word, FORMAT_NAMES, "media_type")
    mode = _mode(body)
    form = FORMATS[name]
    if mode and not form.streams:
        raise invalid("media_type", f"media_type: {name} comes whole; set streaming_mode to 0")
    media_type = MEDIA_TYPES.get(name, form.media_type)
    files = bool(mode) and name == "vorbis" and not one_file
    return Wire(name, media_type, None, bool(mode), by_tokens=mode == TOKENS, files=files)


def _mode(body: Fields) -> int:
    value = body.get("streaming_mode")
    value = body.get("stream") if value is None or value == "" else value
    if value is None or value == "":
        return WHOLE
    number = isinstance(value, bool | int | float) and value == int(value)
    word = str(int(value)) if number else str(value).strip().lower()
    if word not in MODES or isinstance(value, list | dict):
        raise invalid(
            "streaming_mode", "streaming_mode must be 0, 1, 2, 3 (int) or true/false (bool)"
        )
    return MODES[word]


async def set_gpt(request: Request, service: Service) -> Response:
    """`/set_gpt_weights`: checked; bundles are pairs, so the other call decides."""
    await _named_bundle(request, service, "gpt")
    return JSONResponse({"message": "success"})


async def set_sovits(request: Request, service: Service) -> Response:
    """`/set_sovits_weights`: the voice of later requests that name none."""
    service.current.bundle = await _named_bundle(request, service, "sovits")
    return JSONResponse({"message": "success"})


async def _named_bundle(request: Request, service: Service, kind: str) -> Bundle:
    path = fields.text(await asked_fields(request), "weights_path")
    if path is None:
        raise invalid("weights_path", f"{kind} weight path is required", "missing_field")
    found = await run_in_threadpool(bundle_of_path, path, service)
    if found is None:
        message = "weights_path: no voice here is called that, or was made from that file"
        raise Refusal(
            400, "voice_not_found", message, "weights_path", tried=f"change {kind} weight failed"
        )
    return found


def bundle_of_path(path: str, service: Service) -> Bundle | None:
    """The bundle that a path of weights means: by its name, or by what is in the file."""
    found = service.library.find(path)
    if found:
        return found
    file = service.references.file(path)
    if file is None:
        return None
    with file.open("rb") as opened:
        return service.library.of_source(hashlib.file_digest(opened, "sha256").hexdigest())


async def set_reference(request: Request, service: Service) -> Response:
    """`/set_refer_audio`: the reference of later requests that name none."""
    path = fields.text(await asked_fields(request), "refer_audio_path")
    if path is None:
        raise invalid("refer_audio_path", "refer_audio_path is required", "missing_field")
    try:
        example = service.references.reference_of({"ref_audio_path": path}, API_V2)
        await run_in_threadpool(example.check)
    except Exception as error:
        message = getattr(error, "message", "") or "refer_audio_path: it is no sound of 3 to 10 s"
        raise Refusal(
            400, "bad_reference", message, "refer_audio_path", tried="set refer audio failed"
        ) from error
    if example.bundle:
        service.current.bundle, service.current.example = example.bundle, None
    else:
        service.current.example = example
    return JSONResponse({"message": "success"})


async def control(request: Request, service: Service) -> Response:
    """`/control`: `restart` looks at the folders again, `exit` ends the server."""
    command: Any = fields.text(await asked_fields(request), "command")
    if not service.options.control:
        raise Refusal(403, "disabled", "control is off; start the server with --enable-control")
    if command is None:
        raise invalid("command", "command is required", "missing_field")
    if command not in ("restart", "exit"):
        raise invalid("command", "command: use restart or exit")
    if command == "restart":
        await run_in_threadpool(service.library.scan)
    else:
        service.stopping.set()
    return JSONResponse({"message": "success"})
