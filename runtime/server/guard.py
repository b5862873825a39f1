"""What stands before every route: hosts, origins, keys, sizes, and the headers of every answer."""

import asyncio
import hmac
import re
from collections.abc import Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.server import refusals
from runtime.server.options import GuardOptions, is_loopback, key_digest
from runtime.server.refusals import Refusal
from runtime.server.service import Service, request_id

LOCAL_ORIGIN = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?")
OPEN_PATHS = ("/health", "/healthz", "/livez", "/ready", "/readyz")
LIST_PATHS = (
    "/v1/models", "/models", "/v1/audio/models", "/audio/models", "/v1/audio/voices", "/v1/voices",
    "/audio/voices",
)  # fmt: skip
STATE_CHANGING = (
    "/set_gpt_weights", "/set_sovits_weights", "/set_refer_audio", "/control", "/change_refer",
    "/set_model",
)  # fmt: skip
WITH_AUDIO = ("/v1/audio/speech", "/audio/speech", "/v1/audio/voices", "/v1/audio/captions")
PAGE_POLICY = {
    b"content-security-policy": b"default-src 'self'; media-src 'self' blob:; connect-src 'self'",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
}


class TooLarge(Exception):  # noqa: N818 - its refusal says more
    """A body is larger than it may be."""


class Guard:
    """Middleware around the whole app."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service
        self._options: GuardOptions = service.options.guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        scope["path"] = path = scope["path"].rstrip("/") or "/"
        scope.setdefault("state", {})["request_id"] = number = request_id(headers)
        send = _with_headers(send, number, is_page=path == "/" or path.startswith("/page"))
        self._service.metrics.connections.inc()
        try:
            self._check(scope, headers)
            limited = _Limited(receive, self._limit(path), self._options.body_s)
            await self._app(scope, limited, send)
        except Refusal as refusal:
            self._service.metrics.rejected.labels(refusal.code).inc()
            answer = refusals.response(refusal, refusals.family_of(path))
            await answer(scope, receive, send)
        finally:
            self._service.metrics.connections.dec()

    def _check(self, scope: Scope, headers: Headers) -> None:
        path, method = scope["path"], scope["method"]
        self._check_host(headers)
        self._check_site(path, method, headers)
        self._check_key(scope, headers)
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise Refusal(415, "unsupported_media_type", "the body is compressed; send it plain")
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > self._limit(path):
            raise too_large(self._limit(path))

    def _limit(self, path: str) -> int:
        return self._options.audio_body_bytes if path in WITH_AUDIO else self._options.body_bytes

    def _check_host(self, headers: Headers) -> None:
        """A page elsewhere may give its own name our address: names that are not ours go."""
        try:
            host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        except ValueError:  # `[::1`: no name at all
            host = ""
        known = (self._options.host, *self._options.hosts)
        if "*" in known or host in known or is_loopback(host):
            return
        raise Refusal(
            403, "host_not_allowed", "this server has another name; start it with --allowed-host"
        )

    def _check_site(self, path: str, method: str, headers: Headers) -> None:
        """What changes something, or costs work, is not for pages of strangers."""
        if method not in ("POST", "DELETE") and path not in STATE_CHANGING:
            return
        origin = headers.get("origin")
        cross = headers.get("sec-fetch-site", "").lower() == "cross-site"
        if (cross and origin is None) or (origin is not None and not self._knows(origin, headers)):
            raise Refusal(
                403, "cross_site", "pages of this origin may not call; start with --cors-origin"
            )

    def _knows(self, origin: str, headers: Headers) -> bool:
        own = f"//{headers.get('host', '')}"
        return origin.partition(":")[2] == own or is_allowed(origin, self._options.origins)

    def _check_key(self, scope: Scope, headers: Headers) -> None:
        path, method = scope["path"], scope["method"]
        free = path in OPEN_PATHS or path == "/page" or path.startswith("/page/")
        free = free or method == "OPTIONS" or _is_page(scope)
        free = free or (self._options.open_lists and path in LIST_PATHS and method != "POST")
        if not self._options.keys or free or has_key(headers, self._options.keys):
            return
        raise Refusal(
            401, "invalid_api_key", "the key is missing or wrong; send Authorization: Bearer KEY",
            headers={"WWW-Authenticate": "Bearer"},
        )  # fmt: skip


def _is_page(scope: Scope) -> bool:
    """Whether the web page is asked for: the path without a text to speak."""
    asked = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return scope["path"] == "/" and scope["method"] in ("GET", "HEAD") and "text" not in asked


def has_key(headers: Headers, keys: Iterable[bytes]) -> bool:
    """Whether one of the keys came along; takes the same time for any wrong one."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    given = [bearer.strip()] if scheme.lower() == "bearer" else []
    given += [headers[name] for name in ("x-api-key", "api-key") if name in headers]
    found = False
    for digest in [key_digest(one) for one in given]:
        for key in keys:
            found |= hmac.compare_digest(digest, key)
    return found


def is_allowed(origin: str, origins: Iterable[str]) -> bool:
    """Whether pages of an origin may call: those of this machine, and those that were named."""
    return "*" in origins or origin in origins or bool(LOCAL_ORIGIN.fullmatch(origin))


def too_large(limit: int) -> Refusal:
    """A body over its limit; the connection ends, since the rest is not read."""
    message = f"the body is larger than {limit} bytes"
    return Refusal(413, "too_large", message, headers={"Connection": "close"})


class _Limited:
    """A body that is read up to a size, in a time."""

    def __init__(self, receive: Receive, limit: int, seconds: float) -> None:
        self._receive = receive
        self._limit = limit
        self._seconds = seconds
        self._size = 0
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout(self._seconds):
                message: MutableMapping[str, Any] = await self._receive()
        except TimeoutError:
            raise Refusal(
                408, "slow_body", "the body came too slowly",
                headers={"Connection": "close", **refusals.NO_RETRY},
            ) from None  # fmt: skip
        self._size += len(message.get("body", b""))
        if self._size > self._limit:
            raise too_large(self._limit)
        self._whole = not message.get("more_body", False)
        return message


def _with_headers(send: Send, number: str, *, is_page: bool) -> Send:
    added = [(b"x-request-id", number.encode()), (b"x-content-type-options", b"nosniff")]
    if is_page:
        added += PAGE_POLICY.items()

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *added]
        await send(message)

    return sent
