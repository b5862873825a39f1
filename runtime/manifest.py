"""What a bundle says of itself, and whether its files are the ones that it says.

A bundle is a folder with graphs, tables, the voice's example and `manifest.json`. Reads and checks
it without third-party packages; `manifest.schema.json` beside this file states the same to others.
"""

import hashlib
import re
import stat
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from runtime import records
from runtime.contract import GRAPHS, STEP_TABLES, graphs_of
from runtime.errors import BundleError, SettingError
from runtime.loop_numbers import GridNumbers, LoopNumbers
from runtime.model_settings import Defaults as Defaults
from runtime.processor import cores

FORMAT = 1
TOKENS_PER_SECOND = GridNumbers.tokens_per_second
FRAMES_PER_TOKEN = 100  # at most
AGAIN = "build it again"
NAME = "manifest.json"
VOCABULARY = "vocabulary.json"  # of roberta: characters → ids
G2PW_FILES = (  # as they are named in g2pW's folder
    "g2pW.onnx",
    "config.py",
    "POLYPHONIC_CHARS.txt",
    "MONOPHONIC_CHARS.txt",
    "bopomofo_to_pinyin_wo_tune_dict.json",
)
G2PW_MORE = "polyphonic.rep"  # its list of words, which need not be there

DEEPEST, MOST_NAMED = 3, 8  # voice/length/precision, and how many of them a message names
LARGEST_SIZE = 1 << 17
RATES_HZ = range(8_000, 192_001)  # of what a vocoder makes
PLAIN_NAME = re.compile(r"(?!\.)[^/\\:\0]+")  # never a path out of the bundle


@dataclass(frozen=True)
class File:
    """One file of the bundle: its size and the sha256 of its bytes, in hexadecimal."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Member:
    """One graph: the name of its file and the precision that it is stored in."""

    file: str
    precision: str


@dataclass(frozen=True)
class BundledReference:
    """The voice's example: the name of its audio file, what is said, and in which language."""

    audio: str
    text: str
    lang: str


@dataclass(frozen=True)
class T2S:
    """Sizes of the text-to-semantic transformer.

    Attributes:
        layers: L.
        heads: H.
        vocabulary: V, with EOS.
        eos: the token that ends an utterance, V - 1.
        max_sec: length of training examples in seconds; an utterance stops early at 50 times it.
    """

    layers: int
    heads: int
    vocabulary: int
    eos: int
    max_sec: int


@dataclass(frozen=True)
class Acoustic:
    """Sizes of the acoustic model; what has its usual value is left out of a file.

    Attributes:
        sampling_rate_hz: of the samples that the vocoder makes.
        spectrogram_bins: Y, bins of the reference spectrogram that its style is taken from.
        needs_speaker: whether the style takes a speaker embedding.
        kind: how it makes sound, a name in `runtime.acoustic.kind.KINDS`.
        vocoder: the graph that makes the samples, of the voice or shared.
        frames_per_token: frames that the vocoder takes, at speed 1.
        sizes: further numbers that a kind asks for, by its own names.
    """

    sampling_rate_hz: int
    spectrogram_bins: int
    needs_speaker: bool
    kind: str = field(default="vits", metadata=records.LEFT_OUT)
    vocoder: str = field(default="vocoder", metadata=records.LEFT_OUT)
    frames_per_token: float = field(default=2.0, metadata=records.LEFT_OUT)
    sizes: Mapping[str, float] = field(default_factory=dict, metadata=records.LEFT_OUT)

    @property
    def samples_per_frame(self) -> int:
        """Samples that the vocoder makes of a frame."""
        return round(self.sampling_rate_hz / (TOKENS_PER_SECOND * self.frames_per_token))


