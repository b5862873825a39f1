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
from dataclasses import asdict, dataclass, field
from pathlib import Path

from runtime import records
from runtime.errors import MachineError
from runtime.files import write_whole
from runtime.manifest import Manifest
from runtime.processor import cores, processor

FORMAT = 2
AGAIN = "python -m runtime.tune -m DIR"
LIBRARIES = ("onnxruntime", "onnxruntime-gpu", "openvino")


@dataclass(frozen=True)
class Tried:
    """One back end's measurements of one graph.

    Attributes:
        milliseconds: median of one call.
        times_faster: median over rounds, against `cpu`.
        distance: in the metric of the graph's bar; None if the answer was not finite.
        refused: why it can't run the graph; empty if it can.
    """

    milliseconds: float | None = None
    times_faster: float | None = None
    distance: float | None = None
    refused: str = ""


@dataclass(frozen=True)
class Chosen:
    """What was measured of one graph.

    Attributes:
        backend: the one that was chosen.
        metric: of the distance from `cpu`.
        bar: the largest distance that is let through.
        measured: back end → what was measured.
        windows: of the vocoder, in frames; () for a graph that has none.
    """

    backend: str
    metric: str = ""
    bar: float = 0.0
    measured: Mapping[str, Tried] = field(default_factory=dict)
    windows: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What was measured of one voice.

    Attributes:
        voice, precision: of the bundle.
        threads: of each session; 0 for all cores.
        rounds: calls of each back end per graph.
        load_average, busy: before it began; None where the system does not report it.
        graphs: name → what was chosen.
    """

    voice: str = ""
    precision: str = ""
    threads: int = 0
    rounds: int = 0
    load_average: float | None = None
    busy: bool | None = None
    graphs: Mapping[str, Chosen]


@dataclass(frozen=True)
class Machine:
    """What decides which back end is fastest, besides the voice."""

    processor: str
    cores: int
    versions: Mapping[str, str | None]


@dataclass(frozen=True)
class TunedFile:
    """The whole file of one machine.

    Attributes:
        format: version of this layout.
        machine: that it was measured on.
        voices: key of a voice → its entry.
    """

    format: int
    machine: Machine
    voices: Mapping[str, Entry]


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
    facts = {"format": FORMAT, **asdict(machine)}  # files of another format are another's
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return user_folder() / f"tuned-{key[:12]}.json"


def voice_key(voice: Manifest) -> str:
    """What a voice is found by: the digests of its graphs, whatever it is called."""
    digests = {name: voice.files[member.file].sha256 for name, member in voice.graphs.items()}
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()[:32]


def load(path: Path, machine: Machine) -> dict[str, Entry]:
    """Every entry of a file, by the voice's key; {} where there is no file.

    Raises:
        MachineError: the file can't be read, or was measured on another machine.
    """
    cure = f"remove it, then {AGAIN}"
    try:
        content = records.content(path, MachineError, cure)
    except FileNotFoundError:
        return {}
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise MachineError(f"{path}: not of format {FORMAT}; {cure}")
    if content.get("machine") != asdict(machine):
        raise MachineError(
            f"{path}: measured on {content.get('machine')}, this is {asdict(machine)}; {AGAIN}"
        )
    found = records.parse(
        TunedFile, content, f"{path}", lambda fault: MachineError(f"{fault}; {cure}")
    )
    return dict(found.voices)


def backends_of(path: Path, machine: Machine, voice: Manifest) -> dict[str, str]:
    """The back end that was chosen for each measured graph of a voice; {} if none was measured.

    Raises:
        MachineError: see `load`.
    """
    entry = load(path, machine).get(voice_key(voice))
    return {graph: chosen.backend for graph, chosen in entry.graphs.items()} if entry else {}


def windows_of(path: Path, machine: Machine, voice: Manifest) -> tuple[int, ...]:
    """The vocoder's windows that were measured fastest, in frames; () for the usual ones.

    Raises:
        MachineError: see `load`.
    """
    entry = load(path, machine).get(voice_key(voice))
    chosen = entry.graphs.get(voice.acoustic.vocoder) if entry else None
    return chosen.windows if chosen else ()


def save(path: Path, machine: Machine, voice: Manifest, entry: Entry) -> None:
    """Put one voice's entry into a file, whole or not at all; other voices' entries stay."""
    voices = load(path, machine) | {voice_key(voice): entry}
    write_whole(path, records.text(TunedFile(FORMAT, machine, voices)))
