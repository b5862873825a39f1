"""References that were encoded before, found again by their content."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from threading import Lock

from runtime.audio import Audio
from runtime.errors import AudioError
from runtime.reference.prepared import EncodedReference
from runtime.text import Lexicon

ENTRIES = 64  # of one megabyte at most


class EncodedCache:
    """The last references of a voice, by the digest of what they were made of.

    A reference that several threads ask for at once is encoded by the first; the others wait.
    """

    def __init__(self, entries: int = ENTRIES) -> None:
        self._entries = entries
        self._lock = Lock()
        self._known: OrderedDict[str, Future[EncodedReference]] = OrderedDict()

    def get(self, key: str, encode: Callable[[], EncodedReference]) -> EncodedReference:
        """What is known under a key, or what `encode` makes."""
        with self._lock:
            known = self._known.get(key)
            mine = known is None
            if known is None:
                known = self._known[key] = Future()
            self._known.move_to_end(key)
            while len(self._known) > self._entries:
                self._known.popitem(last=False)
        if mine:
            self._fill(key, known, encode)
        return known.result()

    def _fill(
        self, key: str, place: "Future[EncodedReference]", encode: Callable[[], EncodedReference]
    ) -> None:
        try:
            place.set_result(encode())
        except BaseException as error:
            with self._lock:
                if self._known.get(key) is place:
                    del self._known[key]
            place.set_exception(error)


def digest_of(
    sounds: Iterable[Audio | Path | str], text: str, lang: str, lexicons: Mapping[str, Lexicon]
) -> str:
    """Digest of all that an encoded reference is made of: content, not names.

    Raises:
        AudioError: a file can't be read.
    """
    content = [_of_sound(sound) for sound in sounds]
    words = [lexicons[language].digest for language in sorted(lexicons)]
    return hashlib.sha256(repr((content, text, lang, words)).encode()).hexdigest()


def _of_sound(sound: Audio | Path | str) -> str:
    if isinstance(sound, Audio):
        return f"{sound.rate} {hashlib.sha256(sound.samples.tobytes()).hexdigest()}"
    try:
        with Path(sound).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AudioError(f"{sound}: {error.strerror}; give a sound file") from error
