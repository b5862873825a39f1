"""Turn the checked configuration into everything that has to exist: members, bundles, files.

Knows names and paths only: reads no file, runs nothing, and does not know Snakemake.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, TypeVar

from runtime.contract import GRAPHS
from workflow_scripts.units import (
    BASES,
    Bench,
    Bundle,
    ConfiguredReference,
    Facts,
    Member,
    Target,
    Voice,
    words,
)

T2S_GRAPHS = tuple(name for name, graph in GRAPHS.items() if graph.stage == "t2s")
DECODER, LOOP = "t2s_decoder", "t2s_loop"  # the engine of the one is built as the other
OPTIONAL = frozenset(base.graph for base in BASES.values() if base.optional)
ANY_LENGTH = "any"
FULL = "fp32"  # the precision that every other is made from

Item = TypeVar("Item")


@dataclass(frozen=True)
class Plan:
    """Everything that the configuration asks for.

    Attributes:
        voices: in the order of the configuration.
        bases: name of a shared graph → its source; only those that some voice uses.
        lengths: capacities of the KV cache, as they stand in paths.
        precisions: one bundle each.
        mixed_precision: precision → graph → the other precision that it has in such a bundle.
        reduction: precision → graph → how it is written at it: block, what keeps more bits.
        bars: precision → metric → bar.
        bench: how bundles are timed.
        targets: machines that engines are built on.
        loops: precisions of decoders that a device can run → what it computes in.
        g2pw: folder of the model that reads polyphonic characters; None without it.
    """

    voices: tuple[Voice, ...]
    bases: Mapping[str, str]
    lengths: tuple[str, ...]
    precisions: tuple[str, ...]
    mixed_precision: Mapping[str, Mapping[str, str]]
    reduction: Mapping[str, Mapping[str, Mapping[str, Any]]]
    bars: Mapping[str, Mapping[str, float]]
    bench: Bench
    targets: tuple[Target, ...]
    loops: Mapping[str, str]
    g2pw: str | None

    def target(self, name: str) -> Target:
        """The target of that name."""
        return next(target for target in self.targets if target.name == name)

    def engine_places(self, name: str) -> list[str]:
        """Every engine that a target asks for, as `precision/unit/length/graph`."""
        wanted = self.target(name).precisions
        return _once(
            f"{m.precision}/{m.unit}/{bundle.max_len if GRAPHS[m.graph].grows else ANY_LENGTH}"
            f"/{LOOP if m.graph == DECODER else m.graph}"
            for bundle in self.bundles
            if bundle.precision in wanted
            for m in self.members(bundle.voice, bundle.precision)
        )

    def engine_files(self, name: str, machine: str) -> list[str]:
        """Engines of a target on the machine of that id, their sidecars and comparisons."""
        folder = f"artifacts/engines/{name}/{machine}"
        ends = ("engine", "json", "verified.json")
        return [f"{folder}/{place}.{end}" for place in self.engine_places(name) for end in ends]

    @property
    def loop_files(self) -> list[str]:
        """Decoders as `cuda` runs them, with their sidecars."""
        return _once(
            f"artifacts/engines/cuda/{m.precision}/{m.unit}/{bundle.max_len}/{LOOP}.onnx{end}"
            for bundle in self.bundles
            for m in self.members(bundle.voice, bundle.precision)
            if m.graph == DECODER and m.precision in self.loops
            for end in ("", ".json")
        )

    @property
    def without_loop(self) -> str:
        """A line on precisions whose decoders no device runs; empty where there are none."""
        found = _once(
            m.precision
            for bundle in self.bundles
            for m in self.members(bundle.voice, bundle.precision)
            if m.graph == DECODER and m.precision not in self.loops
        )
        if not found:
            return ""
        able = ", ".join(self.loops)
        return f"no decode loop for {', '.join(found)}: the decoder stays on the CPU; use {able}"

    def voice(self, name: str) -> Voice:
        """The voice of that name."""
        return next(voice for voice in self.voices if voice.name == name)

    def sources(self, name: str) -> dict[str, str]:
        """Paths of everything that this voice is made of, by the words of our options."""
        voice = self.voice(name)
        own = voice.checkpoints | {"reference-audio": voice.reference.audio}
        used = ((word, base.graph) for word, base in BASES.items() if self._uses(voice, base.graph))
        shared = {word: self.bases[graph] for word, graph in used}
        return own | shared | self.reading_sources(name)

    def members(self, voice: str, precision: str) -> tuple[Member, ...]:
        """The graphs of a voice's bundles of a precision, each at the one that it has there."""
        kept = self.mixed_precision.get(precision, {})
        return tuple(
            Member(kept.get(graph, precision), unit, graph)
            for unit, graph in self._graphs(self.voice(voice))
        )

    def tables(self, voice: str) -> list[str]:
        """Files that go into a bundle beside its graphs, as the exports wrote them."""
        return [*self._shared_tables, _step_tables(self.voice(voice))]

    def named_files(self, voice: str, precision: str) -> list[str]:
        """Each graph and table of a bundle as `name=path`."""
        members = self.members(voice, precision)
        graphs = [f"{m.graph}=artifacts/graphs/{m}.onnx" for m in members]
        return graphs + [f"{PurePath(path).stem}={path}" for path in self.tables(voice)]

    def sounding_files(self, voice: str, precision: str) -> dict[str, str]:
        """The graphs that make sound of tokens: name → file."""
        members = self.members(voice, precision)
        return {
            m.graph: f"artifacts/graphs/{m}.onnx"
            for m in members
            if GRAPHS[m.graph].stage == "acoustic"
        }

    @property
    def acoustic_graphs(self) -> list[str]:
        """Graphs of all acoustic checkpoints."""
        return _once(graph for voice in self.voices for graph in voice.graphs)

    @property
    def kinds(self) -> dict[str, list[Voice]]:
        """Kind of acoustic model → the voices of that kind."""
        found: dict[str, list[Voice]] = {}
        for voice in self.voices:
            found.setdefault(voice.kind, []).append(voice)
        return found

    def member_options(self, voice: str, precision: str) -> list[str]:
        """Options of `pack`: each graph, its precision and its file."""
        return [
            word
            for m in self.members(voice, precision)
            for word in ("--member", m.graph, m.precision, f"artifacts/graphs/{m}.onnx")
        ]

    def reading_sources(self, voice: str) -> dict[str, str]:
        """Files and folders that text is read with, which go into a bundle as they are."""
        lexicons = self.voice(voice).lexicons.items()
        g2pw = {} if self.g2pw is None else {"g2pw": self.g2pw}
        return {f"lexicon-{lang}": path for lang, path in lexicons} | g2pw

    def reading_options(self, voice: str) -> list[str]:
        """Options of `pack`: what text is read with."""
        lexicons = self.voice(voice).lexicons.items()
        options = [word for lang, path in lexicons for word in ("--lexicon", lang, path)]
        return options if self.g2pw is None else [*options, "--g2pw", self.g2pw]

    def chain_sources(self, name: str) -> dict[str, str]:
        """Sources of a voice that its chain from audio and phones to samples takes: no text."""
        of_text = {word for word, base in BASES.items() if GRAPHS[base.graph].stage == "text"}
        of_text |= self.reading_sources(name).keys()
        return {word: path for word, path in self.sources(name).items() if word not in of_text}

    def chain_options(self, name: str) -> list[str]:
        """Options of `record`: each source of a voice's chain."""
        return words(self.chain_sources(name))

    def timing_sources(self, name: str) -> dict[str, str]:
        """What PyTorch is read from besides both checkpoints, by the words of `proof.speed`."""
        voice = self.voice(name)
        vocoder = str(voice.acoustic.get("vocoder", ""))  # left out where the voice has its own
        base = {} if voice.base is None else {"base": voice.base}
        return base | ({"vocoder": self.bases[vocoder]} if vocoder in self.bases else {})

    def options(self, voice: str, precision: str) -> dict[str, Any]:
        """What the configuration states of a bundle: what steered its build, what voice it is."""
        keys = ("mixed_precision", "reduction", "bars")
        steered = {key: dict(getattr(self, key).get(precision, {})) for key in keys}
        about = self.voice(voice).about
        return steered | ({"about": dict(about)} if about else {})

    def reduction_options(self, precision: str, graph: str) -> list[str]:
        """Options of `reduce`: how to write a graph at a precision."""
        return words(self.reduction.get(precision, {}).get(graph, {}))

    @property
    def bundles(self) -> list[Bundle]:
        """Every bundle, in the order of the configuration."""
        return [
            Bundle(voice.name, length, precision)
            for voice in self.voices
            for length in self.lengths
            for precision in self.precisions
        ]

    @property
    def units(self) -> list[str]:
        """Every folder of graphs."""
        return [f"shared/{graph}" for graph in self.bases] + [voice.unit for voice in self.voices]

    @property
    def reduced(self) -> list[str]:
        """Precisions that are made from fp32, by a bundle or by a graph that is kept at one."""
        return _once(m.precision for m in self._all_members if m.precision != FULL)

    @property
    def stored_precisions(self) -> list[str]:
        """Every precision that stands in a path."""
        return _once([FULL, *self.reduced, *self.precisions])

    @property
    def inspect_files(self) -> list[str]:
        """What the checkpoints are, for people."""
        return [f"artifacts/inspect/{voice.name}.json" for voice in self.voices]

    @property
    def answer_files(self) -> list[str]:
        """PyTorch's recorded answers, of every graph and of every voice's whole chain."""
        graphs = (f"artifacts/reference/{m.unit}/{m.graph}.npz" for m in self._all_members)
        chains = (f"artifacts/reference/chain/{voice.name}.npz" for voice in self.voices)
        return _once([*graphs, *chains])

    @property
    def table_files(self) -> list[str]:
        """What exports write beside graphs: RoBERTa's vocabulary, the tables of a T2S step."""
        return [*self._shared_tables, *map(_step_tables, self.voices)]

    @property
    def graph_files(self) -> list[str]:
        """The fp32 graphs and their records."""
        return _with_records(Member(FULL, m.unit, m.graph) for m in self._all_members)

    @property
    def variant_files(self) -> list[str]:
        """The graphs at other precisions and their records."""
        return _with_records(m for m in self._all_members if m.precision != FULL)

    @property
    def parity_files(self) -> list[str]:
        """Measured distances, of graphs, chains and streams, and the verdicts."""
        graphs = [f"artifacts/parity/graphs/{member}.json" for member in self._all_members]
        ways = [
            f"artifacts/parity/{way}/{b.voice}/{b.precision}.json"
            for way in ("chain", "stream")
            for b in self.bundles
        ]
        verdicts = [f"artifacts/parity/verdicts/{bundle}.json" for bundle in self.bundles]
        return _once(graphs + ways) + verdicts

    @property
    def bundle_files(self) -> list[str]:
        """The manifests; a folder without one is no bundle."""
        return [f"artifacts/bundles/{bundle}/manifest.json" for bundle in self.bundles]

    @property
    def bundle_folders(self) -> dict[str, list[str]]:
        """The manifests below each folder of bundles, its name with and without a last slash."""
        found: dict[str, list[str]] = {}
        for manifest in self.bundle_files:
            for folder in list(PurePath(manifest).parents)[:-2]:
                for name in (f"{folder}", f"{folder}/"):
                    found.setdefault(name, []).append(manifest)
        return found

    @property
    def bench_files(self) -> list[str]:
        """What timing every bundle beside PyTorch gave; made only when it is asked for."""
        return [f"artifacts/bench/{bundle}.json" for bundle in self.bundles]

    @property
    def _shared_tables(self) -> list[str]:
        return ["artifacts/tables/shared/roberta/vocabulary.json"] * ("roberta" in self.bases)

    @property
    def _all_members(self) -> list[Member]:
        return _once(m for b in self.bundles for m in self.members(b.voice, b.precision))

    def _graphs(self, voice: Voice) -> list[tuple[str, str]]:
        """Unit and name of every graph of a voice."""
        shared = [(f"shared/{graph}", graph) for graph in self.bases if self._uses(voice, graph)]
        return shared + [(voice.unit, graph) for graph in (*voice.graphs, *T2S_GRAPHS)]

    def _uses(self, voice: Voice, base: str) -> bool:
        return base in self.bases and (base in OPTIONAL or base in voice.bases)


