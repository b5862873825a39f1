"""Which engine file belongs to a graph on this machine, and whether it is what its sidecar states.

Nothing is loaded here: an engine of another machine may hang a GPU, so it is refused before.
"""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.contract import DEVICE_GRAPHS
from runtime.errors import BackendMissing, EngineMismatch
from runtime.machine import MachineRecord, differing
from runtime.manifest import digest
from runtime.records import content

BUILD = "run snakemake engines on this machine"
MAKE_LOOP = "make it: snakemake loops, or python -m workflow_scripts.engines.loop"
(LOOP,) = DEVICE_GRAPHS
FORMAT = 1
ENGINE = ".engine"
VERIFIED = ".verified.json"
VERIFICATION_FORMAT = 1
IO_TENSORS, FORMERLY = "io_tensors", "puts"  # key of a sidecar, and its name in older ones


@dataclass(frozen=True, eq=False)
class EngineFile:
    """An engine on disk, with what its sidecar states.

    Attributes:
        path: the engine.
        facts: the sidecar.
    """

    path: Path
    facts: Mapping[str, Any]

    @property
    def machine(self) -> MachineRecord:
        """What it was built on."""
        return MachineRecord.from_json(self.facts["machine"])

    @property
    def io_tensors(self) -> list[dict[str, Any]]:
        """Inputs and outputs: name, mode, dtype, shape with -1 where a dim is dynamic."""
        found: list[dict[str, Any]] = self.facts[IO_TENSORS]
        return found

    @property
    def profiles(self) -> list[str]:
        """Names of its profiles, in the order of their numbers."""
        return list(self.facts["build"]["profiles"])


def engine_for(graph: Path, name: str, folder: Path | None, here: MachineRecord) -> EngineFile:
    """The engine that was built of a graph on this machine.

    Args:
        graph: ONNX file that it was built from.
        name: what the engine is called; the graph's name, or of what was made of it.
        folder: where engines are, at any depth.
        here: this machine with the library that is to run it.

    Raises:
        BackendMissing: there is none, or no folder was given.
        EngineMismatch: there are some, but of other machines.
    """
    if folder is None:
        raise BackendMissing(f"{name}: no folder of engines was given; give --engines DIR")
    wanted = digest(graph)
    found = [
        engine
        for engine in _engines(folder, name)
        if engine.facts["build"]["onnx_sha256"] == wanted
        and engine.machine.hard.get("trt_flavour") == here.hard["trt_flavour"]
    ]
    if not found:
        raise BackendMissing(
            f"{name}: no {here.hard['trt_flavour']} engine of {graph} in {folder}; {BUILD}"
        )
    fitting = [engine for engine in found if engine.machine.id == here.id]
    refuse_other_machine(fitting[0] if fitting else found[0], here)
    best = max(fitting, key=lambda engine: (engine.facts["build"]["max_len"], engine.path))
    refuse_wrong(best)
    tell_unverified(best, here)
    return best


def loop_of(decoder: Path, folder: Path | None) -> Path:
    """The ONNX file `t2s_loop` that was made of a decoder; of several that of the longest cache.

    Args:
        decoder: ONNX file that it was made from.
        folder: where engines are, at any depth.

    Raises:
        BackendMissing: there is none, or no folder was given.
        EngineMismatch: it is not the file that its sidecar speaks of.
    """
    if folder is None:
        raise BackendMissing(f"{LOOP}: no folder of engines was given; give --engines DIR")
    wanted = digest(decoder)
    sidecars = {
        sidecar.with_suffix(""): _loop_facts(sidecar)
        for sidecar in sorted(folder.rglob(f"{LOOP}.onnx.json"))
    }
    found = {path: facts for path, facts in sidecars.items() if facts["onnx_sha256"] == wanted}
    if not found:
        raise BackendMissing(f"{LOOP}: none of {decoder} in {folder}; {MAKE_LOOP}")
    longest = max(found, key=lambda path: (found[path]["max_len"], path))
    if not longest.is_file() or digest(longest) != found[longest]["sha256"]:
        raise EngineMismatch(f"{longest}: not the file of its sidecar; {MAKE_LOOP}")
    return longest


def _loop_facts(sidecar: Path) -> Mapping[str, Any]:
    """What is said of a loop.

    Raises:
        EngineMismatch: it is not what we write.
    """
    try:
        facts: Mapping[str, Any] = content(sidecar, EngineMismatch, MAKE_LOOP)
        texts = all(isinstance(facts[key], str) for key in ("onnx_sha256", "sha256"))
        if not texts or type(facts["max_len"]) is not int:
            raise TypeError("a digest or a size is none")
    except (OSError, KeyError, TypeError) as fault:
        reason = f"{type(fault).__name__}: {fault}"
        raise EngineMismatch(f"{sidecar}: no sidecar ({reason:.120}); {MAKE_LOOP}") from None
    return facts


def _engines(folder: Path, name: str) -> Iterator[EngineFile]:
    for sidecar in sorted(folder.rglob(f"{name}.json")):
        yield read(sidecar.with_suffix(ENGINE))


