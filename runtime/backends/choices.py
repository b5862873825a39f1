"""Which back end runs each graph of a voice: as asked for, or as measured on this machine."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from runtime.backends import BACKENDS, Windows, backend_for, tuned
from runtime.contract import GRAPHS
from runtime.errors import BackendMissing, SettingError
from runtime.manifest import Manifest

AUTO = "auto"
USUAL = "cpu"  # takes every graph
GPU_FIRST = ("tensorrt", "tensorrt_rtx", "cuda")  # quickest first
NOT_MEASURED = f"not measured on this machine; {tuned.AGAIN} finds the fastest"


@dataclass(frozen=True)
class Choice:
    """Who runs what.

    Attributes:
        backends: every graph of the contract → a name in BACKENDS.
        reason: why, as printed for the user.
        below: graph → what to take, in this order, where the chosen one can't be used after all.
        windows: back end → the vocoder's, where another than the usual one was measured fastest.
    """

    backends: Mapping[str, str]
    reason: str
    below: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    windows: Mapping[str, Windows] = field(default_factory=dict)

    def after(self, opened: Mapping[str, str]) -> "Choice":
        """The same, once it is known what runs some of the graphs."""
        return replace(self, backends={**self.backends, **opened})

    def __str__(self) -> str:
        by_name: dict[str, list[str]] = {}
        for graph, name in self.backends.items():
            by_name.setdefault(name, []).append(graph)
        if len(by_name) == 1:
            return f"{next(iter(by_name))} ({self.reason})"
        listed = "; ".join(f"{name} for {', '.join(graphs)}" for name, graphs in by_name.items())
        return f"{listed} ({self.reason})"


def choose(
    wanted: str,
    voice: Manifest | None = None,
    measured: Path | None = None,
    engines: Path | None = None,
) -> Choice:
    """The back ends for a request.

    Args:
        wanted: `auto`, a back end, or graphs with theirs (`vocoder=openvino,prior=cpu`), after
            which the other graphs are as `auto` has them, or as one plain name in the list says.
        voice: what is going to speak; `auto` looks up what was measured of it.
        measured: the file to look in; None for this machine's.
        engines: where engines are; `auto` then tries them first.

    Raises:
        SettingError: no back end or graph of that name, or one that does not take the graph.
        BackendMissing: a back end is not installed here.
        MachineError: the file can't be read, or is of another machine.
    """
    plain, named = _parsed(wanted)
    if plain != AUTO and measured is not None:
        raise SettingError(f"provider {wanted}: nothing is measured for it; use {AUTO}")
    base, reason, windows = (
        _measured(voice, measured) if plain == AUTO else (_all_on(plain, voice), "asked for", {})
    )
    backends = {graph: USUAL for graph in GRAPHS} | base | named
    for graph, name in backends.items():
        backend_for(graph, name)
    _refuse_missing(backends.values())
    if named:
        reason = f"{', '.join(named)} asked for, others {reason}"
    if plain != AUTO:
        return Choice(backends, reason)
    quicker, skipped = _on_gpu(engines is not None)
    ladders = {
        graph: (name,) if graph in named else _ladder(graph, quicker, base.get(graph, USUAL))
        for graph, name in backends.items()
    }
    return Choice(
        {graph: rungs[0] for graph, rungs in ladders.items()},
        "; ".join([reason, *skipped]),
        {graph: rungs[1:] for graph, rungs in ladders.items() if rungs[1:]},
        windows,
    )


def _on_gpu(engines: bool) -> tuple[list[str], list[str]]:
    """Back ends of a GPU that may be there, quickest first; and why others are not.

    Nothing is said of a GPU where neither engines nor a runtime for one are given.
    """
    found, skipped = [], []
    for name in GPU_FIRST:
        reason = BACKENDS[name].missing()
        if not BACKENDS[name].engines:
            found += [] if reason else [name]
        elif engines and reason:
            skipped.append(f"no {name}: {reason}")
        elif engines:
            found.append(name)
    return found, skipped


def _ladder(graph: str, quicker: list[str], measured: str) -> tuple[str, ...]:
    """Whom to try for a graph, in this order; what was measured beats a guess, not an engine."""
    rungs = [
        name
        for name in quicker
        if graph in BACKENDS[name].takes and (measured == USUAL or BACKENDS[name].engines)
    ]
    return tuple(dict.fromkeys([*rungs, measured, USUAL]))


def _parsed(wanted: str) -> tuple[str, dict[str, str]]:
    """The plain name of a request, and its named graphs."""
    plain: list[str] = []
    named: dict[str, str] = {}
    for item in wanted.split(","):
        graph, equals, name = (part.strip() for part in item.rpartition("="))
        if not equals:
            plain.append(_known(name, [AUTO, *BACKENDS], "back ends"))
            continue
        if graph in named:
            raise SettingError(f"provider {wanted}: {graph} is given twice; keep one")
        named[_known(graph, list(GRAPHS), "graphs")] = _known(name, list(BACKENDS), "back ends")
    if len(plain) > 1:
        raise SettingError(f"provider {wanted}: {' and '.join(plain)} are for all; keep one")
    return (plain or [AUTO])[0], named


def _known(name: str, known: list[str], kind: str) -> str:
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(known)}"
    raise SettingError(f"provider: {name!r} is none of the {kind}; {hint}")


def _all_on(name: str, voice: Manifest | None) -> dict[str, str]:
    """Every graph that a back end takes, of those that a voice has."""
    there = GRAPHS if voice is None else voice.graphs
    return {graph: name for graph in GRAPHS if graph in BACKENDS[name].takes and graph in there}


def _measured(
    voice: Manifest | None, file: Path | None
) -> tuple[dict[str, str], str, dict[str, Windows]]:
    """What the machine's file states of a voice, the reason, and the vocoder's windows."""
    machine = tuned.this_machine()
    path = file or tuned.default_file(machine)
    found = tuned.backends_of(path, machine, voice) if voice else {}
    if not found:
        return {}, NOT_MEASURED, {}
    for graph, name in found.items():
        _known(graph, list(GRAPHS), f"graphs ({path})")
        _known(name, list(BACKENDS), f"back ends ({path})")
    sizes = tuned.windows_of(path, machine, voice) if voice else ()
    vocoder = found.get(voice.acoustic.vocoder, USUAL) if voice else USUAL
    rows = [row for row in BACKENDS[vocoder].windows if row.sizes == sizes]
    return found, f"measured on this machine, {path}", {vocoder: rows[0]} if rows else {}


def _refuse_missing(names: Iterable[str]) -> None:
    for name in dict.fromkeys(names):
        reason = BACKENDS[name].missing()
        if reason:
            raise BackendMissing(f"provider {name}: {reason}")
