"""Put proved graphs, tables and the voice's example into a folder, and write its manifest last.

Graphs and tables are hard links to what was proved (copies where the file system can't link), so a
bundle per precision and length costs no disk. What the manifest does not list is removed.
"""

import argparse
import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runtime import records
from runtime.cli import option, run
from runtime.errors import ArtifactError
from runtime.manifest import (
    FORMAT,
    G2PW_FILES,
    G2PW_MORE,
    NAME,
    T2S,
    Acoustic,
    BundledReference,
    Defaults,
    File,
    Manifest,
    Member,
    digest,
    load,
)
from workflow_scripts import digests
from workflow_scripts.bundle import card, example
from workflow_scripts.files import atomic
from workflow_scripts.proof.measured import Values, read_stream
from workflow_scripts.proof.verdict import read_verdict

USUAL = Defaults()
NOTICE = "NOTICE.txt"  # beside the voice's example, and in its bundles


@dataclass(frozen=True)
class Part:
    """One graph that goes into the bundle: its name, its precision, its file."""

    graph: str
    precision: str
    path: Path


@dataclass(frozen=True)
class Contents:
    """Every file of a bundle but the manifest.

    Attributes:
        parts: graphs.
        tables: files of the build that are taken as they are.
        audio: the voice's example.
        lexicons: language → file with readings of words.
        g2pw: folder of the g2pW model; None without it.
        notice: whose work the voice is, in their own words; None without it.
    """

    parts: tuple[Part, ...]
    tables: tuple[Path, ...]
    audio: Path
    lexicons: Mapping[str, Path] = field(default_factory=dict)
    g2pw: Path | None = None
    notice: Path | None = None

    @property
    def audio_name(self) -> str:
        """The example's name in the bundle."""
        return f"reference{self.audio.suffix.lower()}"

    @property
    def lexicon_names(self) -> dict[str, str]:
        """Language → name in the bundle."""
        return {lang: f"lexicon.{lang}.txt" for lang in self.lexicons}

    @property
    def g2pw_names(self) -> dict[str, str]:
        """Name in g2pW's folder → name in the bundle."""
        if self.g2pw is None:
            return {}
        more = [G2PW_MORE] if (self.g2pw / G2PW_MORE).exists() else []
        return {name: f"g2pw.{name.removeprefix('g2pW.')}" for name in (*G2PW_FILES, *more)}

    @property
    def linked(self) -> dict[str, Path]:
        """Name in the bundle → file that is replaced, never written to, when it changes."""
        files = {f"{part.graph}.onnx": part.path for part in self.parts}
        files |= {table.name: table for table in self.tables}
        if self.g2pw is not None:
            files |= {name: self.g2pw / own for own, name in self.g2pw_names.items()}
        return files

    @property
    def copied(self) -> dict[str, Path]:
        """Name in the bundle → file of its owner, who may edit it."""
        lexicons = {name: self.lexicons[lang] for lang, name in self.lexicon_names.items()}
        notice = {} if self.notice is None else {NOTICE: self.notice}
        return {self.audio_name: self.audio} | lexicons | notice


@dataclass(frozen=True)
class Labels:
    """What the configuration states of a bundle and of its voice's example."""

    voice: str
    precision: str
    max_len: int
    text: str
    lang: str


@dataclass(frozen=True)
class Origin:
    """Where a bundle comes from.

    Attributes:
        facts: what was written down of the checkpoints.
        measured: graph or `chain` → metric → distance from PyTorch.
        sources: the config's word → sha256.
        tools: package → version.
        options: what the configuration said that steered the build.
    """

    facts: dict[str, Any]
    measured: Mapping[str, Values]
    sources: dict[str, str]
    tools: dict[str, str]
    options: dict[str, Any]


