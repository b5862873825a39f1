"""What a plan consists of: voices, members, bundles, targets; and the bases that voices share.

A unit is the folder of what one source gives: `shared/<base>` or `voices/<voice>`. A member is one
graph of a unit at one precision; a bundle is a list of members.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from runtime.contract import graphs_of


@dataclass(frozen=True)
class Base:
    """A row of BASES.

    Attributes:
        graph: its name in the contract.
        source: what its path must be, for messages.
        optional: whether every voice can do without it, and uses it where it is there.
    """

    graph: str
    source: str
    optional: bool = False


BASES: dict[str, Base] = {  # by the configuration's words under `shared`
    "ssl": Base("hubert", "folder of a HuBERT"),
    "bert": Base("roberta", "folder of a Chinese RoBERTa", optional=True),
    "sv": Base("speaker", "ERes2NetV2 checkpoint"),
    "bigvgan": Base("bigvgan", "folder of bigvgan_v2_24khz_100band_256x"),
    "vocoder_v4": Base("vocoder_v4", "vocoder.pth of v4"),
}


class Facts(Protocol):
    """What the voice's files say of themselves."""

    @property
    def family(self) -> str:
        """One of the supported families."""

    @property
    def bases(self) -> tuple[str, ...]:
        """Shared graphs that it can't do without."""

    @property
    def acoustic(self) -> Mapping[str, Any]:
        """What a manifest states of its acoustic model."""

    @property
    def kind(self) -> str:
        """How it makes sound."""


@dataclass(frozen=True)
class ConfiguredReference:
    """The voice's example: path of its audio, what is said, and in which language."""

    audio: str
    text: str
    lang: str


@dataclass(frozen=True)
class Voice:
    """One pair of checkpoints with its example.

    `base` is what a LoRA file is merged over, `lexicons` are files with readings by language,
    `about` is what its model card says besides.
    """

    name: str
    gpt: str
    sovits: str
    base: str | None
    reference: ConfiguredReference
    lexicons: Mapping[str, str]
    family: str
    bases: tuple[str, ...]
    kind: str
    acoustic: Mapping[str, Any]
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def graphs(self) -> tuple[str, ...]:
        """Graphs of its acoustic checkpoint."""
        return graphs_of(self.kind, "reference", "acoustic")

    @property
    def checkpoints(self) -> dict[str, str]:
        """Its files, by the words of our options."""
        base = {} if self.base is None else {"base": self.base}
        return {"gpt": self.gpt, "sovits": self.sovits} | base

    @property
    def acoustic_files(self) -> list[str]:
        """What its acoustic graphs are exported from: the SoVITS file, and the base of a LoRA."""
        return [self.sovits] if self.base is None else [self.sovits, self.base]

    @property
    def base_options(self) -> list[str]:
        """The words that name the base of a LoRA."""
        return [] if self.base is None else ["--base", self.base]

    @property
    def unit(self) -> str:
        """The folder of its graphs."""
        return f"voices/{self.name}"


@dataclass(frozen=True)
class Member:
    """One graph of a unit at one precision."""

    precision: str
    unit: str
    graph: str

    def __str__(self) -> str:
        return f"{self.precision}/{self.unit}/{self.graph}"


@dataclass(frozen=True)
class Bundle:
    """One voice with one capacity of the KV cache at one precision."""

    voice: str
    max_len: str
    precision: str

    def __str__(self) -> str:
        return f"{self.voice}/{self.max_len}/{self.precision}"


@dataclass(frozen=True)
class Bench:
    """How built voices are timed: new tokens of a sentence, turns, threads of each session."""

    tokens: int
    rounds: int
    threads: int

    @property
    def options(self) -> list[str]:
        """Options of `speed`."""
        return words(asdict(self))


@dataclass(frozen=True)
class Target:
    """A machine that engines are built on.

    Attributes:
        name: folder of its engines.
        library: what they are built with.
        precisions: of the bundles whose graphs become engines.
        required: whether a machine that can't build any is an error.
        slurm: how its jobs get there; None for the machine that Snakemake runs on.
    """

    name: str
    library: str
    precisions: tuple[str, ...]
    required: bool
    slurm: Mapping[str, str | int] | None

    @property
    def requirement(self) -> list[str]:
        """Options of the machine's record."""
        return ["--require"] if self.required else []


def words(options: Mapping[str, Any]) -> list[str]:
    """`--key` and its value, or its values if it is a list, of each key of a command line."""
    found: list[str] = []
    for key, value in options.items():
        values = value if isinstance(value, list) else [value]
        found += [f"--{key.replace('_', '-')}", *map(str, values)]
    return found
