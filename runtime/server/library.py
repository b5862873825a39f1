"""The voices under the operator's folders: what they are called, and which are in memory."""

import logging
import threading
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from runtime import manifest as manifests
from runtime.backends import Threads
from runtime.errors import FoundryError
from runtime.manifest import Manifest
from runtime.reference import pack
from runtime.server.options import Options
from runtime.server.refusals import Refusal
from runtime.text.languages import LANGUAGES
from runtime.voice import Voice

OPENAI_NAMES = (
    "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage",
    "shimmer", "verse",
)  # fmt: skip
DEEPEST = 4
FILE_SUFFIXES = (
    ".wav", ".mp3", ".ogg", ".flac", ".m4a", ".aac", ".opus", ".ckpt", ".pth", ".safetensors",
)  # fmt: skip
LISTED = 20  # names in a message
LOG = logging.getLogger(__name__)


@dataclass(eq=False)
class Bundle:
    """One bundle that can be asked for.

    Attributes:
        id: full name, `voice/max_len/precision`.
        folder: where it is.
        manifest: what it says of itself.
    """

    id: str
    folder: Path
    manifest: Manifest
    voice: Voice | None = None
    users: int = 0
    verified: bool = False
    loading: threading.Lock = field(default_factory=threading.Lock)

    @property
    def size_bytes(self) -> int:
        """Bytes of its files, about what it takes when it is loaded."""
        return sum(file.size_bytes for file in self.manifest.files.values())

    @property
    def styles(self) -> list[str]:
        """Styles of its voice pack."""
        path = self.folder / pack.NAME
        try:
            return list(pack.names(path)) if path.is_file() else []
        except FoundryError as error:
            LOG.warning("%s", error)
            return []

    @property
    def languages(self) -> list[str]:
        """Languages that it can speak here: in its symbol table, and installed."""
        return [
            code
            for code, language in LANGUAGES.items()
            if self.manifest.symbols in language.tables and not language.missing()
        ]


@dataclass(frozen=True)
class Change:
    """What a look at the folders found: full names that came and went, and broken bundles."""

    voices: int
    added: list[str]
    removed: list[str]
    broken: dict[str, str]


