"""The facts of a voice that the plan of a build needs, from the headers of its two files.

Torch-free and quick enough for the time a workflow is parsed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import CheckpointError
from workflow_scripts.checkpoint.contents import Contents, Kind, contents
from workflow_scripts.checkpoint.families import (
    FAMILIES,
    SYMBOL_TABLES,
    Marks,
    family_of,
)
from workflow_scripts.checkpoint.layout import check_layout, t2s_layout
from workflow_scripts.checkpoint.lora import Acoustic, check_base
from workflow_scripts.checkpoint.sizes import T2SSizes, t2s_sizes

AcousticSizes = Any  # a dataclass, as the kind of the family has it


@dataclass(frozen=True)
class VoiceFacts:
    """What follows from a voice's two files.

    Attributes:
        family: key of FAMILIES.
        symbols: key of SYMBOL_TABLES; of both files.
        t2s: sizes of its T2S file.
        sovits: sizes of its SoVITS file.
    """

    family: str
    symbols: str
    t2s: T2SSizes
    sovits: AcousticSizes

    @property
    def bases(self) -> tuple[str, ...]:
        """Shared graphs that it can't do without."""
        return FAMILIES[self.family].bases

    @property
    def kind(self) -> str:
        """How it makes sound."""
        return FAMILIES[self.family].kind

    @property
    def acoustic(self) -> dict[str, Any]:
        """What a manifest states of its acoustic model."""
        return FAMILIES[self.family].acoustic


@dataclass(frozen=True)
class Peeked:
    """A checked file without its weights.

    Attributes:
        contents: what it holds.
        layout: shape of each tensor that inference needs, all of which it has.
        family: of a SoVITS file; None of a T2S file, which shows only its symbols.
        sizes: by its config, agreeing with its tensors.
    """

    contents: Contents
    layout: dict[str, tuple[int, ...]]
    family: str | None
    sizes: AcousticSizes


def peek_t2s(found: Contents) -> tuple[T2SSizes, dict[str, tuple[int, ...]]]:
    """Check a T2S file.

    Args:
        found: its contents.

    Returns:
        Its sizes, and the shape of each of its tensors.

    Raises:
        CheckpointError: config and tensors disagree, or something is missing.
    """
    where = str(found.path)
    sizes = t2s_sizes(found.config, where)
    layout = t2s_layout(sizes)
    check_layout(found.shapes, layout, where)
    return sizes, layout


def peek_sovits(found: Contents) -> tuple[str, AcousticSizes, dict[str, tuple[int, ...]]]:
    """Check a SoVITS file.

    Args:
        found: its contents.

    Returns:
        Its family, sizes, and the shape of each tensor that inference needs.

    Raises:
        CheckpointError: an unknown family, config and tensors disagree, something is missing.
    """
    where = str(found.path)
    model = found.config.get("model")
    shapes = found.shapes
    marks = Marks(
        found.header,
        found.md5,
        shapes,
        model if isinstance(model, dict) else {},
        found.lora_rank is not None,
    )
    family = family_of(marks, where)
    row = FAMILIES[family]
    sizes = row.function("sizes")(found, family)
    layout: dict[str, tuple[int, ...]] = row.function("layout")(sizes, family)
    check_layout(shapes, layout, where)
    return family, sizes, layout


def peek(path: Path, kind: Kind | None = None) -> Peeked:
    """Check a file of either kind.

    Args:
        path: of the file.
        kind: refuse a file of the other kind.

    Returns:
        All that is known of it without its weights.

    Raises:
        CheckpointError: it can't be used, and why.
    """
    return checked(contents(path, kind))


def checked(found: Contents) -> Peeked:
    """Check the contents of a file of either kind; otherwise as `peek`."""
    if found.kind == "t2s":
        t2s, layout = peek_t2s(found)
        return Peeked(found, layout, None, t2s)
    family, sovits, layout = peek_sovits(found)
    return Peeked(found, layout, family, sovits)


def buildable(gpt: Path, sovits: Path, base: Path | None = None) -> VoiceFacts:
    """The same as `facts`, of a voice that can be built.

    Args:
        gpt: its T2S file.
        sovits: its SoVITS file.
        base: what a LoRA file is merged over; None of a whole file.

    Raises:
        CheckpointError: a LoRA without its base, or a base without a LoRA; or as of `facts`.
    """
    found = facts(gpt, sovits)
    under = None
    if base is not None:
        family, sizes, _ = peek_sovits(contents(base, "sovits"))
        under = Acoustic(base, family, sizes)
    check_base(Acoustic(sovits, found.family, found.sovits), under)
    return found


def facts(gpt: Path, sovits: Path, voice: str = "") -> VoiceFacts:
    """The facts of a voice.

    Args:
        gpt: its T2S file.
        sovits: its SoVITS file.
        voice: its name, for error lines.

    Returns:
        What follows from both.

    Raises:
        CheckpointError: one of them can't be used, or they don't belong together.
    """
    gpt_contents, sovits_contents = contents(gpt, "t2s"), contents(sovits, "sovits")
    t2s, _ = peek_t2s(gpt_contents)
    family, sizes, _ = peek_sovits(sovits_contents)
    return joined((gpt, t2s), (sovits, sizes), family, voice)


def joined(
    t2s_file: tuple[Path, T2SSizes],
    sovits_file: tuple[Path, AcousticSizes],
    family: str,
    voice: str = "",
) -> VoiceFacts:
    """The facts of a voice whose files were read; otherwise as `facts`.

    Raises:
        CheckpointError: they don't belong together.
    """
    (gpt, t2s), (sovits, sizes) = t2s_file, sovits_file
    row = FAMILIES[family]
    symbols = t2s_symbols(t2s, gpt)
    if symbols != row.symbols:
        where = f"voice {voice}" if voice else f"{gpt} and {sovits}"
        rows = SYMBOL_TABLES[row.symbols].sovits_rows
        raise CheckpointError(
            f"{where}: T2S file with {symbols} symbols ({t2s.phone_rows} rows), SoVITS file with"
            f" {row.symbols} symbols ({rows}); take both from one training"
        )
    return VoiceFacts(family, symbols, t2s, sizes)


def t2s_symbols(sizes: T2SSizes, path: Path) -> str:
    """The symbol table of a T2S file.

    Args:
        sizes: of the file.
        path: opens the error line.

    Returns:
        A key of SYMBOL_TABLES.

    Raises:
        CheckpointError: no table has that many rows.
    """
    for name, table in SYMBOL_TABLES.items():
        if table.t2s_rows == sizes.phone_rows:
            return name
    known = " and ".join(f"{table.t2s_rows} ({name})" for name, table in SYMBOL_TABLES.items())
    raise CheckpointError(
        f"{path}: config.model.phoneme_vocab_size: {sizes.phone_rows} rows fit no symbol table;"
        f" known are {known}"
    )
