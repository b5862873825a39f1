"""References that a request names: a file of the operator's, an upload, a voice, or sound inside.

A path never leaves the operator's folders: it is resolved first, links included, and compared.
"""

import base64
import binascii
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime import audio
from runtime.audio import Audio
from runtime.errors import AudioError, SettingError
from runtime.reference.prepared import EncodedReference
from runtime.server import fields, labels
from runtime.server.library import Bundle, Library
from runtime.server.options import MIB
from runtime.server.refusals import invalid
from runtime.server.uploads import PREFIX, Uploads
from runtime.settings import Reference
from runtime.text.languages import mode_of
from runtime.voice import Voice

LARGEST_BYTES = 10 * MIB
LONGEST_S = 11.0  # 10 s are the most; what is longer is refused by its length
MOST_FILES = 8
SHORTEST_INLINE = 1024
DATA = re.compile(r"data:audio/[\w.+-]+;base64,", re.I)
BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
Read = Callable[[], Audio]


@dataclass(frozen=True)
class Named:
    """Which fields of a family hold a reference."""

    audio: tuple[str, ...]
    text: tuple[str, ...]
    lang: tuple[str, ...]
    more: str
    inline: bool


OPENAI = Named(("ref_audio",), ("ref_text", "prompt_text"), ("ref_lang", "prompt_lang"), "", True)
API_V2 = Named(
    ("ref_audio_path",), ("prompt_text",), ("prompt_lang",), "aux_ref_audio_paths", False
)
API_V1 = Named(("refer_wav_path",), ("prompt_text",), ("prompt_language",), "inp_refs", False)


@dataclass(frozen=True)
class Example:
    """What a request asks to sound like.

    Attributes:
        read: gives the sound; None where the voice's own example is meant.
        text, lang: what is said in it, and in which language.
        more: further sounds for the style.
        bundle: the voice that was named instead of a sound.
        style: of the voice's pack, or several with their shares; empty where none was named.
    """

    read: Read | None = None
    text: str = ""
    lang: str = "auto"
    more: tuple[Read, ...] = ()
    bundle: Bundle | None = None
    style: str = ""

    def check(self) -> None:
        """Read its sound once; call it in a worker thread.

        Raises:
            AudioError: it is no sound, or too long.
        """
        if self.read is not None:
            self.read()

    def reference(self, voice: Voice) -> Reference | EncodedReference | None:
        """Read it; call it in a worker thread.

        Raises:
            AudioError: it is no sound, or too long.
            SettingError: the voice has no such style.
        """
        if self.read is None:
            return voice.style(self.style) if self.style else None
        return Reference(self.read(), self.text, self.lang, tuple(read() for read in self.more))


class References:
    """Finds what a request names."""

    def __init__(self, roots: tuple[Path, ...], uploads: Uploads, library: Library) -> None:
        self._roots = tuple(root.resolve() for root in roots)
        self._uploads = uploads
        self._library = library

    def reference_of(self, body: Mapping[str, Any], names: Named) -> Example:
        """What the fields of a request ask for.

        Raises:
            Refusal: 400, it names nothing that there is.
        """
        field = names.audio[0]
        given = fields.text(body, *names.audio)
        more = fields.texts(body, names.more) if names.more else []
        if given is None:
            if more and any(self._sound(item) for item in more):
                raise invalid(names.more, f"{names.more}: these go with {field}; give it too")
            return Example()
        found = self._of(given, field, names.inline)
        if found.bundle:
            return found
        text = fields.text(body, *names.text) or ""
        lang = _language(body, names)
        return Example(found.read, text, lang, self._further(more, names.more))

    def _of(self, given: str, field: str, inline: bool) -> Example:
        if given.startswith(("http://", "https://")):
            raise invalid(field, f"{field}: nothing is fetched from the network; send the sound")
        if read := self._sound(given):
            return Example(read)
        if bundle := self._library.find(given):
            return Example(bundle=bundle)
        if DATA.match(given) or (len(given) >= SHORTEST_INLINE and BASE64.fullmatch(given)):
            if not inline:
                raise invalid(field, f"{field}: no sound is taken here; name a file")
            return Example(_inline(given, field))
        raise invalid(field, f"{field}: it was not found under --references", "bad_reference")

    def _sound(self, given: str) -> Read | None:
        if given.startswith(PREFIX):
            return self._uploads.reader(given.removeprefix(PREFIX))
        for root in self._roots:
            if path := inside(root, given):
                return lambda: read(path)
        return None

    def _further(self, given: list[str], field: str) -> tuple[Read, ...]:
        if len(given) > MOST_FILES:
            raise invalid(field, f"{field}: {len(given)} files; give at most {MOST_FILES}")
        return tuple(found for item in given if (found := self._sound(item)))

    def file(self, given: str) -> Path | None:
        """A file under the operator's folders; None if there is none of that name."""
        return next((path for root in self._roots if (path := inside(root, given))), None)


def _language(body: Mapping[str, Any], names: Named) -> str:
    word = labels.language(fields.text(body, *names.lang) or "auto")
    try:
        return mode_of(word)
    except SettingError as error:
        raise invalid(names.lang[0], f"{names.lang[0]}: {error}") from error


def inside(root: Path, given: str) -> Path | None:
    """The file of a root that a path names; None where it leaves the root, or is no file."""
    if "\0" in given or not given.strip():
        return None
    wanted = Path(given.replace("\\", "/"))
    for path in (root / wanted, _any_case(root, wanted)):
        try:
            found = path.resolve(strict=True) if path else None
        except (OSError, RuntimeError, ValueError):
            continue
        if found and found.is_relative_to(root) and found.is_file():
            return found
    return None


def _any_case(root: Path, wanted: Path) -> Path | None:
    """The same path, each component compared without case: some clients send lower case."""
    if wanted.is_absolute() or ".." in wanted.parts:
        return None
    here = root
    for part in wanted.parts:
        if not here.is_dir() or not here.resolve().is_relative_to(root):
            return None
        folded = part.casefold()
        near = next(
            (item for item in sorted(here.iterdir()) if item.name.casefold() == folded), None
        )
        if near is None:
            return None
        here = near
    return here


def read(path: Path) -> Audio:
    """The sound of a file that was found before.

    Raises:
        AudioError: it is no sound, too large, or too long.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise AudioError("ref_audio: the file can't be read; name another") from error
    return decoded(content)


def decoded(content: bytes) -> Audio:
    """The sound of some bytes.

    Raises:
        AudioError: it is no sound, too large, or too long.
    """
    if len(content) > LARGEST_BYTES:
        raise AudioError(
            f"ref_audio: more than {LARGEST_BYTES // MIB} MiB; give 3 to 10 s of sound"
        )
    return audio.decode(io.BytesIO(content), "ref_audio", longest_s=LONGEST_S)


def _inline(given: str, field: str) -> Read:
    try:
        content = base64.b64decode(DATA.sub("", given, count=1), validate=True)
    except (binascii.Error, ValueError):
        raise invalid(
            field, f"{field}: it is no base64; encode it again", "bad_reference"
        ) from None
    return lambda: decoded(content)