def pack(
    folder: Path,
    contents: Contents,
    labels: Labels,
    origin: Origin,
    defaults: Defaults = USUAL,
) -> Manifest:
    """Fill a bundle's folder.

    Args:
        folder: made where absent; while it is filled it has no manifest, so it is no bundle.
        contents: what goes into it.
        labels: names, numbers and the example's text.
        origin: what the manifest records of the build.
        defaults: how the voice speaks where a caller gives nothing.

    Returns:
        The manifest as the runtime reads it back.

    Raises:
        ArtifactError: the facts lack a size.
        BundleError: the runtime would refuse the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).unlink(missing_ok=True)
    for name, source in contents.linked.items():
        _place(source, folder / name, link=True)
    for name, source in contents.copied.items():
        _place(source, folder / name, link=False)
    names = [*contents.linked, *contents.copied]
    for path in folder.iterdir():
        if path.name not in (*names, card.NAME):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    files = {name: _measured_file(folder / name) for name in names}
    _refuse_other_sources(contents, origin, files)
    with atomic(folder / NAME) as (part,):
        manifest = _manifest(contents, labels, origin, files)
        part.write_text(records.text(replace(manifest, defaults=defaults)), "utf-8")
    packed = load(folder)
    with atomic(folder / card.NAME) as (part,):  # derived: no file of the manifest
        part.write_text(card.card(packed), "utf-8")
    return packed


def _refuse_other_sources(contents: Contents, origin: Origin, files: dict[str, File]) -> None:
    """Compare what was read, and what was just copied, with the digests that the manifest names.

    Raises:
        ArtifactError: a source is another file now than when the build was planned.
    """
    found = {word: origin.facts.get(word, {}).get("sha256") for word in ("gpt", "sovits")}
    found["reference-audio"] = files[contents.audio_name].sha256
    for lang, name in contents.lexicon_names.items():
        found[f"lexicon-{lang}"] = files[name].sha256
    if contents.g2pw is not None:
        packed = {
            contents.g2pw / own: files[name].sha256 for own, name in contents.g2pw_names.items()
        }
        found["g2pw"] = digests.of_source(
            contents.g2pw, lambda path: packed.get(path) or digest(path)
        )
    for word, planned in origin.sources.items():
        if (found.get(word) or planned) != planned:
            raise ArtifactError(
                f"{word}: is another file now than when the build was planned (sha256"
                f" {found[word]!s:.12}…, planned {planned:.12}…); build again"
            )


def _place(source: Path, target: Path, *, link: bool) -> None:
    """Put a file beside its name and rename it."""
    with atomic(target) as (part,):
        if link:
            part.unlink()
            with contextlib.suppress(OSError):
                os.link(source, part)
                return
        shutil.copyfile(source, part)


def _measured_file(path: Path) -> File:
    return File(size_bytes=path.stat().st_size, sha256=digest(path))


def _manifest(
    contents: Contents, labels: Labels, origin: Origin, files: dict[str, File]
) -> Manifest:
    try:
        sizes = origin.facts["gpt"]["sizes"]
        return Manifest(
            format=FORMAT,
            voice=labels.voice,
            family=origin.facts["family"],
            precision=labels.precision,
            max_len=labels.max_len,
            symbols=origin.facts["symbols"],
            t2s=T2S(
                layers=sizes["layers"],
                heads=sizes["heads"],
                vocabulary=sizes["vocabulary"],
                eos=sizes["vocabulary"] - 1,
                max_sec=sizes["max_sec"],
            ),
            acoustic=records.parse(
                Acoustic,
                origin.facts["acoustic"],
                f"facts of {labels.voice}: acoustic",
                lambda message: ArtifactError(f"{message}; describe the voice anew"),
            ),
            reference=BundledReference(contents.audio_name, labels.text, labels.lang),
            lexicons=contents.lexicon_names,
            g2pw=contents.g2pw_names,
            defaults=USUAL,
            graphs={p.graph: Member(f"{p.graph}.onnx", p.precision) for p in contents.parts},
            files=files,
            sources=origin.sources,
            tools=origin.tools,
            options=origin.options,
            parity=origin.measured,
        )
    except KeyError as error:
        raise ArtifactError(
            f"facts of {labels.voice}: no {error}; describe the voice anew"
        ) from error


def _defaults(stream: Path) -> Defaults:
    """The reference's numbers, and the lookahead that was recommended.

    Raises:
        ArtifactError: the report recommends none.
    """
    return Defaults(lookahead_tokens=read_stream(stream).recommended_lookahead_tokens)


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    option(
        parser,
        "--member",
        nargs=3,
        action="append",
        required=True,
        metavar=("GRAPH", "PRECISION", "FILE"),
        help="a graph of the bundle; once for each",
    )
    option(parser, "--tables", nargs="+", type=Path, default=[], help="files to take as they are")
    option(parser, "--voice", required=True, help="name of the voice")
    option(parser, "--precision", required=True, help="of the bundle")
    option(parser, "--max-len", type=int, required=True, help="capacity of the KV cache, rows")
    option(parser, "--reference-audio", type=Path, required=True, help="the voice's example")
    option(parser, "--reference-text", required=True, help="what is said in it")
    option(parser, "--reference-lang", required=True, help="its language")
    option(
        parser,
        "--lexicon",
        nargs=2,
        action="append",
        default=[],
        metavar=("LANG", "FILE"),
        help="readings of words; once for each language",
    )
    option(parser, "--g2pw", type=Path, help="folder of g2pW, which reads polyphonic characters")
    option(parser, "--facts", type=Path, required=True, help="JSON: what the checkpoints are")
    option(parser, "--verdict", type=Path, required=True, help="JSON: the judged measurements")
    option(parser, "--stream", type=Path, required=True, help="JSON: the measured stream")
    option(parser, "--sources", type=json.loads, required=True, help="JSON: word to sha256")
    option(parser, "--tools", nargs="+", default=[], metavar="NAME=VERSION", help="of the build")
    option(parser, "--options", type=json.loads, default={}, help="JSON: what steered the build")
    option(
        parser, "--output", type=Path, required=True, help="the manifest, in the bundle's folder"
    )
    return parser


def main(argv: list[str] | None = None) -> None:
    """Pack one bundle."""
    args = _parser().parse_args(argv)
    notice = args.reference_audio.parent / NOTICE
    contents = Contents(
        parts=tuple(Part(graph, at, Path(path)) for graph, at, path in args.member),
        tables=tuple(args.tables),
        audio=args.reference_audio,
        lexicons={lang: Path(path) for lang, path in args.lexicon},
        g2pw=args.g2pw,
        notice=notice if notice.exists() else None,
    )
    labels = Labels(
        args.voice, args.precision, args.max_len, args.reference_text, args.reference_lang
    )
    origin = Origin(
        facts=_read_json(args.facts),
        measured=read_verdict(args.verdict).measured,
        sources=args.sources,
        tools=dict(tool.split("=", 1) for tool in args.tools),
        options=args.options,
    )
    pack(args.output.parent, contents, labels, origin, _defaults(args.stream))
    example.encode(args.output.parent)


if __name__ == "__main__":
    run(main)
