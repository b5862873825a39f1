"""What was measured on this machine: the file that `runtime.tune` writes and `auto` reads.

One file per processor, number of cores and versions of the libraries: after an upgrade nothing is
known until it is measured again. In it one entry per voice, found by the digests of its graphs.
"""

import hashlib
import importlib.metadata
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runtime.errors import MachineError
from runtime.files import write_whole
from runtime.manifest import Manifest
from runtime.processor import cores, processor

FORMAT = 1
AGAIN = "python -m runtime.tune -m DIR"
LIBRARIES = ("onnxruntime", "onnxruntime-gpu", "openvino")


@dataclass(frozen=True)
class Machine:
    """What decides which back end is fastest, besides the voice."""

    processor: str
    cores: int
    versions: Mapping[str, str | None]


def this_machine() -> Machine:
    """The machine that we run on."""
    return Machine(processor(), cores(), {name: _version(name) for name in LIBRARIES})


def _version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def user_folder() -> Path:
    """Where this user's caches are kept; not made here."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "sovits-foundry"


def default_file(machine: Machine) -> Path:
    """The file of this machine."""
    key = hashlib.sha256(json.dumps(asdict(machine), sort_keys=True).encode()).hexdigest()
    return user_folder() / f"tuned-{key[:12]}.json"


def voice_key(voice: Manifest) -> str:
    """What a voice is found by: the digests of its graphs, whatever it is called."""
    digests = {name: voice.files[member.file].sha256 for name, member in voice.graphs.items()}
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()[:32]


def load(path: Path, machine: Machine) -> dict[str, Any]:
    """Every entry of a file, by the voice's key; {} where there is no file.

    Raises:
        MachineError: the file can't be read, or was measured on another machine.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise MachineError(f"{path}: not readable as JSON ({error}); remove it, {AGAIN}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise MachineError(f"{path}: not of format {FORMAT}; remove it, then {AGAIN}")
    if content.get("machine") != asdict(machine):
        raise MachineError(
            f"{path}: measured on {content.get('machine')}, this is {asdict(machine)}; {AGAIN}"
        )
    voices: dict[str, Any] = content["voices"]
    return voices


def backends_of(path: Path, machine: Machine, voice: Manifest) -> dict[str, str]:
    """The back end that was chosen for each measured graph of a voice; {} if none was measured.

    Raises:
        MachineError: see `load`, or the entry has another form.
    """
    entry = load(path, machine).get(voice_key(voice), {"graphs": {}})
    try:
        return {graph: str(found["backend"]) for graph, found in entry["graphs"].items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise MachineError(f"{path}: an entry without {error}; remove it, then {AGAIN}") from error


def save(path: Path, machine: Machine, voice: Manifest, entry: Mapping[str, Any]) -> None:
    """Put one voice's entry into a file, whole or not at all; other voices' entries stay."""
    voices = load(path, machine) | {voice_key(voice): entry}
    content = {"format": FORMAT, "machine": asdict(machine), "voices": voices}
    write_whole(path, json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n")
