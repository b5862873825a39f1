"""One setting: its values, its names, and what is said where a value is wrong.

A row is all that is known of a setting. The check of a Python value, the reading of text that came
by command line or HTTP, the JSON schema and the documents are made of it.
"""

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, Literal, cast

from runtime.errors import SettingError

Api = Literal["openai", "api_v2"]
NOUNS: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
}
JSON_TYPES: Mapping[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}
TRUE, FALSE = ("true", "1", "yes", "on", "t", "y"), ("false", "0", "no", "off", "f", "n")
WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?")
LONGEST_SHOWN = 60  # characters of a wrong value in a message
SIMILAR = 0.5  # of difflib: `jp` and `ja` have one letter of two in common
REFUSED = object()


@dataclass(frozen=True)
class Setting:
    """One row of the table.

    Attributes:
        name: in Python, and in a manifest.
        kind: type of its values; of a structured setting its class.
        other_kinds: further classes of its values.
        help: what it is, a phrase.
        group: where lists put it: `request`, `tokens`, `sound` or `stream`.
        default: its value where nobody gives another; None: see `usual`.
        usual: what documents say of a default of None.
        low, high: range of a number, both included.
        above: whether `low` itself is left out.
        numbers: those of the range that it can be; empty for all.
        values: its values in words, where the rest of the row does not give them.
        choices: values of a text; taken in any case.
        meant: other words for choices, which a message points out.
        optional: whether None is a value, and means `usual`.
        of_voice: whether a bundle may say what its default is.
        acoustic_kinds: kinds of acoustic model that use it; empty for all.
        cli: its option; empty for `--` and its name, None where it has none.
        openai, api_v2: its names in the bodies of these APIs, the first found counts; None for its
            own name.
        in_seconds: those of its names whose values are seconds, where its own are milliseconds.
        below: what a number below the range means in a body, as -1 for a random seed.
    """

    name: str
    kind: type
    help: str
    group: str
    other_kinds: tuple[type, ...] = ()
    default: Any = None
    usual: str = ""
    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    numbers: tuple[int, ...] = ()
    values: str = ""
    choices: tuple[str, ...] = ()
    meant: Mapping[str, str] = field(default_factory=dict)
    optional: bool = False
    of_voice: bool = False
    acoustic_kinds: frozenset[str] = frozenset()
    cli: str | None = ""
    openai: tuple[str, ...] | None = None
    api_v2: tuple[str, ...] | None = ()
    in_seconds: frozenset[str] = frozenset()
    below: Any = REFUSED

    @property
    def option(self) -> str:
        """Its option on the command line; empty where it has none."""
        return "" if self.cli is None else self.cli or "--" + self.name.replace("_", "-")

    @property
    def allowed(self) -> str:
        """Its values, as messages and documents give them."""
        if self.values:
            return self.values
        if self.kind is bool:
            return "True or False"
        if self.choices:
            return ", ".join(self.choices)
        if self.numbers:
            return ", ".join(map(str, self.numbers))
        if self.above:
            return f"above {_number(self.low)}, up to {_number(self.high)}"
        return f"{_number(self.low)} to {_number(self.high)}"

    def names_in(self, api: Api) -> tuple[str, ...]:
        """Its names in the bodies of an API, the first found counts."""
        names = self.openai if api == "openai" else self.api_v2
        return (self.name,) if names is None else names

    def used_by(self, acoustic_kind: str) -> bool:
        """Whether voices of this kind of acoustic model do anything with it."""
        return not self.acoustic_kinds or acoustic_kind in self.acoustic_kinds

    def checked(self, value: Any, name: str = "") -> Any:
        """A value that Python code gave, as its plain type.

        Args:
            value: of any type; numbers in strings are wrong here.
            name: what messages call the setting; empty for its own name.

        Raises:
            SettingError: it is none of the setting's values; names them.
        """
        name, value = name or self.name, _plain(value)
        if value is None and self.optional:
            return None
        if not _is_a(self.kind, value) and not isinstance(value, self.other_kinds):
            noun = NOUNS.get(self.kind, f"a {self.kind.__name__}")
            raise SettingError(f"{name}: {shown(value)} is not {noun}; give {self.allowed}")
        if self.choices:
            return self._chosen(value, name)
        if self.kind in (int, float):
            self._refuse_outside(value, name)
        return self.kind(value) if self.kind in NOUNS else value

    def parsed(self, text: str, name: str = "") -> Any:
        """A value that was typed, as the command line gives it.

        Raises:
            SettingError: it is none of the setting's values.
        """
        value = _from_text(self.kind, text)
        return self.checked(text if value is None else value, name)

    def coerced(self, value: Any, name: str = "") -> Any:
        """A value of a JSON body, a form or a query; None where it means that nothing was said.

        Numbers and truth values may come as text, whole numbers as 5.0, and null and empty text
        are as if the field were not there.

        Args:
            value: as JSON gives it.
            name: the field that it came in, for messages and its unit.

        Raises:
            SettingError: it is none of the setting's values.
        """
        name = name or self.name
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        plain = (_from_text if isinstance(value, str) else _from_json)(self.kind, value)
        if plain is None:
            return self.checked(value, name)
        if name in self.in_seconds:
            plain = self._milliseconds(plain, value, name)
        if self.below is not REFUSED and plain < self.low:
            return self.below
        return self.checked(plain, name)

    def schema(self) -> dict[str, Any]:
        """The JSON schema of its values."""
        found: dict[str, Any] = {"type": JSON_TYPES.get(self.kind, "object")}
        if self.choices:
            found["enum"] = list(self.choices)
        if math.isfinite(self.low):
            found["exclusiveMinimum" if self.above else "minimum"] = self.low
        if math.isfinite(self.high):
            found["maximum"] = self.high
        return found | {"description": self.help}

    def _chosen(self, value: str, name: str) -> str:
        word = value.strip().lower()
        if word in self.choices:
            return word
        near = difflib.get_close_matches(word, self.choices, 1, SIMILAR)
        guess = self.meant.get(word) or (near[0] if near else "")
        hint = f"did you mean {guess!r}?" if guess else "choose one of them"
        raise SettingError(f"{name}: {shown(value)} is none of {self.allowed}; {hint}")

    def _refuse_outside(self, value: Any, name: str) -> None:
        if self.numbers and value not in self.numbers:
            raise SettingError(f"{name}: {shown(value)} is none of {self.allowed}")
        if self.low <= value <= self.high and not (self.above and value == self.low):
            return
        if self.above:
            raise SettingError(f"{name}: {shown(value)} is not {self.allowed}")
        raise SettingError(
            f"{name}: {shown(value)} is not between {_number(self.low)} and {_number(self.high)}"
        )

    def _milliseconds(self, seconds: Any, value: Any, name: str) -> int:
        low, high = self.low / 1000, self.high / 1000
        if not low <= seconds <= high:
            raise SettingError(
                f"{name}: {shown(value)} is not between {_number(low)} and {_number(high)}"
            )
        return cast(int, round(seconds * 1000))