@dataclass(frozen=True)
class Manifest:
    """The whole manifest.

    Attributes:
        format: version of this layout.
        voice: name of the voice.
        family: family of its acoustic model.
        precision: of the bundle; single graphs may keep another.
        max_len: capacity of the KV cache in rows: phones, prompt and new tokens.
        symbols: name of the symbol table that phones are numbered by.
        t2s: sizes of the text-to-semantic transformer.
        acoustic: sizes of the acoustic model.
        reference: the voice's example.
        lexicons: language → file with the voice's own readings of words.
        g2pw: name in g2pW's folder → file; its graph is an asset, none of the contract. Empty
            where readings of polyphonic characters are left to the library.
        defaults: settings where a caller gives none.
        graphs: name in the contract → member.
        files: every file of the bundle but the manifest.
        sources: the config's word → sha256 of the file that it was made from.
        tools: package → version that took part in the build.
        options: what the configuration said that steered the build.
        parity: graph or `chain` → metric → measured distance from PyTorch; `None` if unknown.
        loop: what a program in another language can't read from the graphs; the same everywhere.
    """

    format: int
    voice: str
    family: str
    precision: str
    max_len: int
    symbols: str
    t2s: T2S
    acoustic: Acoustic
    reference: BundledReference
    lexicons: Mapping[str, str]
    g2pw: Mapping[str, str]
    defaults: Defaults
    graphs: Mapping[str, Member]
    files: Mapping[str, File]
    sources: Mapping[str, str]
    tools: Mapping[str, str]
    options: Mapping[str, Any]
    parity: Mapping[str, Mapping[str, float | None]]
    loop: LoopNumbers = field(default_factory=LoopNumbers)


def load(folder: Path) -> Manifest:
    """Read the manifest of a bundle; its files are not opened.

    Raises:
        BundleError: there is none, it is newer than this runtime, it has a wrong type or an
            unknown or missing key somewhere, or it leaves out what a voice can't do without.
    """
    path = folder / NAME
    try:
        content = records.content(path, BundleError, AGAIN)
    except FileNotFoundError:
        raise BundleError(
            f"{folder}: no bundle here ({NAME} is missing); {_below(folder)}"
        ) from None
    if isinstance(content, dict):
        _refuse_other_formats(path, content.get("format"))
    try:
        manifest = records.parse(
            Manifest, content, f"{path}", lambda message: BundleError(f"{message}; {AGAIN}")
        )
    except SettingError as error:
        raise BundleError(f"{path}.defaults.{error}; {AGAIN}") from error
    _refuse_incomplete(folder, manifest)
    _refuse_senseless(path, manifest)
    _refuse_other_loop(path, manifest.loop)
    return manifest


def verify(folder: Path, manifest: Manifest, how: Literal["full", "size"] = "full") -> None:
    """Compare a bundle's files with its manifest.

    Args:
        folder: the bundle.
        manifest: its manifest, as `load` gave it.
        how: `full` reads every byte (about a second per GB), `size` only asks for sizes.

    Raises:
        BundleError: a file is missing, or is not the file of the manifest.
    """
    for name, want in manifest.files.items():
        try:
            found = (folder / name).stat()
        except OSError:
            raise BundleError(f"{folder}: {name} is missing; build it again") from None
        if not stat.S_ISREG(found.st_mode):
            raise BundleError(f"{folder}: {name} is no plain file; build it again")
        size = found.st_size
        if size != want.size_bytes:
            raise BundleError(
                f"{folder}: {name} is not the file of the manifest"
                f" ({size} bytes, want {want.size_bytes}); build it again"
            )
    if how == "full":
        _compare_digests(folder, manifest)


