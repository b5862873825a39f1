"""What a benchmark times: bundles on back ends, and others that do the same work."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from runtime import manifest as manifests
from runtime.acoustic.kind import SizedWork
from runtime.backends import Threads
from runtime.backends.choices import Choice, choose
from runtime.contract import GRAPHS
from runtime.errors import SettingError
from runtime.graphs import VoiceGraphs
from runtime.manifest import Manifest
from runtime.measure import fresh_process
from runtime.measure.lengths import unseen
from runtime.measure.reports import Facts
from runtime.measure.timing import BUFFER_BYTES
from runtime.measure.workload import FIRST_TOKENS, ROWS, Replay, Speaker, Works
from runtime.t2s.decode import Decoder
from runtime.voice import Voice

COMPUTED_LARGER = {
    "fp16": 2,
    "fp16_stored": 2,
}  # precision → times the file's bytes that a step reads
WARMUP = 1
SOUND_WORKS = 4  # at most: the graphs that make sound, and a total
LENGTHS = (25, 50, 100, 250)  # new tokens of sentences whose times show how a total grows

Totals = Callable[[int, int], SizedWork]
Opener = Callable[[], "Candidate"]
Candidates = Mapping[str, "Candidate"]


@dataclass(frozen=True)
class BenchmarkOptions:
    """How to measure.

    Attributes:
        tokens: new tokens of a sentence, 25 a second.
        rounds: runs of each candidate.
        threads: of each session.
        buffer_bytes: what the memory's bandwidth is measured on.
        spinning, huge_pages: as `Threads` has them.
        chunks: of the stream whose chunks are timed; 0 times none.
        scaling: whether sentences of other lengths, and other numbers of threads, are timed too.
        users: numbers of users at once that are timed; () for none.
        text: of an audiobook that is timed; empty for none.
    """

    tokens: int = 100
    rounds: int = 15
    threads: int = 2
    buffer_bytes: int = BUFFER_BYTES
    spinning: bool = False
    huge_pages: bool = False
    chunks: int = 50
    scaling: bool = False
    users: tuple[int, ...] = ()
    text: str = ""

    def __post_init__(self) -> None:
        floors = {"tokens": FIRST_TOKENS, "rounds": 1, "threads": 1, "chunks": 0}
        for name, least in floors.items():
            if getattr(self, name) < least:
                raise SettingError(f"--{name}: {getattr(self, name)} is below {least}; give more")
        if min(self.users, default=1) < 1:
            raise SettingError("--users: a number is below 1; give 1 or more")
        if self.chunks == 1:
            raise SettingError("--chunks: one chunk can't be compared with others; give 0, or more")

    @property
    def runs(self) -> int:
        """Of each candidate, with the first, which is not counted."""
        return self.rounds + WARMUP

    @property
    def lengths(self) -> tuple[int, ...]:
        """New tokens of all sentences that are timed; works of one run take one after another."""
        return unseen(self.tokens, self.runs * SOUND_WORKS)

    @property
    def replay(self) -> Replay:
        """What is spoken."""
        return Replay.of(self.tokens, max(self.lengths))

    @property
    def session_threads(self) -> Threads:
        """As sessions take them."""
        return Threads(self.threads, self.spinning, self.huge_pages)


@dataclass(frozen=True)
class Candidate:
    """What is timed, with what is known of it before it runs.

    Attributes:
        works: its ways to do the work.
        facts: files, back ends.
        fresh: command line of a child that loads it and sounds once; () for none.
        ceiling_ms: cached positions → least milliseconds of a step; {} where it is not known.
        lengths: new tokens of sentences that it holds, of those whose times show how it grows.
        graphs: number of users → its graphs for them; None where it has none of ours.
        voice: number of users → the voice for them, likewise.
        totals: longest sentence, threads → whole sentences of it; None where only one is known.
    """

    works: Works
    facts: Facts
    fresh: tuple[str, ...] = ()
    ceiling_ms: Mapping[int, float] = field(default_factory=dict)
    lengths: tuple[int, ...] = ()
    totals: Totals | None = None
    graphs: Callable[[int], VoiceGraphs] | None = None
    voice: Callable[[int], Voice] | None = None


def candidate(
    folder: Path, provider: str, options: BenchmarkOptions, bandwidth: float
) -> Candidate:
    """A bundle on back ends.

    Args:
        folder: the bundle.
        provider: as `choices.choose` takes it.
        options: how to measure.
        bandwidth: of the memory, bytes per second.

    Raises:
        BundleError, SettingError, MachineError: the bundle or the provider can't be used.
    """
    manifest = manifests.load(folder)
    manifests.verify(folder, manifest)
    choice = choose(provider, manifest)
    if options.replay.rows > manifest.max_len:
        raise SettingError(
            f"--tokens: {options.tokens}, at most {max(options.lengths)}, and the prompt are"
            f" {options.replay.rows} rows, {folder} holds {manifest.max_len}; give fewer"
        )

    def graphs(threads: Threads, users: int = 1) -> VoiceGraphs:
        return VoiceGraphs.of_bundle(folder, manifest, choice, threads, users=users)

    def speaker(replay: Replay, threads: Threads) -> Speaker:
        return Speaker(graphs(threads), replay)

    def totals(longest: int, threads: int) -> SizedWork:
        return speaker(Replay.of(longest), replace(options.session_threads, intra_op=threads)).total

    here = speaker(options.replay, options.session_threads)
    return Candidate(
        works=here.works(),
        facts=_facts(folder, manifest, choice),
        fresh=tuple(fresh_process.command(folder, provider, options.threads)),
        ceiling_ms=ceiling_ms(manifest, here.decoder, bandwidth),
        lengths=tuple(
            n for n in LENGTHS if Replay.of(max(unseen(n, options.runs))).rows <= manifest.max_len
        ),
        totals=totals,
        graphs=lambda users: graphs(options.session_threads, users),
        voice=lambda users: Voice.load(
            folder, provider=provider, threads=options.session_threads, verify="size", users=users
        ),
    )


def _facts(folder: Path, manifest: Manifest, choice: Choice) -> Facts:
    """What was timed, so that a figure can be traced to its files."""
    return Facts(
        bundle=f"{folder}",
        manifest_sha256=manifests.digest(folder / manifests.NAME),
        family=manifest.family,
        precision=manifest.precision,
        backends={name: choice.backends[name] for name in manifest.graphs},
        disk_bytes=sum(file.size_bytes for file in manifest.files.values()),
        weights_bytes=sum(
            _weights_bytes(manifest, name)
            for name in manifest.graphs
            if GRAPHS[name].stage in ("t2s", "acoustic")  # loaded before a reference comes
        ),
    )


def _weights_bytes(manifest: Manifest, graph: str) -> int:
    """What a graph's weights take in memory, nearly: its file, larger where it is computed so."""
    member = manifest.graphs[graph]
    return manifest.files[member.file].size_bytes * COMPUTED_LARGER.get(member.precision, 1)


def ceiling_ms(manifest: Manifest, decoder: Decoder, bandwidth: float) -> dict[int, float]:
    """Least milliseconds of a step by cached positions: weights and cache, read once."""
    row_bytes = decoder.cache_shape.row_bytes
    weights = _weights_bytes(manifest, "t2s_decoder")
    return {rows: 1e3 * (weights + rows * row_bytes) / bandwidth for rows in ROWS}