class Library:
    """All bundles by name; loads them when they are asked for, and lets idle ones go."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._bundles: dict[str, Bundle] = {}
        self._lock = threading.Lock()
        self._order: list[Bundle] = []  # loaded ones, the least recently used first
        self.scan()

    @property
    def names(self) -> list[str]:
        """Short names, sorted; the default voice's first."""
        short = sorted({bundle.manifest.voice for bundle in self._bundles.values()})
        default = self._options.voices.default
        if default:
            first = self.find(default)
            if first:
                short.sort(key=lambda name: name != first.manifest.voice)
        return short

    def scan(self) -> Change:
        """Look at the folders again; requests under way keep their bundle."""
        found: dict[str, Bundle] = {}
        broken: dict[str, str] = {}
        for folder in self._folders():
            try:
                manifest = manifests.load(folder)
            except FoundryError as error:
                broken[folder.name] = type(error).__name__
                LOG.warning("left out: %s", error)
                continue
            name = f"{manifest.voice}/{manifest.max_len}/{manifest.precision}"
            if name in found:
                LOG.warning("%s: there is %s already; the first is taken", folder, name)
                continue
            found[name] = self._kept(name, folder, manifest)
        with self._lock:
            before, self._bundles = self._bundles, found
        added, removed = sorted(found.keys() - before), sorted(before.keys() - found)
        return Change(len(found), added, removed, broken)

    def _kept(self, name: str, folder: Path, manifest: Manifest) -> Bundle:
        before = self._bundles.get(name)
        if before and before.folder == folder and before.manifest == manifest:
            return before
        return Bundle(name, folder, manifest)

    def _folders(self) -> Iterator[Path]:
        for root in self._options.voices.roots:
            yield from _bundle_folders(root.resolve(), root.resolve(), 0)

    def resolve(self, name: str | None) -> Bundle:
        """The bundle that a requested name means.

        Raises:
            Refusal: 404, nobody has that name; or 503, there is no voice at all.
        """
        found = self.find(name or "")
        if found:
            return found
        if not self._bundles:
            raise Refusal(503, "loading", "no voice is there yet", headers={"Retry-After": "5"})
        if self._options.voices.unknown_is_default:
            return self.default
        known = ", ".join(self.names[:LISTED])
        raise Refusal(404, "voice_not_found", f"voice: no such voice; there are: {known}", "voice")

    def styled(self, name: str) -> tuple[Bundle, str]:
        """The bundle that `voice` or `voice:style` means, and the style; empty for its own.

        Raises:
            Refusal: as `resolve` does, or 404, the voice has no such style.
        """
        voice, colon, wanted = name.rpartition(":")
        if not colon or self.find(name):
            return self.resolve(name), ""
        bundle = self.resolve(voice)
        styles = bundle.styles
        try:
            missing = [style for style in pack.weights(wanted) if style not in styles]
        except FoundryError:
            missing = [wanted]
        if missing:
            known = ", ".join(styles) or "none"
            message = f"voice: {voice[:60]} has no style {missing[0][:40]!r}; there are: {known}"
            raise Refusal(404, "voice_not_found", message, "voice")
        return bundle, wanted

    @property
    def default(self) -> Bundle:
        """The voice where a request names none.

        Raises:
            Refusal: 503, there is none.
        """
        return self.resolve("")

    def find(self, name: str) -> Bundle | None:
        """The bundle of a name, a path or a name of OpenAI's; None if it means none."""
        wanted = _folded(name)
        found = self._named(wanted)
        if found:
            return found
        stem = stem_of(name)
        if stem and (found := self._named(_folded(stem))):
            return found
        is_openai = self._options.voices.openai_names and wanted in OPENAI_NAMES
        if wanted in ("", "default") or is_openai:
            return self._default()
        return None

    def _named(self, wanted: str) -> Bundle | None:
        """By full name, short name, or alias."""
        for known, bundle in self._bundles.items():
            if _folded(known) == wanted:
                return bundle
        named = [one for one in self._bundles.values() if _folded(one.manifest.voice) == wanted]
        if named:
            return min(named, key=self._preference)
        for alias, target in self._options.voices.aliases.items():
            if _folded(alias) == wanted and _folded(target) != wanted:
                return self._named(_folded(target))
        return None

    def _default(self) -> Bundle | None:
        named = self._named(_folded(self._options.voices.default))
        if named or not self._bundles:
            return named
        first = min(bundle.manifest.voice for bundle in self._bundles.values())
        return self._named(_folded(first))

    def _preference(self, bundle: Bundle) -> tuple[int, int, str]:
        prefer, manifest = self._options.voices.prefer, bundle.manifest
        listed = manifest.precision in prefer
        place = prefer.index(manifest.precision) if listed else len(prefer)
        return place, -manifest.max_len, bundle.id

    def bundles(self) -> list[Bundle]:
        """One per short name: the one that the name means."""
        return [bundle for name in self.names if (bundle := self.find(name))]

    def of_source(self, digest: str) -> Bundle | None:
        """A bundle that was made from a file with this sha256."""
        for bundle in self._bundles.values():
            if digest in bundle.manifest.sources.values():
                return bundle
        return None

    def check_default(self) -> str:
        """What is wrong with the operator's names; empty if nothing is."""
        wanted = {"--default-voice": self._options.voices.default} | {
            f"--alias {alias}": target for alias, target in self._options.voices.aliases.items()
        }
        for option, name in wanted.items():
            if name and not self._named(_folded(name)):
                return f"{option}: no voice is called {name!r}; there are: {', '.join(self.names)}"
        return ""

    @contextmanager
    def loaded(self, bundle: Bundle) -> Iterator[Voice]:
        """The voice of a bundle, loaded; it stays in memory as long as this is held.

        Raises:
            FoundryError: it can't be loaded.
        """
        with self._lock:
            bundle.users += 1
        try:
            with bundle.loading:
                voice = bundle.voice or self._load(bundle)
            self._used(bundle)
            yield voice
        finally:
            with self._lock:
                bundle.users -= 1
                stale = bundle.users == 0 and self._bundles.get(bundle.id) is not bundle
                if stale:
                    self._release(bundle)

    def _load(self, bundle: Bundle) -> Voice:
        self._make_room(bundle.size_bytes)
        LOG.info("loading %s", bundle.id)
        bundle.voice = Voice.load(
            bundle.folder,
            provider=self._options.provider,
            threads=Threads(self._options.threads),
            verify="size" if bundle.verified else "full",
            users=self._options.load.parallel,
        )
        bundle.verified = True
        return bundle.voice

    def _make_room(self, wanted: int) -> None:
        limit = self._options.voices.memory_bytes
        with self._lock:
            for other in list(self._order):
                if not limit or self.loaded_bytes + wanted <= limit:
                    return
                if other.users == 0:
                    self._release(other)

    def _release(self, bundle: Bundle) -> None:
        if bundle in self._order:
            self._order.remove(bundle)
        if bundle.voice:
            bundle.voice.close()
        bundle.voice = None
        LOG.info("let go: %s", bundle.id)

    def _used(self, bundle: Bundle) -> None:
        with self._lock:
            if bundle in self._order:
                self._order.remove(bundle)
            self._order.append(bundle)

    @property
    def loaded_bytes(self) -> int:
        """Bytes of the bundles that are loaded."""
        return sum(bundle.size_bytes for bundle in self._order)

    def close(self) -> None:
        """Let go of every voice."""
        with self._lock:
            for bundle in list(self._order):
                self._release(bundle)


def stem_of(name: str) -> str:
    """The last component of what looks like a path, without its suffix; empty for plain names."""
    path = PurePosixPath(name.strip().replace("\\", "/"))
    looks_like_one = len(path.parts) > 1 or path.suffix.lower() in FILE_SUFFIXES
    return path.stem if looks_like_one else ""


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip()).casefold()


def _bundle_folders(folder: Path, root: Path, depth: int) -> Iterator[Path]:
    """Folders with a manifest, links out of the root left aside."""
    if not folder.resolve().is_relative_to(root):
        return
    if (folder / manifests.NAME).is_file():
        yield folder
    elif depth < DEEPEST and folder.is_dir():
        try:
            below = sorted(folder.iterdir())
        except OSError as error:
            LOG.warning("%s: %s", folder, error.strerror)
            return
        for child in below:
            if child.is_dir():
                yield from _bundle_folders(child, root, depth + 1)


def as_listed(bundle: Bundle, name: str) -> Mapping[str, object]:
    """What lists say of a voice."""
    return {
        "id": name,
        "name": name,
        "languages": bundle.languages,
        "family": bundle.manifest.family,
        "rate": bundle.manifest.acoustic.sampling_rate_hz,
        "loaded": bundle.voice is not None,
    }
