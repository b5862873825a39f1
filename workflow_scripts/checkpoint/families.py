"""Which model families there are, how a file shows its own, and what follows from it.

Knows names, shapes and marks of files; opens none and needs no torch. What a kind of families needs
of networks is named here and loaded where it is used.
"""

import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from runtime.contract import graphs_of
from runtime.errors import CheckpointError

PLAIN = "PK"  # the header of a file that no version was written over

TEXT_EMBEDDING = "enc_p.text_embedding.weight"
SPEAKER_EMBEDDING = "sv_emb.weight"


@dataclass(frozen=True)
class SymbolTable:
    """How many rows each network keeps for one table of phones.

    Attributes:
        t2s_rows: rows of the T2S text embedding.
        sovits_rows: rows of the acoustic model's text embedding; the phones that are used.
    """

    t2s_rows: int
    sovits_rows: int


SYMBOL_TABLES: dict[str, SymbolTable] = {
    "v1": SymbolTable(t2s_rows=512, sovits_rows=322),
    "v2": SymbolTable(t2s_rows=732, sovits_rows=732),
}


@dataclass(frozen=True)
class Kind:
    """What the build does for families that make sound in one way; functions as `module:name`.

    Attributes:
        sizes: (contents, family) → the numbers that fix the networks; torch-free.
        layout: (sizes, family) → shape of every tensor that inference needs, by name; torch-free.
        load: (weights, config, where) → its network.
        traced: network → name, module and cases of each of its graphs, in the contract's order.
        spoken: (network, its family, source of a vocoder that is a base) → the same in PyTorch as
            the runtime's acoustic model; see `workflow_scripts.proof.spoken`.
        shows: how names of tensors begin that no other kind has.
    """

    sizes: str
    layout: str
    load: str = ""
    traced: str = ""
    spoken: str = ""
    shows: tuple[str, ...] = ()

    def modules(self, *names: str) -> list[str]:
        """Modules of some of its functions, in which a rebuild edge begins."""
        named = (getattr(self, name) for name in names)
        return [function.partition(":")[0] for function in named if function]

    def function(self, name: str) -> Callable[..., Any]:
        """One of its functions, its module loaded."""
        found: Callable[..., Any] = pkgutil.resolve_name(getattr(self, name))
        return found


KINDS: dict[str, Kind] = {  # as in `runtime.acoustic.kind.KINDS`
    "vits": Kind(
        sizes="workflow_scripts.checkpoint.acoustic:sizes_of_vits",
        layout="workflow_scripts.checkpoint.layout:sovits_layout",
        load="workflow_scripts.models.sovits:load_sovits",
        traced="workflow_scripts.graphs.vits:traced",
        spoken="workflow_scripts.proof.vits:VitsInTorch",
    ),
    "cfm": Kind(  # a sampler makes a mel spectrogram, which a vocoder of its own file sounds
        sizes="workflow_scripts.checkpoint.acoustic:sizes_of_cfm",
        layout="workflow_scripts.checkpoint.acoustic:layout_of_cfm",
        shows=("cfm.", "bridge."),
        load="workflow_scripts.models.cfm:load_cfm",
        traced="workflow_scripts.graphs.cfm:traced",
        spoken="workflow_scripts.proof.cfm:spoken",
    ),
    "cfm LoRA": Kind(  # becomes a cfm when it is merged over its base
        sizes="workflow_scripts.checkpoint.acoustic:sizes_of_lora",
        layout="workflow_scripts.checkpoint.acoustic:layout_of_lora",
    ),
}


