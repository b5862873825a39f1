"""Requests that are not served: one exception, and how each family of clients reads it.

OpenAI's clients read `error.message`, GPT-SoVITS's `message`, Kokoro's `detail.message`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.responses import JSONResponse

from runtime.errors import (
    ArtifactError,
    AudioError,
    BackendMissing,
    FoundryError,
    MachineError,
    SettingError,
    TextError,
)

Family = Literal["oai", "v2", "v1", "kok", "own"]
TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
NO_RETRY = {"x-should-retry": "false"}  # it would fail again


@dataclass(eq=False)
class Refusal(Exception):  # noqa: N818 - it is no fault of ours
    """Why a request gets no sound.

    Attributes:
        status: HTTP status.
        code: short name of the reason, for programs.
        message: for people: what is wrong, and what to do.
        param: the field that is wrong; None if it is none.
        headers: to send along.
        tried: what the message of GPT-SoVITS's own clients starts with, where something was tried.
    """

    status: int
    code: str
    message: str
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    tried: str = ""

    @property
    def type(self) -> str:
        """OpenAI's word for this kind of error."""
        if self.status >= 500:
            return "server_error"
        return TYPES.get(self.status, "invalid_request_error")

    @property
    def error(self) -> dict[str, Any]:
        """What OpenAI's clients read."""
        content = {"message": self.message, "type": self.type}
        return content | {"param": self.param, "code": self.code}


def invalid(param: str | None, message: str, code: str = "invalid_value") -> Refusal:
    """A field with a value that can't be."""
    return Refusal(400, code, message, param)


def busy(status: int, code: str, message: str, after_s: float) -> Refusal:
    """A request that can be sent again later."""
    wait = min(60, max(1, math.ceil(after_s)))
    return Refusal(status, code, message, headers={"Retry-After": str(wait)})


def internal() -> Refusal:
    """A fault of ours; the log has more."""
    return Refusal(
        500,
        "internal",
        "the server failed at this request; its log has the reason",
        headers=NO_RETRY,
    )


def of_error(error: FoundryError, text_field: str = "input") -> Refusal:
    """The refusal that one of our errors means; paths and insides stay in the log."""
    message = str(error)
    match error:
        case SettingError():
            param, colon, _ = message.partition(":")
            return invalid(param if colon and param.isidentifier() else None, message)
        case TextError():
            rest = message.removeprefix("text: ").removeprefix(f"{text_field}: ")
            return invalid(text_field, f"{text_field}: {rest}", "nothing_to_say")
        case AudioError():
            return invalid("ref_audio", message, "bad_reference")
        case BackendMissing():
            return invalid(None, message, "unavailable")
        case ArtifactError() | MachineError():
            why = "this voice can't be used; the server's log has the reason"
            return Refusal(500, "voice_broken", why, headers=NO_RETRY)
    return internal()


def response(refusal: Refusal, family: Family) -> JSONResponse:
    """The answer that says it, in the shape that a family's clients read."""
    headers = dict(refusal.headers)
    return JSONResponse(_body(refusal, family), refusal.status, headers)


def _body(refusal: Refusal, family: Family) -> dict[str, Any]:
    if family == "oai":
        return {"error": refusal.error}
    if family == "kok":
        content = {"error": refusal.code, "message": refusal.message, "type": refusal.type}
        return {"detail": content}
    if family == "v1":
        return {"code": refusal.status, "message": refusal.message}
    if refusal.tried:
        return {"message": refusal.tried, "Exception": refusal.message}
    return {"message": refusal.message}


def family_of(path: str) -> Family:
    """Whose clients call a path, for answers of routes that do not exist."""
    if path.startswith("/dev/"):
        return "kok"
    lists = ("/v1/", "/audio/", "/models")
    return "oai" if path.startswith(lists) or path == "/v1" else "v2"
