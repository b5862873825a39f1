"""Keep a training's state in a file, so that it goes on where it was stopped.

Knows nothing of what is trained.
"""

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from workflow_scripts.files import atomic


class Stateful(Protocol):
    """A network, an optimiser, a schedule."""

    def state_dict(self) -> Any:
        """What it has learned."""

    def load_state_dict(self, state: Any) -> Any:
        """Go on from there."""


def resume(path: Path, parts: Mapping[str, Stateful]) -> int:
    """Fill the parts from the file, if it is there; how many steps they have gone."""
    if not path.exists():
        return 0
    stored = torch.load(path, map_location="cpu", weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(stored[name])
    return int(stored["step"])


def save(path: Path, parts: Mapping[str, Stateful], step: int) -> None:
    """Write the parts and the number of steps that they have gone."""
    with atomic(path) as (part,):
        torch.save({"step": step} | {name: kept.state_dict() for name, kept in parts.items()}, part)


def asked_to_stop() -> Callable[[], bool]:
    """Whether a signal to end has come since this call; it no longer kills the process."""
    came: list[int] = []
    for sent in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sent, lambda number, _: came.append(number))
    return lambda: bool(came)
