"""GPT-SoVITS's first API at `/`, and the clients of api_v2 that post there."""

import re

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runtime.server import api_v2, fields, request_fields
from runtime.server.answer import answered
from runtime.server.api_v2 import VOICE_FIELDS, asked_fields, bundle_of_path, chosen
from runtime.server.fields import Fields
from runtime.server.references import API_V1
from runtime.server.refusals import Refusal, invalid
from runtime.server.service import Service
from runtime.server.speech import Plan, Wire
from runtime.sound.formats import FORMATS

OF_V2 = ("text_lang", "target_voice", "use_st_adapter", "media_type", "streaming_mode")
MARKS = ",.;?!、，。？！；：…"
DONE = {"code": 0, "message": "Success"}


def is_v2(body: Fields) -> bool:
    """Whether the fields are api_v2's."""
    return "text_language" not in body and any(name in body for name in OF_V2)


async def speak(request: Request, service: Service, body: Fields) -> Response:
    """`GET` and `POST /` with a text."""
    service.refuse_if_busy()
    plan = api_v2.planned(body, service, one_file=True) if is_v2(body) else planned(body, service)
    return await answered(request, service, plan)


def planned(body: Fields, service: Service) -> Plan:
    """A request of this API as a plan.

    Raises:
        Refusal: 400.
    """
    text = fields.spoken_text(body, service.options.longest_text, "text")
    names_all = all(fields.text(body, *names) for names in (API_V1.audio, API_V1.text, API_V1.lang))
    given = body if names_all else {**body, API_V1.audio[0]: None}
    example = service.references.reference_of(given, API_V1)
    bundle, example = chosen(service, fields.text(body, *VOICE_FIELDS), example)
    changes = request_fields.settings(body, "api_v2", service.options, bundle)
    marks = body.get("cut_punc")
    if isinstance(marks, str):
        text, changes["cut"] = _cut_at(text, marks), "cut0"
    request_fields.speakable(bundle, changes)
    wire = Wire("wav", FORMATS["wav"].media_type)
    return Plan("v1", bundle, text, changes, wire, example, seed=request_fields.drawn_seed(changes))


def _cut_at(text: str, marks: str) -> str:
    kept = "".join(mark for mark in marks if mark in MARKS)
    return re.sub(f"([{re.escape(kept)}])", r"\1\n", text) if kept else text


async def change_reference(request: Request, service: Service) -> Response:
    """`/change_refer`: the reference of later requests that name none."""
    body = await asked_fields(request)
    if any(fields.text(body, *names) is None for names in (API_V1.audio, API_V1.text, API_V1.lang)):
        raise invalid(None, "refer_wav_path, prompt_text and prompt_language go together; give all")
    example = service.references.reference_of(body, API_V1)
    await run_in_threadpool(example.check)
    if example.bundle:
        service.current.bundle, service.current.example = example.bundle, None
    else:
        service.current.example = example
    return JSONResponse(DONE)


async def set_model(request: Request, service: Service) -> Response:
    """`/set_model`: the voice of later requests that name none."""
    body = await asked_fields(request)
    path = fields.text(body, "sovits_model_path", "gpt_model_path")
    if path is None:
        raise invalid(None, "give gpt_model_path and sovits_model_path", "missing_field")
    found = await run_in_threadpool(bundle_of_path, path, service)
    if found is None:
        raise Refusal(400, "voice_not_found", "no voice here is called that")
    service.current.bundle = found
    return JSONResponse(DONE)
