"""The app: every route with its family, and what goes around all of them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.errors import FoundryError
from runtime.server import api_v1, api_v2, captions, lists, openai, refusals, schema
from runtime.server.guard import LOCAL_ORIGIN, Guard
from runtime.server.refusals import Family, Refusal
from runtime.server.service import Service

PAGE = Path(__file__).parent / "page"
PAGE_FILES = {
    ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml",
}  # fmt: skip
EXPOSED = (
    "X-Request-Id", "X-Sample-Rate", "X-Seed", "X-Voice", "X-Mode", "X-Truncated", "Retry-After",
)  # fmt: skip
Handler = Callable[[Request, Service], Awaitable[Response]]


@dataclass(frozen=True)
class Route:
    """One thing that can be called.

    Attributes:
        methods: HTTP methods.
        paths: the first is the one that documents name.
        family: whose clients call it.
        handler: answers it.
        kind: media type of the answer; `audio` for any of sound.
        fields: gives its fields for the API's document.
        works: whether it speaks or changes something, so that HEAD must not call it.
    """

    methods: tuple[str, ...]
    paths: tuple[str, ...]
    family: Family
    handler: Handler
    kind: str = schema.JSON
    fields: Callable[[], dict[str, Any]] = dict
    works: bool = False


BOTH = ("GET", "POST")
ROUTES = (
    Route(
        ("POST",), ("/v1/audio/speech", "/audio/speech"), "oai", openai.speak, "audio",
        schema.of_speech, works=True,
    ),
    Route(
        ("POST",), ("/v1/audio/captions",), "oai", captions.captioned, fields=schema.of_speech,
        works=True,
    ),
    Route(
        ("POST",), ("/dev/captioned_speech",), "kok", captions.kokoro, fields=schema.of_speech,
        works=True,
    ),
    Route(("GET",), ("/v1/audio/voices/{name:path}/proof",), "oai", lists.proof),
    Route(("GET",), ("/v1/models", "/models"), "oai", lists.models),
    Route(("GET",), ("/v1/models/{name:path}",), "oai", lists.model),
    Route(("GET",), ("/v1/audio/models", "/audio/models"), "oai", lists.audio_models),
    Route(("GET",), ("/v1/audio/voices", "/v1/voices", "/audio/voices"), "oai", lists.voices),
    Route(("POST",), ("/v1/audio/voices",), "oai", lists.add_voice),
    Route(("DELETE",), ("/v1/audio/voices/{name}",), "oai", lists.delete_voice),
    Route(("POST",), ("/v1/voices/reload",), "oai", lists.reload),
    Route(BOTH, ("/tts",), "v2", api_v2.speak, "audio", schema.of_tts, works=True),
    Route(BOTH, ("/set_gpt_weights",), "v2", api_v2.set_gpt, works=True),
    Route(BOTH, ("/set_sovits_weights",), "v2", api_v2.set_sovits, works=True),
    Route(BOTH, ("/set_refer_audio",), "v2", api_v2.set_reference, works=True),
    Route(BOTH, ("/control",), "v2", api_v2.control, works=True),
    Route(("GET",), ("/speakers",), "v2", lists.speakers),
    Route(("GET",), ("/character_list",), "v2", lists.characters),
    Route(BOTH, ("/change_refer",), "v1", api_v1.change_reference, works=True),
    Route(BOTH, ("/set_model",), "v1", api_v1.set_model, works=True),
    Route(("GET",), ("/health", "/healthz", "/livez"), "own", lists.health),
    Route(("GET",), ("/ready", "/readyz"), "own", lists.ready),
    Route(("GET",), ("/metrics",), "own", lists.measured, "text/plain"),
)  # fmt: skip


def build(service: Service) -> ASGIApp:
    """The whole app of a server."""
    app = FastAPI(
        title="SoVITS Foundry",
        version=service.version,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if service.options.docs else None,
        redirect_slashes=False,
    )
    for route in ROUTES:
        _add(app, route, service)
    for method in BOTH:
        root = partial(_root, service)
        app.add_api_route("/", root, methods=[method], include_in_schema=False)
    if service.options.page:
        app.add_api_route("/page/{name}", _page_file, methods=["GET"], include_in_schema=False)
    app.add_exception_handler(HTTPException, partial(_no_route, app))
    app.add_exception_handler(Exception, _failed)
    return _around(app, service)


def _add(app: FastAPI, route: Route, service: Service) -> None:
    described = schema.operation(route.paths[0], route.family, route.kind)
    for method in route.methods:
        for path in route.paths:
            app.add_api_route(
                path,
                _endpoint(route, service),
                methods=[method],
                include_in_schema=path == route.paths[0],
                response_class=Response,
                operation_id=f"{method}{path}",
                **schema.with_fields(described, route.fields(), method),
            )


def _around(app: ASGIApp, service: Service) -> ASGIApp:
    origins = service.options.guard.origins
    return CORSMiddleware(
        Guard(_Heads(app), service),
        allow_origins=list(origins),
        allow_origin_regex=LOCAL_ORIGIN.pattern,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["*"],
        expose_headers=EXPOSED,
        max_age=600,
        allow_private_network=True,
    )


def _endpoint(route: Route, service: Service) -> Callable[[Request], Awaitable[Response]]:
    async def called(request: Request) -> Response:
        if route.works and request.scope.get("is_head"):
            raise HTTPException(405)
        return await _told(partial(route.handler, request, service), lambda: route.family)

    called.__name__ = route.handler.__name__
    called.__doc__ = route.handler.__doc__
    return called


async def _told(call: Callable[[], Awaitable[Response]], family: Callable[[], Family]) -> Response:
    """The answer of a handler; its errors in the family's words."""
    try:
        return await call()
    except Refusal as refusal:
        return refusals.response(refusal, family())
    except FoundryError as error:
        text_field = "input" if family() in ("oai", "kok") else "text"
        return refusals.response(refusals.of_error(error, text_field), family())


