"""What a report is made of: paths and words, as the plan and the rules name them.

Knows no file's content. A job travels as JSON from the rule to the script.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from workflow_scripts.plan import Plan


@dataclass(frozen=True)
class BundleFiles:
    """What there is of one bundle.

    Attributes:
        max_len, precision: its place.
        bars: metric → acceptance threshold.
        graphs: graph → ONNX file.
        parity: graph → measured distance.
        chain, chain_sound, stream, stream_sound: measured distances, and samples.
        bench: its times; None where they were not measured.
    """

    max_len: str
    precision: str
    bars: Mapping[str, float]
    graphs: Mapping[str, str]
    parity: Mapping[str, str]
    chain: str
    chain_sound: str
    stream: str
    stream_sound: str
    bench: str | None = None

    @property
    def inputs(self) -> list[str]:
        """Files of the build that must exist."""
        own = [self.chain, self.chain_sound, self.stream, self.stream_sound]
        return [*self.graphs.values(), *self.parity.values(), *own]


@dataclass(frozen=True)
class VoiceFiles:
    """What there is of one voice.

    Attributes:
        voice: its name.
        facts: what its checkpoints are.
        record: PyTorch's chain.
        reference: audio, text and language of its example.
        sources: the config's word → sha256 of the file.
        bundles: in the order of the configuration.
        engines: reports of engines that exist.
        rate_hz: of the voice's samples.
    """

    voice: str
    facts: str
    record: str
    reference: Mapping[str, str]
    sources: Mapping[str, str] = field(default_factory=dict)
    bundles: tuple[BundleFiles, ...] = ()
    engines: tuple[str, ...] = ()
    rate_hz: int = 32_000

    @property
    def inputs(self) -> list[str]:
        """Files of the build that must exist, each once."""
        files = [self.facts, self.record, *(f for b in self.bundles for f in b.inputs)]
        return list(dict.fromkeys(files))


def voice_files(plan: Plan, voice: str, sources: Mapping[str, str] | None = None) -> VoiceFiles:
    """Everything that belongs into the report of a voice.

    Args:
        plan: of the configuration.
        voice: its name.
        sources: the config's word → sha256, where they are known already.

    Returns:
        Paths of the build; benchmarks and engine reports only where they exist now.
    """
    example = plan.voice(voice).reference
    engines = (Path(f"artifacts/engines/{target.name}/report.json") for target in plan.targets)
    return VoiceFiles(
        voice=voice,
        facts=f"artifacts/inspect/{voice}.json",
        record=f"artifacts/reference/chain/{voice}.npz",
        reference={"audio": example.audio, "text": example.text, "lang": example.lang},
        sources=sources or {},
        bundles=tuple(
            _bundle_files(plan, voice, b.max_len, b.precision)
            for b in plan.bundles
            if b.voice == voice
        ),
        engines=tuple(f"{path}" for path in engines if path.exists()),
        rate_hz=plan.voice(voice).acoustic["sampling_rate_hz"],
    )


def _bundle_files(plan: Plan, voice: str, max_len: str, precision: str) -> BundleFiles:
    members = plan.members(voice, precision)
    bench = PurePath(f"artifacts/bench/{voice}/{max_len}/{precision}.json")
    parity = "artifacts/parity"
    return BundleFiles(
        max_len=max_len,
        precision=precision,
        bars=plan.bars[precision],
        graphs={m.graph: f"artifacts/graphs/{m}.onnx" for m in members},
        parity={m.graph: f"{parity}/graphs/{m}.json" for m in members},
        chain=f"{parity}/chain/{voice}/{precision}.json",
        chain_sound=f"{parity}/chain/{voice}/{precision}.npy",
        stream=f"{parity}/stream/{voice}/{precision}.json",
        stream_sound=f"{parity}/stream/{voice}/{precision}.npy",
        bench=f"{bench}" if Path(bench).exists() else None,
    )


def measured_later(files: VoiceFiles) -> list[str]:
    """What is taken in where it exists, and never built for the report."""
    benches = [bundle.bench for bundle in files.bundles if bundle.bench is not None]
    return [*benches, *files.engines]
