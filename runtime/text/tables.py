"""Read the tables beside this module; each file is read once, when first asked for."""

import json
from pathlib import Path
from typing import Any

from runtime.text.imports import once

DATA = Path(__file__).with_name("data")


@once
def table(name: str) -> dict[str, Any]:
    """The content of `data/NAME.json`; callers must not change it."""
    content: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text("utf-8"))
    return content
