"""Read the tables beside this module; each file is read once, when first asked for."""

import json
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("data")


@cache
def table(name: str) -> dict[str, Any]:
    """The content of `data/NAME.json`; callers must not change it."""
    content: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text("utf-8"))
    return content
