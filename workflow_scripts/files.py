"""Outputs that appear whole or not at all."""

import contextlib
import glob
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def atomic(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """Give a temporary path beside each output; all are renamed together when the block ends well.

    Args:
        paths: the outputs of one job; their folders are made.

    Yields:
        One path per output to write to. After an exception no output has changed.
    """
    parts: list[Path] = []
    try:
        for path in paths:
            parts.append(_part_beside(path))
        yield tuple(parts)
        for part, path in zip(parts, paths, strict=True):
            part.chmod(0o644)
            part.replace(path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def _part_beside(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        left.unlink(missing_ok=True)  # of a killed run; a living writer fails at its rename
    handle, name = tempfile.mkstemp(".part", f".{path.name}.", path.parent)
    os.close(handle)
    return Path(name)


def write_json(path: Path, content: Any) -> None:
    """Write strict JSON (no NaN, no Infinity), readable and with a final newline."""
    text = json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)
    path.write_text(text + "\n", "utf-8")