def planned(
    config: Mapping[str, Any], facts: Mapping[str, Facts], loops: Mapping[str, str]
) -> Plan:
    """The plan of a configuration.

    Args:
        config: complete and checked: with its defaults, and under `mixed_precision` each graph
            that a precision is not meant for.
        facts: name of each voice → what its files say.
        loops: as the plan has them.
    """
    voices = tuple(_voice(entry, facts[entry["name"]]) for entry in config["voices"])
    used = {*OPTIONAL, *(base for voice in voices for base in voice.bases)}
    return Plan(
        voices=voices,
        bases={
            base.graph: config["shared"][word]
            for word, base in BASES.items()
            if config["shared"][word] and base.graph in used
        },
        lengths=tuple(map(str, config["max_len"])),
        precisions=tuple(config["precisions"]),
        mixed_precision=config["mixed_precision"],
        reduction=config["reduction"],
        bars=config["bars"],
        bench=Bench(**config["bench"]),
        targets=tuple(map(_target, config.get("targets", []))),
        loops=loops,
        g2pw=config["shared"]["g2pw"],
    )


def _target(entry: Mapping[str, Any]) -> Target:
    return Target(
        name=entry["name"],
        library=entry["backends"][0],
        precisions=tuple(entry["precisions"]),
        required=entry.get("engines") == "require",
        slurm=entry.get("slurm"),
    )


def _voice(entry: Mapping[str, Any], facts: Facts) -> Voice:
    return Voice(
        name=entry["name"],
        gpt=entry["gpt"],
        sovits=entry["sovits"],
        base=entry["base"],
        reference=ConfiguredReference(**entry["reference"]),
        lexicons=entry["lexicons"],
        family=facts.family,
        bases=facts.bases,
        kind=facts.kind,
        acoustic=facts.acoustic,
        about=entry.get("about", {}),
    )


def _step_tables(voice: Voice) -> str:
    return f"artifacts/tables/{voice.unit}/t2s_tables.npz"


def _with_records(members: Iterable[Member]) -> list[str]:
    return [f"artifacts/graphs/{m}{end}" for m in _once(members) for end in (".onnx", ".json")]


def _once(items: Iterable[Item]) -> list[Item]:
    return list(dict.fromkeys(items))
