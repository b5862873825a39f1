"""Say of every engine that a target wants how far it got; what is missing never counts as passed.

An engine is `verified on <gpu>`, `built`, `imported-only (rtx)` or `not built (reason)`; one whose
answers differ from the CPU's is `wrong on <gpu> (reason)`.
"""

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime import records
from runtime.backends.engine_files import (
    EngineFile,
    checked_bytes,
    read,
    refuse_other_machine,
    verification,
)
from runtime.cli import option, run
from runtime.errors import FoundryError
from runtime.machine import MachineRecord, differing
from workflow_scripts.files import atomic

FORMAT = 1
BUILT = "built"  # what the builder's sidecars state too
IMPORTED = "imported-only (rtx)"
NOT_BUILT = "not built"
VERIFIED = "verified on"
WRONG = "wrong on"
KINDS = (VERIFIED, BUILT, IMPORTED, NOT_BUILT, WRONG)


@dataclass(frozen=True)
class Wanted:
    """An engine that a target asks for, by its place in the tree."""

    precision: str
    unit: str
    length: str
    graph: str

    @classmethod
    def of(cls, place: str) -> "Wanted":
        """Of `precision/unit/length/graph`; a unit is two folders."""
        precision, kind, name, length, graph = place.split("/")
        return cls(precision, f"{kind}/{name}", length, graph)

    def __str__(self) -> str:
        return f"{self.precision}/{self.unit}/{self.length}/{self.graph}"


@dataclass(frozen=True)
class Places:
    """Where to look.

    Attributes:
        engines: folder of this target's and machine's engines.
        imports: folder of what the importer of TensorRT-RTX said.
    """

    engines: Path
    imports: Path


@dataclass(frozen=True)
class EngineState:
    """One engine of a target, and how far it got."""

    engine: str
    state: str


@dataclass(frozen=True)
class EngineReport:
    """The engines of a target.

    Attributes:
        format: version of this layout.
        target: its name.
        machine: id of the machine's record.
        described: the machine in a few words.
        missing: why no engine can be built there; empty if one can.
        counts: kind of state → how many engines.
        engines: each that the configuration asks for.
    """

    format: int
    target: str
    machine: str
    described: str
    missing: str
    counts: Mapping[str, int]
    engines: tuple[EngineState, ...]


def report(
    target: str, wanted: Sequence[Wanted], machine: MachineRecord, places: Places
) -> EngineReport:
    """The states of a target's engines.

    Args:
        target: its name.
        wanted: every engine that the configuration asks for.
        machine: the record of the machine behind it.
        places: where engines and import records are.
    """
    rows = tuple(EngineState(f"{one}", state(one, machine, places)) for one in wanted)
    kinds = Counter(kind_of(row.state) for row in rows)
    return EngineReport(
        format=FORMAT,
        target=target,
        machine=machine.id,
        described=machine.described,
        missing=machine.missing,
        counts={kind: kinds[kind] for kind in KINDS},
        engines=rows,
    )


def state(wanted: Wanted, machine: MachineRecord, places: Places) -> str:
    """How far one engine got."""
    if machine.missing:
        return _state_of_import(places.imports / f"{wanted}.json", machine.missing)
    try:
        engine = read(places.engines / f"{wanted}.engine")
        refuse_other_machine(engine, machine)
        refuse_other_graph(engine, wanted)
        checked_bytes(engine)
        found = verification(engine)
    except FoundryError as error:
        return f"{NOT_BUILT} ({error})"
    return BUILT if found is None else _state_of_verification(found, machine)


def _state_of_verification(found: Mapping[str, Any], machine: MachineRecord) -> str:
    """What a comparison on a GPU says; one under another driver says nothing of this one."""
    if found["missed"]:
        return f"{WRONG} {found['gpu']} ({'; '.join(found['missed'])})"
    if changes := differing(found["soft"], machine.soft):
        return f"{BUILT} (verified before {'; '.join(changes)})"
    return f"{VERIFIED} {found['gpu']}"


def kind_of(state: str) -> str:
    """A state without its GPU or its reason."""
    return next(kind for kind in KINDS if state.startswith(kind))


def refuse_other_graph(engine: EngineFile, wanted: Wanted) -> None:
    """Refuse an engine that lies in another one's place.

    Raises:
        FoundryError: graph, precision or length of its sidecar are not those of the place.
    """
    build = engine.facts["build"]
    length = f"{build['max_len']}" if build["max_len"] else "any"
    found = (build["precision"], length, engine.facts["graph"])
    place = (wanted.precision, wanted.length, wanted.graph)
    if found != place:
        raise FoundryError(
            f"{engine.path}: the engine of {'/'.join(found)} in the place of {'/'.join(place)};"
            " run snakemake engines on this machine"
        )


def _state_of_import(path: Path, missing: str) -> str:
    if not path.exists():
        return f"{NOT_BUILT} ({missing}; its import was not tried)"
    refused = json.loads(path.read_text("utf-8"))["refused"]
    return f"{NOT_BUILT} ({missing}; {refused})" if refused else IMPORTED


def main(argv: list[str] | None = None) -> None:
    """Report what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    option(parser, "--target", required=True, help="its name")
    option(parser, "--machine", type=Path, required=True, metavar="JSON", help="its record")
    option(parser, "--wanted", nargs="*", default=[], metavar="PLACE", help="engines asked for")
    option(parser, "--engines", type=Path, required=True, metavar="DIR", help="of the target")
    option(parser, "--imports", type=Path, required=True, metavar="DIR", help="import records")
    option(parser, "--output", type=Path, required=True, metavar="JSON", help="file to write")
    args = parser.parse_args(argv)
    machine = MachineRecord.from_json(json.loads(args.machine.read_text("utf-8")))
    places = Places(args.engines / machine.id, args.imports)
    found = report(args.target, [*map(Wanted.of, args.wanted)], machine, places)
    with atomic(args.output) as (part,):
        part.write_text(records.text(found), "utf-8")


if __name__ == "__main__":
    run(main)