def read(path: Path) -> EngineFile:
    """An engine with its sidecar.

    Raises:
        EngineMismatch: it has none, or one that does not say what an engine is.
    """
    sidecar = path.with_suffix(".json")
    try:
        facts = content(sidecar, EngineMismatch, BUILD)
    except FileNotFoundError:
        raise EngineMismatch(
            f"{path}: has no {sidecar.name} beside it, so that nobody knows what it is; {BUILD}"
        ) from None
    needed = ("machine", "build", "engine", IO_TENSORS)
    if isinstance(facts, dict) and FORMERLY in facts:
        facts.setdefault(IO_TENSORS, facts.pop(FORMERLY))
    lacking = [key for key in needed if not isinstance(facts, dict) or key not in facts]
    if lacking or facts.get("format") != FORMAT:
        raise EngineMismatch(f"{sidecar}: not a sidecar of format {FORMAT}; {BUILD}")
    engine = EngineFile(path, facts)
    try:
        _refuse_incomplete(engine)
    except (KeyError, TypeError, AttributeError, ValueError) as fault:
        reason = f"{type(fault).__name__}: {fault}"
        raise EngineMismatch(f"{sidecar}: not a whole sidecar ({reason:.120}); {BUILD}") from None
    return engine


def _refuse_incomplete(engine: EngineFile) -> None:
    """Take everything that is taken later on; raises what a missing or odd value makes it raise."""
    build, held = engine.facts["build"], engine.facts["engine"]
    hard, soft = dict(engine.machine.hard), dict(engine.machine.soft)
    if not isinstance(build["onnx_sha256"], str) or not isinstance(held["sha256"], str):
        raise TypeError("a digest is no text")
    if type(build["max_len"]) is not int or type(held["bytes"]) is not int:
        raise TypeError("a size is no number")
    if not hard or not isinstance(engine.machine.id, str) or not isinstance(soft, dict):
        raise TypeError("no machine")
    for tensor in engine.io_tensors:
        tensor["name"], tensor["mode"], tensor["dtype"], tensor["shape"]
    list(engine.profiles)


def refuse_other_machine(engine: EngineFile, here: MachineRecord) -> None:
    """Compare the machine of an engine with this one, field by field, the soft ones left out.

    Raises:
        EngineMismatch: a hard field differs; both keys and every such field are named.
    """
    built = engine.machine
    if found := differing(built.hard, here.hard):
        raise EngineMismatch(
            f"{engine.path}: built for {built.described} ({built.id}), this is {here.described}"
            f" ({here.id}): {'; '.join(found)}; {BUILD}"
        )


def verification(engine: EngineFile) -> Mapping[str, Any] | None:
    """What a comparison of this very engine with the CPU gave, or None if there was none.

    Raises:
        EngineMismatch: the file beside the engine is none of ours.
    """
    path = engine.path.with_suffix(VERIFIED)
    if not path.exists():
        return None
    try:
        found: Mapping[str, Any] = content(path, EngineMismatch, BUILD)
        if found["format"] == VERIFICATION_FORMAT:
            _refuse_odd_verification(found)
            return found if found["engine_sha256"] == engine.facts["engine"]["sha256"] else None
    except (ValueError, TypeError, KeyError):
        pass
    raise EngineMismatch(f"{path}: no verification of format {VERIFICATION_FORMAT}; {BUILD}")


def _refuse_odd_verification(found: Mapping[str, Any]) -> None:
    """Raises what a missing or odd value makes it raise."""
    if not isinstance(found["gpu"], str) or not isinstance(found["soft"], dict):
        raise TypeError("no GPU or driver")
    if not all(isinstance(line, str) for line in [*found["missed"]]):
        raise TypeError("what was missed is no text")


def refuse_wrong(engine: EngineFile) -> None:
    """Refuse an engine whose answers were found to differ from the CPU's.

    Raises:
        EngineMismatch: they were.
    """
    found = verification(engine)
    if found is not None and found["missed"]:
        raise EngineMismatch(
            f"{engine.path}: its answers are wrong on {found['gpu']}"
            f" ({'; '.join(found['missed'])}); use another back end"
        )


def tell_unverified(engine: EngineFile, here: MachineRecord) -> None:
    """Log a driver under which nobody has compared the engine's answers."""
    found = verification(engine)
    known = engine.machine.soft if found is None else found["soft"]
    for change in differing(known, here.soft):
        logging.warning(
            "%s: %s; its answers have to be compared with the CPU's again: %s",
            engine.path,
            change,
            BUILD,
        )


def checked_bytes(engine: EngineFile) -> bytes:
    """The engine, if it is the one of its sidecar.

    Raises:
        EngineMismatch: empty, cut short, or another file.
    """
    want = engine.facts["engine"]
    if engine.path.exists() and not engine.path.is_file():
        raise EngineMismatch(f"{engine.path}: no plain file; {BUILD}")
    try:
        data = engine.path.read_bytes()
    except FileNotFoundError:
        raise EngineMismatch(f"{engine.path}: is missing beside its sidecar; {BUILD}") from None
    if len(data) != want["bytes"]:
        raise EngineMismatch(
            f"{engine.path}: {len(data)} bytes where its sidecar states {want['bytes']}; {BUILD}"
        )
    found = hashlib.sha256(data).hexdigest()
    if found != want["sha256"]:
        raise EngineMismatch(
            f"{engine.path}: not the engine of its sidecar (sha256 {found[:12]}…, want"
            f" {want['sha256'][:12]}…); {BUILD}"
        )
    return data