@dataclass(frozen=True)
class Family:
    """A family of acoustic models, with all that follows from its name.

    Attributes:
        symbols: key of SYMBOL_TABLES.
        headers: first two bytes that its files may carry instead of "PK".
        md5s: of the first 8192 bytes of official files.
        kind: how it makes sound, a key of KINDS.
        bases: shared graphs that it can't do without.
        vocoder: the graph that makes the samples, of the voice or a base.
        sampling_rate_hz: of these samples.
        frames_per_token: frames that the vocoder takes, at speed 1.
        spectrogram_bins: rows of the reference spectrogram that the style reads.
        numbers: what the kind's acoustic model asks for besides.
        base: of a file that holds only what a base file lacks: key of FAMILIES of that.
        sizes: what a full-size `config.model` has beside the sizes that all families share.
    """

    symbols: str = "v2"
    headers: tuple[str, ...] = ()
    md5s: tuple[str, ...] = ()
    kind: str = "vits"
    bases: tuple[str, ...] = ("hubert",)
    vocoder: str = "vocoder"
    sampling_rate_hz: int = 32_000
    frames_per_token: float = 2.0
    spectrogram_bins: int = 704
    numbers: Mapping[str, float] = field(default_factory=dict, compare=False)
    base: str = ""
    sizes: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def lora(self) -> bool:
        """Whether a file holds only what a base file lacks."""
        return bool(self.base)

    @property
    def needs_speaker(self) -> bool:
        """Whether the style takes a speaker embedding."""
        return "speaker" in self.bases

    @property
    def graphs(self) -> tuple[str, ...]:
        """Graphs of its acoustic checkpoint, in the order of their export."""
        return graphs_of(self.kind, "reference", "acoustic")

    @property
    def acoustic(self) -> dict[str, Any]:
        """What a manifest states of it: the fields of `runtime.manifest.Acoustic`."""
        return {
            "sampling_rate_hz": self.sampling_rate_hz,
            "spectrogram_bins": self.spectrogram_bins,
            "needs_speaker": self.needs_speaker,
            "kind": self.kind,
            "vocoder": self.vocoder,
            "frames_per_token": self.frames_per_token,
            "sizes": dict(self.numbers),
        }

    def function(self, name: str) -> Callable[..., Any]:
        """A function of its kind; see `Kind`."""
        of_file = name in ("sizes", "layout") and self.lora
        return KINDS[f"{self.kind} LoRA" if of_file else self.kind].function(name)


FAMILIES: dict[str, Family] = {
    "v1": Family(
        symbols="v1",
        headers=("00",),
        md5s=("dc3c97e17592963677a4a1681f30c653",),
        spectrogram_bins=1025,
    ),
    "v2": Family(headers=("01",), md5s=("6642b37f3dbb1f76882b69937c95a5f3",)),
    "v2Pro": Family(
        headers=("05",),
        md5s=("c7e9fce2223f3db685cdfa1e6368728a",),
        bases=("hubert", "speaker"),
        sizes={"gin_channels": 1024, "p_dropout": 0.0},
    ),
    "v2ProPlus": Family(
        headers=("06",),
        md5s=("66b313e39455b57ab1b0bc0b239c9d0a",),
        bases=("hubert", "speaker"),
        sizes={
            "gin_channels": 1024,
            "p_dropout": 0.0,
            "upsample_initial_channel": 768,
            "upsample_kernel_sizes": [20, 16, 8, 2, 2],
        },
    ),
    "v3": Family(
        headers=("02",),
        md5s=("43797be674a37c1c83ee81081941ed0f",),
        kind="cfm",
        bases=("hubert", "bigvgan"),
        vocoder="bigvgan",
        sampling_rate_hz=24_000,
        frames_per_token=3.75,
        numbers={
            "prompt_hz": 24_000,
            "fft": 1024,
            "hop": 256,
            "stretch_more": 15,
            "stretch_less": 8,
            "shown_per_token": 3.875,  # more than there are: so does the reference
            "prompt_frames": 468,
            "chunk_frames": 934,
            "context_frames": 38,
            "steps": 32,
        },
    ),
    "v4": Family(
        md5s=("4f26b9476d0c5033e04162c486074374",),
        kind="cfm",
        bases=("hubert", "vocoder_v4"),
        vocoder="vocoder_v4",
        sampling_rate_hz=48_000,
        frames_per_token=4.0,
        numbers={
            "prompt_hz": 32_000,
            "fft": 1280,
            "hop": 320,
            "stretch_more": 2,
            "stretch_less": 1,
            "shown_per_token": 4,
            "prompt_frames": 500,
            "chunk_frames": 1000,
            "context_frames": 12,
            "steps": 8,
        },
    ),
}
FAMILIES |= {  # files that are merged over a base
    "v3 LoRA": replace(FAMILIES["v3"], headers=("03",), md5s=(), base="v3"),
    "v4 LoRA": replace(FAMILIES["v4"], headers=("04",), md5s=(), base="v4"),
}

SUPPORTED: tuple[str, ...] = tuple(FAMILIES)