def nearest(name: str, known: tuple[str, ...]) -> str:
    """What a message says after an unknown name: the nearest known one, or all of them."""
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


def shown(value: Any) -> str:
    """A wrong value as a message shows it: short, whatever it is."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 200:
        return f"a number of {int(value.bit_length() * math.log10(2)) + 1} digits"
    value = _plain(value)
    if value is None or isinstance(value, bool | int | float | str):
        text = repr(value)
        return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
    return f"a {type(value).__name__}"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _plain(value: Any) -> Any:
    """A scalar of numpy as Python's own; anything else as it is."""
    return value.item() if type(value).__module__ == "numpy" and not value.ndim else value


def _is_a(kind: type, value: Any) -> bool:
    if kind is bool:
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if kind in (int, float):
        return isinstance(value, Integral if kind is int else Real)
    return isinstance(value, kind)


def _from_text(kind: type, text: str) -> Any:
    """The value that a text stands for; None where it stands for none."""
    word = text.strip().lower()
    if kind is bool:
        return True if word in TRUE else False if word in FALSE else None
    if kind not in (int, float):
        return text
    if kind is int and WHOLE.fullmatch(word):
        return int(word)
    value = float(word) if DECIMAL.fullmatch(word) else math.nan
    if not math.isfinite(value):
        return None
    return int(value) if kind is int and value.is_integer() else value


def _from_json(kind: type, value: Any) -> Any:
    """A value of JSON as the type where the two are the same; None where it is no such value."""
    if kind is bool:
        return bool(value) if isinstance(value, int | float) and value in (0, 1) else None
    if kind is int and isinstance(value, bool | float) and value == value // 1:
        return int(value)
    number = kind in (int, float) and _is_a(float, value)
    return value if number or _is_a(kind, value) else None
