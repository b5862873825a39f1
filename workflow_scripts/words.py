"""The words of a command line, out of what they say. Knows no command."""

from collections.abc import Mapping
from typing import Any


def words(options: Mapping[str, Any]) -> list[str]:
    """`--key` and its value, or its values if it is a list, of each key."""
    found: list[str] = []
    for key, value in options.items():
        values = value if isinstance(value, list) else [value]
        found += [f"--{key.replace('_', '-')}", *map(str, values)]
    return found