HEADERS: dict[str, str] = {h: name for name, row in FAMILIES.items() for h in row.headers}

MD5S: dict[str, str] = {md5: name for name, row in FAMILIES.items() for md5 in row.md5s}


@dataclass(frozen=True)
class Marks:
    """What a SoVITS file shows of its family.

    Attributes:
        header: its first two bytes.
        md5: hex digest of its first 8192 bytes.
        shapes: shape of every tensor by name.
        model: its `config.model`.
        lora: whether it has an entry `lora_rank`.
    """

    header: str
    md5: str
    shapes: Mapping[str, Sequence[int]]
    model: Mapping[str, Any]
    lora: bool = False


def family_of(marks: Marks, where: str) -> str:
    """Name the family of a SoVITS file; its content has the last word over header and md5.

    Args:
        marks: what the file shows.
        where: opens the error line.

    Returns:
        A key of FAMILIES.

    Raises:
        CheckpointError: none that we know, or a file without what its mark promises.
    """
    claimed = HEADERS.get(marks.header) or MD5S.get(marks.md5)
    kind = "cfm" if marks.lora else _shown_kind(marks)
    if kind == "cfm":
        return _flow_matching_family(claimed, marks)
    if kind is not None:
        mine = [name for name, row in FAMILIES.items() if row.kind == kind]
        return claimed if claimed in mine else mine[0]
    if claimed is not None and FAMILIES[claimed].kind == "cfm":
        raise _incomplete(claimed, marks, "cfm tensors", where)
    if TEXT_EMBEDDING not in marks.shapes:
        raise CheckpointError(
            f"{where}: SoVITS of an unknown family (no {TEXT_EMBEDDING}), not supported;"
            f" supported: {', '.join(SUPPORTED)}"
        )
    if SPEAKER_EMBEDDING in marks.shapes:
        return _pro_family(claimed, marks)
    if claimed is not None and FAMILIES[claimed].needs_speaker:
        raise _incomplete(claimed, marks, SPEAKER_EMBEDDING, where)
    return _plain_family(marks, where)


def _shown_kind(marks: Marks) -> str | None:
    """The kind that has such tensors alone."""
    for kind, row in KINDS.items():
        if row.shows and any(name.startswith(row.shows) for name in marks.shapes):
            return kind
    return None


def _incomplete(claimed: str, marks: Marks, lacks: str, where: str) -> CheckpointError:
    mark = f"header {marks.header}" if marks.header != PLAIN else "an official file by its md5"
    return CheckpointError(
        f"{where}: claims SoVITS {claimed} ({mark}) but has no {lacks};"
        " the file is incomplete, take it anew"
    )


def _flow_matching_family(claimed: str | None, marks: Marks) -> str:
    """v3 and v4 have the same tensors: mark and config distinguish them, and without both it is v3.

    Whether it is a LoRA, the tensors say.
    """
    name = "v4" if marks.model.get("version") == "v4" else "v3"
    if claimed is not None and FAMILIES[claimed].kind == "cfm":
        name = FAMILIES[claimed].base or claimed
    lora = marks.lora or any(".lora_A." in key for key in marks.shapes)
    return f"{name} LoRA" if lora else name


def _pro_family(claimed: str | None, marks: Marks) -> str:
    """The two Pro families differ in sizes alone, which the config gives; this is a name."""
    if claimed is not None and FAMILIES[claimed].needs_speaker:
        return claimed
    version = marks.model.get("version")
    if version in ("v2Pro", "v2ProPlus"):
        return str(version)
    plus = FAMILIES["v2ProPlus"].sizes["upsample_initial_channel"]
    return "v2ProPlus" if marks.model.get("upsample_initial_channel") == plus else "v2Pro"


def _plain_family(marks: Marks, where: str) -> str:
    rows = marks.shapes[TEXT_EMBEDDING][0] if marks.shapes[TEXT_EMBEDDING] else 0
    for name in ("v1", "v2"):
        if SYMBOL_TABLES[FAMILIES[name].symbols].sovits_rows == rows:
            return name
    known = " and ".join(f"{t.sovits_rows} ({name})" for name, t in SYMBOL_TABLES.items())
    raise CheckpointError(
        f"{where}: {rows} rows in {TEXT_EMBEDDING}, known are {known};"
        f" supported: {', '.join(SUPPORTED)}"
    )
