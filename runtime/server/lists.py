"""Lists of voices and models, in the shapes that clients read; uploads; health."""

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runtime.reference.pack import DEFAULT
from runtime.server import fields, labels, references, request_fields
from runtime.server.library import as_listed
from runtime.server.openai import MODELS
from runtime.server.refusals import Refusal, invalid
from runtime.server.service import Service
from runtime.server.uploads import Upload, new

OWNER = "sovits-foundry"


async def models(request: Request, service: Service) -> Response:
    """`GET /v1/models`."""
    return JSONResponse({"object": "list", "data": [_model(name) for name in _names(service)]})


async def model(request: Request, service: Service) -> Response:
    """`GET /v1/models/{id}`."""
    name = request.path_params["name"]
    if name not in MODELS and not service.library.find(name):
        raise Refusal(404, "model_not_found", "model: there is none of that name", "model")
    return JSONResponse(_model(name))


async def audio_models(request: Request, service: Service) -> Response:
    """`GET /v1/audio/models`, for Open WebUI."""
    found = [{"id": name, "name": name} for name in _names(service)]
    return JSONResponse({"models": found, "object": "list", "data": found})


async def voices(request: Request, service: Service) -> Response:
    """`GET /v1/audio/voices`."""
    library = service.library
    if request_fields.switch(fields.query_fields(request), "legacy"):
        return JSONResponse({"voices": library.names})
    found = [
        as_listed(bundle, f"{name}:{style}" if style else name)
        for name, bundle in zip(library.names, library.bundles(), strict=True)
        for style in ("", *filter(DEFAULT.__ne__, bundle.styles))
    ]
    uploaded = [_uploaded(one) for one in service.uploads.all()]
    content = {"voices": found, "object": "list", "data": found, "uploaded_voices": uploaded}
    return JSONResponse(content)


async def proof(request: Request, service: Service) -> Response:
    """`GET /v1/audio/voices/{id}/proof`: its distances from PyTorch."""
    bundle = service.library.find(request.path_params["name"])
    if bundle is None:
        raise Refusal(404, "voice_not_found", "voice: there is none of that name", "voice")
    manifest = bundle.manifest
    measured = [
        {"graph": graph, "metric": metric, "value": value}
        for graph, found in manifest.parity.items()
        for metric, value in found.items()
    ]
    content = {"id": bundle.id, "family": manifest.family, "precision": manifest.precision}
    return JSONResponse(content | {"measured": measured})


async def add_voice(request: Request, service: Service) -> Response:
    """`POST /v1/audio/voices`: keep a reference."""
    if not service.uploads.taken:
        raise Refusal(404, "not_found", "this server takes no uploads")
    body, content = await fields.upload_fields(request)
    name = fields.text(body, "name")
    if content is None:
        raise invalid("audio_sample", "audio_sample: it is missing; send a file", "missing_field")
    if name is None:
        raise invalid("name", "name: it is missing; give one", "missing_field")
    if fields.text(body, "type") not in (None, "audio_sample"):
        raise invalid("type", "type: use audio_sample")
    said, lang = fields.text(body, "ref_text") or "", fields.text(body, "ref_lang") or "auto"
    upload = new(name, said, labels.language(lang), fields.text(body, "consent") or "")
    sound = await run_in_threadpool(references.decoded, content)
    kept = await run_in_threadpool(service.uploads.add, sound, upload)
    answer = {"id": kept.id, "created_at": kept.created_at, "name": kept.name}
    return JSONResponse(answer | {"object": "audio.voice", "type": "audio_sample"})


async def delete_voice(request: Request, service: Service) -> Response:
    """`DELETE /v1/audio/voices/{id}`."""
    name = request.path_params["name"]
    if not service.uploads.delete(name):
        raise Refusal(404, "voice_not_found", "voice: there is no such upload", "voice")
    return JSONResponse({"id": name, "deleted": True, "object": "audio.voice.deleted"})


async def reload(request: Request, service: Service) -> Response:
    """`POST /v1/voices/reload`."""
    change = await run_in_threadpool(service.library.scan)
    broken = [{"path": path, "error": error} for path, error in change.broken.items()]
    content = {"voices": change.voices, "added": change.added, "removed": change.removed}
    return JSONResponse(content | {"broken": broken})


async def speakers(request: Request, service: Service) -> Response:
    """`GET /speakers`, for SillyTavern."""
    found = [{"name": name, "voice_id": name} for name in service.library.names]
    return JSONResponse(found)


async def characters(request: Request, service: Service) -> Response:
    """`GET /character_list`, for GSVI's clients."""
    return JSONResponse({name: ["default"] for name in service.library.names})


async def health(request: Request, service: Service) -> Response:
    """`GET /health`: the process answers."""
    return JSONResponse({"status": "healthy"})


async def ready(request: Request, service: Service) -> Response:
    """`GET /ready`: requests can be sent here."""
    reason = service.not_ready
    if reason:
        content = {"status": "unavailable", "reason": reason}
        return JSONResponse(content, 503, {"Retry-After": "5"})
    return JSONResponse({"status": "ready"})


async def measured(request: Request, service: Service) -> Response:
    """`GET /metrics`."""
    content = await run_in_threadpool(service.measured)
    return Response(content, media_type="text/plain; version=0.0.4; charset=utf-8")


def _names(service: Service) -> list[str]:
    return [*MODELS, *(name for name in service.library.names if name not in MODELS)]


def _model(name: str) -> dict[str, Any]:
    content = {"id": name, "object": "model", "created": 0, "owned_by": OWNER}
    return content | {"task": "text-to-speech"}


def _uploaded(upload: Upload) -> dict[str, Any]:
    content: dict[str, Any] = {
        "name": upload.name,
        "id": upload.id,
        "created_at": upload.created_at,
    }
    return content | {
        "file_size": upload.file_size, "mime_type": "audio/flac", "consent": upload.consent,
    }  # fmt: skip
