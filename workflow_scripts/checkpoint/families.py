"""Which model families there are, how a file shows its own, and which of them we support.

Knows names, shapes and marks of files; opens none and needs no torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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
class Family:
    """A kind of acoustic model, with all that follows from its name.

    Attributes:
        supported: whether we build it; the others are known only to be refused by name.
        symbols: key of SYMBOL_TABLES.
        headers: first two bytes that its files may carry instead of "PK".
        md5s: of the first 8192 bytes of official files.
        needs_speaker: whether the style takes a speaker embedding.
        spectrogram_bins: rows of the reference spectrogram that the style reads.
        lora: whether a file holds only what a base file lacks.
        base: key of FAMILIES of that base file; empty without one.
        by_flow_matching: whether a sampler makes a mel spectrogram that a vocoder of its own file
            turns into sound.
        sizes: what a full-size `config.model` has beside the sizes that all families share.
    """

    supported: bool
    symbols: str = "v2"
    headers: tuple[str, ...] = ()
    md5s: tuple[str, ...] = ()
    needs_speaker: bool = False
    spectrogram_bins: int = 704
    lora: bool = False
    base: str = ""
    by_flow_matching: bool = False
    sizes: Mapping[str, Any] = field(default_factory=dict, compare=False)


FAMILIES: dict[str, Family] = {
    "v1": Family(
        supported=True,
        symbols="v1",
        headers=("00",),
        md5s=("dc3c97e17592963677a4a1681f30c653",),
        spectrogram_bins=1025,
    ),
    "v2": Family(supported=True, headers=("01",), md5s=("6642b37f3dbb1f76882b69937c95a5f3",)),
    "v2Pro": Family(
        supported=True,
        headers=("05",),
        md5s=("c7e9fce2223f3db685cdfa1e6368728a",),
        needs_speaker=True,
        sizes={"gin_channels": 1024, "p_dropout": 0.0},
    ),
    "v2ProPlus": Family(
        supported=True,
        headers=("06",),
        md5s=("66b313e39455b57ab1b0bc0b239c9d0a",),
        needs_speaker=True,
        sizes={
            "gin_channels": 1024,
            "p_dropout": 0.0,
            "upsample_initial_channel": 768,
            "upsample_kernel_sizes": [20, 16, 8, 2, 2],
        },
    ),
    "v3": Family(
        supported=False,
        headers=("02",),
        md5s=("43797be674a37c1c83ee81081941ed0f",),
        by_flow_matching=True,
    ),
    "v3 LoRA": Family(
        supported=False, headers=("03",), lora=True, base="v3", by_flow_matching=True
    ),
    "v4": Family(
        supported=False, md5s=("4f26b9476d0c5033e04162c486074374",), by_flow_matching=True
    ),
    "v4 LoRA": Family(
        supported=False, headers=("04",), lora=True, base="v4", by_flow_matching=True
    ),
}

SUPPORTED: tuple[str, ...] = tuple(name for name, row in FAMILIES.items() if row.supported)

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
    if marks.lora or any(name.startswith(("cfm.", "bridge.")) for name in marks.shapes):
        return _flow_matching_family(claimed, marks)
    if claimed is not None and FAMILIES[claimed].by_flow_matching:
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


def refuse_unsupported(family: str, where: str) -> None:
    """Stop at a family that is read but not built.

    Raises:
        CheckpointError: it is one.
    """
    if not FAMILIES[family].supported:
        raise CheckpointError(
            f"{where}: SoVITS {family}, not supported; supported: {', '.join(SUPPORTED)}"
        )


def _incomplete(claimed: str, marks: Marks, lacks: str, where: str) -> CheckpointError:
    mark = f"header {marks.header}" if marks.header != PLAIN else "an official file by its md5"
    return CheckpointError(
        f"{where}: says SoVITS {claimed} ({mark}) but has no {lacks};"
        " the file is incomplete, take it anew"
    )


def _flow_matching_family(claimed: str | None, marks: Marks) -> str:
    """v3 and v4 have the same tensors: mark and config tell them apart, and without both it is v3.

    Whether it is a LoRA, the tensors say.
    """
    name = "v4" if marks.model.get("version") == "v4" else "v3"
    if claimed is not None and FAMILIES[claimed].by_flow_matching:
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
