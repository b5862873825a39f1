"""What all families read from a request alike: voice, format, switches, settings."""

import secrets
from collections.abc import Mapping
from typing import Any, cast

from runtime.errors import FoundryError, SettingError
from runtime.server import fields, labels
from runtime.server.library import Bundle
from runtime.server.options import Options
from runtime.server.refusals import Refusal, invalid, of_error
from runtime.setting_row import Api, Setting
from runtime.settings import SETTINGS, Changes, from_body
from runtime.sound.formats import FORMATS, known

SEED_BITS = 53  # what JavaScript's numbers hold


def settings(body: fields.Fields, api: Api, options: Options, bundle: Bundle) -> Changes:
    """The settings that a body names; those that only other kinds of voices have are passed over.

    Clients send all that they know to any voice, as `sample_steps`.

    Raises:
        Refusal: 400, one is wrong.
    """
    kind = bundle.manifest.acoustic.kind
    unused = {
        name for row in SETTINGS.values() if not row.used_by(kind) for name in row.names_in(api)
    }
    known = {name: value for name, value in body.items() if name not in unused}
    try:
        found = cast(dict[str, Any], from_body(labels.translated(known), api))
    except FoundryError as error:
        raise of_error(error) from error
    found.setdefault("lang", labels.language(options.language))
    return cast(Changes, found)


def drawn_seed(changes: Changes) -> int:
    """The seed of a request, taken out of its settings; a new one where it has none."""
    given = changes.pop("seed", None)
    return secrets.randbits(SEED_BITS) if given is None else given


def switch(body: Mapping[str, Any], name: str) -> bool | None:
    """A field that is true or false; None where nothing is said.

    Raises:
        Refusal: 400, it is something else.
    """
    return cast(bool | None, coerced(Setting(name, bool, "", "request"), body))


def coerced(row: Setting, body: Mapping[str, Any]) -> Any:
    """A field under a row's name; None where nothing is said.

    Raises:
        Refusal: 400, it is none of the row's values.
    """
    try:
        return row.coerced(body.get(row.name))
    except SettingError as error:
        raise of_error(error) from error


def format_named(word: str, names: Mapping[str, str], field: str) -> str:
    """The format that a client's word means.

    Args:
        word: as it came.
        names: the words that are taken, each with a key of FORMATS.
        field: that it came in.

    Raises:
        Refusal: 400, there is none, or it can't be written here.
    """
    name = names.get(word.strip().casefold())
    if name is None:
        message = f"{field}: {word[:40]!r} is no format; use one of {', '.join(names)}"
        raise invalid(field, message, "unsupported_format")
    try:
        known(name)
    except FoundryError as error:
        raise invalid(field, f"{field}: {error}", "unsupported_format") from error
    return name


def rate(body: Mapping[str, Any], name: str, usual: int | None) -> int | None:
    """The rate that is asked for, in Hz.

    Raises:
        Refusal: 400, the format can't hold it.
    """
    row = Setting("sample_rate", int, "", "sound", low=8_000, high=48_000)
    wanted: int | None = coerced(row, body)
    rates = FORMATS[name].rates
    if wanted and rates and wanted not in rates:
        message = (
            f"sample_rate: {name} can't hold {wanted} Hz; use one of {', '.join(map(str, rates))}"
        )
        raise invalid("sample_rate", message)
    return wanted or usual


def speakable(bundle: Bundle, changes: Changes) -> None:
    """Refuse a language that a voice can't speak here, before anything is loaded.

    Raises:
        Refusal: 400.
    """
    code = str(changes.get("lang") or "auto").removeprefix("all_")
    if code.startswith("auto") or code in bundle.languages:
        return
    message = f"language: {code} can't be spoken by this voice here; it speaks"
    raise Refusal(
        400, "language_unavailable", f"{message} {', '.join(bundle.languages)}", "language"
    )