async def _root(service: Service, request: Request) -> Response:
    """`/`: GPT-SoVITS's first API where there is a text, else the web page."""
    family: Family = "v1"

    async def call() -> Response:
        nonlocal family
        body = await api_v2.asked_fields(request)
        family = "v2" if api_v1.is_v2(body) else "v1"
        if request.method == "GET" and "text" not in body and service.options.page:
            return _page("index.html")
        if request.method == "GET" and "text" not in body:
            raise Refusal(404, "not_found", "there is no page here; speak with text=")
        if request.scope.get("is_head"):
            raise HTTPException(405)
        return await api_v1.speak(request, service, body)

    return await _told(call, lambda: family)


async def _page_file(name: str) -> Response:
    """One file of the web page."""
    known = {path.name for path in PAGE.iterdir() if path.suffix in PAGE_FILES}
    if name not in known:
        return refusals.response(Refusal(404, "not_found", "there is no such file"), "own")
    return _page(name)


def _page(name: str) -> Response:
    path = PAGE / name
    return FileResponse(
        path, media_type=PAGE_FILES[path.suffix], headers={"Cache-Control": "no-cache"}
    )


async def _no_route(app: FastAPI, request: Request, error: Exception) -> Response:
    """Paths and methods that nobody serves, and what the framework refuses by itself."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        allowed = ", ".join(_methods_at(app, request.scope))
        refusal = Refusal(405, "method_not_allowed", f"use {allowed}", headers={"Allow": allowed})
    elif status == 404:
        refusal = Refusal(404, "not_found", "there is nothing at this path")
    else:
        refusal = Refusal(status, "invalid_value", "the request can't be read; send it anew")
    return refusals.response(refusal, refusals.family_of(request.scope["path"]))


def _methods_at(app: FastAPI, scope: Scope) -> list[str]:
    found: set[str] = set()
    for route in app.routes:
        match, _ = route.matches(scope)
        if match.value:
            found |= getattr(route, "methods", None) or set()
    return sorted(found)


async def _failed(request: Request, error: Exception) -> Response:
    """A fault of ours; the framework writes it to the log."""
    return refusals.response(refusals.internal(), refusals.family_of(request.scope["path"]))


class _Heads:
    """HEAD is GET without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def headers_only(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        asked: dict[str, Any] = {**scope, "method": "GET", "is_head": True}
        await self._app(asked, receive, headers_only)