def digest(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _compare_digests(folder: Path, manifest: Manifest) -> None:
    with ThreadPoolExecutor(cores()) as readers:
        found_of = readers.map(lambda name: digest(folder / name), manifest.files)
        digests = dict(zip(manifest.files, found_of, strict=True))
    for name, want in manifest.files.items():
        found = digests[name]
        if found != want.sha256:
            raise BundleError(
                f"{folder}: {name} is not the file of the manifest"
                f" (sha256 {found[:12]}…, want {want.sha256[:12]}…); build it again"
            )


def _below(folder: Path) -> str:
    """What to do where no bundle is: take one of those below, or build one."""
    found = sorted(
        path.parent.relative_to(folder).as_posix()
        for depth in range(1, DEEPEST + 1)
        for path in folder.glob("*/" * depth + NAME)
    )
    if not found:
        return "build it"
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return f"give one of those below it: {', '.join(found[:MOST_NAMED])}{more}"


def _refuse_other_formats(path: Path, found: object) -> None:
    if isinstance(found, int) and found > FORMAT:
        raise BundleError(
            f"{path}: format {found}, this runtime reads up to {FORMAT}; install a newer runtime"
        )
    if isinstance(found, int) and found < 1:
        raise BundleError(f"{path}: format {found} does not exist; build it again")


def _refuse_incomplete(folder: Path, manifest: Manifest) -> None:
    """Refuse a manifest that is well formed, and does not hold a voice."""
    acoustic = manifest.acoustic
    needed = [*graphs_of(acoustic.kind), acoustic.vocoder, "hubert"]
    needed += ["speaker"] * acoustic.needs_speaker
    for graph in needed:
        if graph not in manifest.graphs:
            raise BundleError(f"{folder}: {NAME} has no graph {graph!r}; build it again")
    for name in G2PW_FILES if manifest.g2pw else ():
        if name not in manifest.g2pw:
            raise BundleError(f"{folder}: {NAME} has no {name!r} of g2pW; build it again")
    for graph in manifest.graphs:
        if graph not in GRAPHS:
            raise BundleError(f"{folder}: unknown graph {graph!r}; build it again")
    _refuse_files(folder, manifest)


def _refuse_senseless(path: Path, manifest: Manifest) -> None:
    """Refuse numbers that no voice has."""
    t2s, acoustic = manifest.t2s, manifest.acoustic
    counts = {
        "max_len": manifest.max_len,
        "t2s.layers": t2s.layers,
        "t2s.heads": t2s.heads,
        "t2s.vocabulary": t2s.vocabulary,
        "t2s.max_sec": t2s.max_sec,
        "acoustic.spectrogram_bins": acoustic.spectrogram_bins,
    }
    for key, found in counts.items():
        if not 1 <= found <= LARGEST_SIZE:
            raise BundleError(f"{path}.{key}: {found}, want 1 to {LARGEST_SIZE}; {AGAIN}")
    if not 0 < acoustic.frames_per_token <= FRAMES_PER_TOKEN:
        raise BundleError(
            f"{path}.acoustic.frames_per_token: {acoustic.frames_per_token:g}, want above 0, up to"
            f" {FRAMES_PER_TOKEN}; {AGAIN}"
        )
    if acoustic.sampling_rate_hz not in RATES_HZ:
        raise BundleError(
            f"{path}.acoustic.sampling_rate_hz: {acoustic.sampling_rate_hz}, want"
            f" {RATES_HZ.start} to {RATES_HZ.stop - 1}; {AGAIN}"
        )
    if t2s.eos != t2s.vocabulary - 1:
        raise BundleError(f"{path}.t2s.eos: {t2s.eos}, want {t2s.vocabulary - 1}; {AGAIN}")


def _refuse_other_loop(path: Path, found: LoopNumbers) -> None:
    """Refuse a bundle that has to be spoken by other numbers than this runtime's."""
    here = asdict(LoopNumbers())
    for group, numbers in asdict(found).items():
        for name, number in numbers.items():
            if number != here[group][name]:
                raise BundleError(
                    f"{path}.loop.{group}.{name}: {number}, this runtime has {here[group][name]};"
                    " install the runtime that built it"
                )


def _refuse_files(folder: Path, manifest: Manifest) -> None:
    for name in _named(manifest):
        if name not in manifest.files:
            raise BundleError(f"{folder}: {NAME} does not list the file {name!r}; build it again")
    for name in manifest.files:
        if not PLAIN_NAME.fullmatch(name) or name == NAME:
            raise BundleError(f"{folder}: {NAME} lists {name!r}, no file of it; build it again")


def _named(manifest: Manifest) -> list[str]:
    """Files that the manifest speaks of outside `files`, and those that a voice has anyway."""
    listed = [member.file for member in manifest.graphs.values()]
    listed += [manifest.reference.audio, STEP_TABLES]
    listed += [VOCABULARY] * ("roberta" in manifest.graphs or bool(manifest.g2pw))
    listed += [*manifest.lexicons.values(), *manifest.g2pw.values()]
    return listed
