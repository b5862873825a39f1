"""Sound with the times of its text: whole answers of ours, and Kokoro's captioned speech."""

import base64
import json
from dataclasses import asdict, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from runtime.server import fields, openai, request_fields
from runtime.server.answer import answered
from runtime.server.refusals import invalid
from runtime.server.service import Service
from runtime.server.speech import Plan, Timed
from runtime.subtitles import ALIGNMENT, Caption, as_srt, as_vtt

JSON = "application/json"


async def captioned(request: Request, service: Service) -> Response:
    """`POST /v1/audio/captions`: sound and times in one JSON object, or subtitles alone."""
    service.refuse_if_busy()
    body = await fields.body_fields(request)
    word = (fields.text(body, "caption_format") or "json").strip().lower()
    if word not in SHAPES:
        raise invalid("caption_format", f"caption_format: use one of {', '.join(SHAPES)}")
    plan = openai.planned({**body, "stream": False, "stream_format": None}, service)
    return await answered(request, service, replace(plan, timed=SHAPES[word]))


def _all(plan: Plan, sound: bytes, captions: list[Caption]) -> bytes:
    answer: dict[str, Any] = {
        "audio": base64.b64encode(sound).decode(),
        "audio_format": plan.wire.media_type,
        "sample_rate": plan.rate,
        "duration": round(plan.made.seconds, 3),
        "seed": plan.seed,
        "alignment": ALIGNMENT,
        "segments": [asdict(one) for one in captions],
        "srt": as_srt(captions),
        "vtt": as_vtt(captions),
    }
    return json.dumps(answer, ensure_ascii=False).encode()


def _srt(_plan: Plan, _sound: bytes, captions: list[Caption]) -> bytes:
    return as_srt(captions).encode()


def _vtt(_plan: Plan, _sound: bytes, captions: list[Caption]) -> bytes:
    return as_vtt(captions).encode()


SHAPES = {
    "json": Timed(JSON, _all),
    "srt": Timed("application/x-subrip", _srt),
    "vtt": Timed("text/vtt", _vtt),
}


async def kokoro(request: Request, service: Service) -> Response:
    """`POST /dev/captioned_speech`: one object, or one a sentence and a line."""
    service.refuse_if_busy()
    body = await fields.body_fields(request)
    streamed = request_fields.switch(body, "stream") is not False
    words = request_fields.switch(body, "return_timestamps") is not False
    plan = openai.planned({**body, "stream": False, "stream_format": None}, service)
    wire = replace(plan.wire, streamed=streamed)
    timed = Timed(JSON, _words if words else _sound_alone)
    return await answered(request, service, replace(plan, wire=wire, api="kok", timed=timed))


def _words(plan: Plan, sound: bytes, captions: list[Caption]) -> bytes:
    return _object(plan, sound, [
        {"word": word.word, "start_time": word.start, "end_time": word.end}
        for one in captions
        for word in one.words
    ])  # fmt: skip


def _sound_alone(plan: Plan, sound: bytes, _captions: list[Caption]) -> bytes:
    return _object(plan, sound, None)


def _object(plan: Plan, sound: bytes, timestamps: list[dict[str, Any]] | None) -> bytes:
    answer = {"audio": base64.b64encode(sound).decode(), "audio_format": plan.wire.media_type}
    return json.dumps(answer | {"timestamps": timestamps}, ensure_ascii=False).encode()
