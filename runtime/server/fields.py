"""Fields of a request's body, form or query: read with limits, and turned into values."""

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from runtime.server.refusals import Refusal, invalid

Fields = dict[str, Any]
DEEPEST = 32
PARTS = 10
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
NOT_SPOKEN = {code: None for code in (*range(32), 127) if chr(code) not in "\n\r\t"}
LISTED = re.compile("[\n;]")


def query_fields(request: Request) -> Fields:
    """Fields of the query; a key that is repeated has a list."""
    found: Fields = {}
    for name, value in request.query_params.multi_items():
        if name in found:
            before = found[name]
            found[name] = [*(before if isinstance(before, list) else [before]), value]
        else:
            found[name] = value
    return found


async def body_fields(request: Request, *, forms: bool = False) -> Fields:
    """Fields of the body: a JSON object, a form where it is taken, or nothing beside a query.

    Raises:
        Refusal: 415, another type; 400, no JSON object.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if forms and kind in FORMS:
        async with request.form(max_files=0, max_fields=64, max_part_size=1 << 20) as form:
            return {name: value for name, value in form.items() if isinstance(value, str)}
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise Refusal(415, "unsupported_media_type", "the body is not JSON; send application/json")
    content = await request.body()
    return parsed(content) if content or not request.query_params else {}


async def upload_fields(request: Request) -> tuple[Fields, bytes | None]:
    """Fields of a multipart form, and the content of its file `audio_sample`.

    Raises:
        Refusal: 415, another type; 400, malformed.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise Refusal(415, "unsupported_media_type", "send the sound as multipart/form-data")
    found: Fields = {}
    content = None
    async with request.form(max_files=2, max_fields=PARTS, max_part_size=1 << 16) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                content = await value.read() if name == "audio_sample" else content
            else:
                found[name] = value
    return found, content


def parsed(body: bytes) -> Fields:
    """The object of a JSON body.

    Raises:
        Refusal: it is none, or it is nested too deeply.
    """
    wrong = Refusal(400, "invalid_json", "the body is not a JSON object; send one in UTF-8")
    try:
        found = json.loads(body.decode("utf-8-sig"), parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError):
        raise wrong from None
    if not isinstance(found, dict):
        raise wrong
    if _depth(found) > DEEPEST:
        raise Refusal(400, "invalid_json", f"the body is nested deeper than {DEEPEST}; flatten it")
    return found


def _no_number(word: str) -> None:
    raise ValueError(word)


def _finite(word: str) -> float:
    """A number that can be worked with; 1e999 is none."""
    number = float(word)
    if not math.isfinite(number):
        raise ValueError(word)
    return number


def _depth(value: object) -> int:
    depth, level = 0, [value]
    while level and depth <= DEEPEST:
        depth += 1
        level = [
            child
            for one in level
            if isinstance(one, dict | list)
            for child in (one.values() if isinstance(one, dict) else one)
        ]
    return depth


def text(fields: Mapping[str, Any], *names: str) -> str | None:
    """The first of these fields that holds text; None where none does, null and "" included.

    Raises:
        Refusal: 400, it is something else.
    """
    for name in names:
        value = fields.get(name)
        if value is None or value == "":
            continue
        if not isinstance(value, str):
            raise invalid(name, f"{name}: it is not text; give a string")
        if re.search("[\ud800-\udfff]", value):
            raise invalid(name, f"{name}: it holds half a character (a surrogate); send Unicode")
        return value
    return None


def texts(fields: Mapping[str, Any], name: str) -> list[str]:
    """A field with several texts: a list, one text, JSON in a text, or lines.

    Raises:
        Refusal: 400, an item is no text.
    """
    value = fields.get(name)
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            raise invalid(name, f"{name}: it is no list; give a JSON list of texts") from None
    if value is None or isinstance(value, str):
        return [item.strip() for item in LISTED.split(value or "") if item.strip()]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise invalid(name, f"{name}: it holds something that is no text; give a list of texts")
    return [item for item in value if item.strip()]


def spoken_text(fields: Mapping[str, Any], longest: int, *names: str) -> str:
    """What is to be said, in NFC and without control characters.

    Raises:
        Refusal: 400, it is missing, blank, or too long.
    """
    name = names[0]
    found = text(fields, *names)
    if found is None:
        if any(one in fields for one in names):
            raise invalid(name, f"{name}: there is nothing in it to speak", "nothing_to_say")
        raise invalid(name, f"{name}: it is missing; give what to say", "missing_field")
    found = unicodedata.normalize("NFC", found).translate(NOT_SPOKEN)
    if not found.strip():
        raise invalid(name, f"{name}: there is nothing in it to speak", "nothing_to_say")
    if len(found) > longest:
        message = f"{name}: {len(found)} characters; give at most {longest}"
        raise invalid(name, message, "text_too_long")
    return found
