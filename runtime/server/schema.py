"""The OpenAPI document: what each route takes and answers, from the same tables as the code."""

from typing import Any

from runtime.server import api_v2, openai
from runtime.server.refusals import Family
from runtime.setting_row import Api
from runtime.settings import SETTINGS

JSON = "application/json"
STATUSES = (400, 401, 403, 404, 405, 408, 413, 415, 429, 500, 503, 504)
TEXT = {"type": "string"}
SWITCH = {"type": "boolean"}
ERRORS: dict[Family, dict[str, Any]] = {
    "oai": {"type": "object", "required": ["error"], "properties": {"error": {
        "type": "object", "required": ["message", "type", "param", "code"],
        "properties": {
            "message": TEXT, "type": TEXT, "param": {"type": ["string", "null"]},
            "code": {"type": ["string", "null"]},
        },
    }}},
    "v2": {"type": "object", "required": ["message"], "properties": {
        "message": TEXT, "Exception": TEXT,
    }},
    "v1": {"type": "object", "required": ["code", "message"], "properties": {
        "code": {"type": "integer"}, "message": TEXT,
    }},
    "kok": {"type": "object", "required": ["detail"], "properties": {"detail": {
        "type": "object", "required": ["error", "message", "type"],
    }}},
    "own": {"type": "object"},
}  # fmt: skip
REFERENCE = {"ref_audio": TEXT, "ref_text": TEXT, "ref_lang": TEXT}


def operation(path: str, family: Family, kind: str) -> dict[str, Any]:
    """What the document states of a route, as FastAPI takes it.

    Args:
        path: of the route.
        family: whose clients call it.
        kind: media type of its answer; `audio` for any of sound.
    """
    extra: dict[str, Any] = {}
    if "{" in path:
        extra["parameters"] = [{"name": "name", "in": "path", "required": True, "schema": TEXT}]
    return {"responses": _responses(family, kind), "openapi_extra": extra, "tags": [family]}


def with_fields(found: dict[str, Any], properties: dict[str, Any], method: str) -> dict[str, Any]:
    """The same with a body, or with a query, of these fields."""
    extra = dict(found["openapi_extra"])
    if method == "GET":
        extra["parameters"] = [
            {"name": name, "in": "query", "schema": of} for name, of in properties.items()
        ]
    else:
        body = {"type": "object", "properties": properties}
        extra["requestBody"] = {"content": {JSON: {"schema": body}}, "required": True}
    return found | {"openapi_extra": extra}


def of_speech() -> dict[str, Any]:
    """Fields of OpenAI's speech API."""
    formats = {"type": "string", "enum": list(openai.FORMAT_NAMES)}
    named: dict[str, Any] = {
        "input": TEXT, "model": TEXT, "voice": {"anyOf": [TEXT, {"type": "object"}]},
        "response_format": formats, "stream": SWITCH, "timestamps": SWITCH,
        "stream_format": {"type": "string", "enum": ["audio", "sse"]},
        "sample_rate": {"type": "integer", "minimum": 8_000, "maximum": 48_000},
    }  # fmt: skip
    return named | _settings("openai") | REFERENCE


def of_tts() -> dict[str, Any]:
    """Fields of GPT-SoVITS's api_v2."""
    formats = {"type": "string", "enum": list(api_v2.FORMAT_NAMES)}
    named: dict[str, Any] = {
        "text": TEXT, "ref_audio_path": TEXT, "prompt_text": TEXT, "prompt_lang": TEXT,
        "voice": TEXT, "media_type": formats, "streaming_mode": {"type": "integer"},
        "aux_ref_audio_paths": {"type": "array", "items": TEXT},
    }  # fmt: skip
    return named | _settings("api_v2")


def _settings(api: Api) -> dict[str, Any]:
    return {name: row.schema() for row in SETTINGS.values() for name in row.names_in(api)}


def _responses(family: Family, kind: str) -> dict[int | str, dict[str, Any]]:
    error = {"description": "refused", "content": {JSON: {"schema": ERRORS[family]}}}
    kinds = [kind]
    if kind == "audio":
        kinds = ["audio/*", "text/event-stream"]
    done = {"description": "done", "content": {one: {"schema": {}} for one in kinds}}
    found: dict[int | str, dict[str, Any]] = dict.fromkeys(STATUSES, error)
    return {200: done} | found
