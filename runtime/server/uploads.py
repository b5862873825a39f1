"""Uploaded references: a FLAC file and what was said of it, under the operator's folder."""

import json
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from runtime import audio
from runtime.audio import Audio
from runtime.files import write_whole
from runtime.server.refusals import Refusal, invalid
from runtime.sound import files

PREFIX = "upload:"
ID = re.compile(r"voice_[0-9a-f]{16}")
NAME = re.compile(r"[\w .-]{1,64}")
MOST = 64


@dataclass(frozen=True)
class Upload:
    """What is known of an upload.

    Attributes:
        id: `voice_` and 16 hexadecimal digits.
        name: the client's.
        created_at: seconds since 1970.
        text, lang: what is said in it, and in which language.
        consent: what the client sent of it.
        file_size: bytes of the file.
    """

    id: str
    name: str
    created_at: int
    text: str = ""
    lang: str = "auto"
    consent: str = ""
    file_size: int = 0


class Uploads:
    """The folder of uploads; None where none are taken."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        if folder:
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def taken(self) -> bool:
        """Whether uploads are taken at all."""
        return self._folder is not None

    def all(self) -> list[Upload]:
        """Every upload, the oldest first."""
        if not self._folder:
            return []
        found = [self._read(path) for path in self._folder.glob("voice_*.json")]
        return sorted((one for one in found if one), key=lambda one: (one.created_at, one.id))

    def get(self, name: str) -> Upload | None:
        """The upload of that id; None if there is none."""
        if not self._folder or not ID.fullmatch(name):
            return None
        return self._read(self._folder / f"{name}.json")

    def reader(self, name: str) -> Callable[[], Audio] | None:
        """What reads its sound; None if there is none."""
        folder = self._folder
        if not folder or not self.get(name):
            return None
        return lambda: audio.read(folder / f"{name}.flac")

    def add(self, sound: Audio, upload: Upload) -> Upload:
        """Keep a sound.

        Raises:
            Refusal: no uploads are taken, there are too many, or the name is no name.
        """
        if not self._folder:
            raise Refusal(404, "not_found", "this server takes no uploads")
        if not NAME.fullmatch(upload.name):
            raise invalid("name", "name: give 1 to 64 letters, digits, blanks, dots or hyphens")
        if len(self.all()) >= MOST:
            raise invalid(None, f"there are {MOST} uploads; delete one")
        path = self._folder / f"{upload.id}.flac"
        files.save(path, [sound.samples], sound.rate)
        kept = Upload(**asdict(upload) | {"file_size": path.stat().st_size})
        write_whole(path.with_suffix(".json"), json.dumps(asdict(kept), ensure_ascii=False))
        return kept

    def delete(self, name: str) -> bool:
        """Remove an upload; whether there was one."""
        if not self._folder or not self.get(name):
            return False
        for suffix in (".json", ".flac"):
            (self._folder / name).with_suffix(suffix).unlink(missing_ok=True)
        return True

    def _read(self, path: Path) -> Upload | None:
        try:
            return Upload(**json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def new(name: str, text: str, lang: str, consent: str) -> Upload:
    """An upload that was just made."""
    number = f"voice_{secrets.token_hex(8)}"
    return Upload(number, name, int(time.time()), text, lang, consent)
