"""Text, settings and a reference in, a request that can be spoken out; makes no sound itself."""

import hashlib
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from runtime import audio as sound
from runtime import manifest as manifests
from runtime import polyphones
from runtime.acoustic.kind import AcousticModel
from runtime.audio import Audio
from runtime.contract import graphs_of
from runtime.errors import SettingError, TextError
from runtime.graphs import VoiceGraphs
from runtime.manifest import Manifest
from runtime.reference import pack
from runtime.reference.cache import EncodedCache, digest_of
from runtime.reference.condition import condition
from runtime.reference.prepared import EncodedReference
from runtime.setting_row import shown
from runtime.settings import Reference, Settings
from runtime.text import Lexicon, Phonemes, Piece, layered, load_lexicon, parse_phones, phonemize
from runtime.text.pieces import behind, finer, pieces
from runtime.text.symbols import ids_of
from runtime.text.unread import unread
from runtime.text_features import Line, TextFeatures

SHORT_PHONES = 12
ROWS_PER_PHONE = 8  # of max_len: a phone's own row and those of the tokens that it needs
LOG = logging.getLogger(__name__)
Longest = Callable[[EncodedReference], int]


@dataclass(frozen=True, eq=False)
class Sentence:
    """What is spoken in one go: a piece of text as it was cut, with its phones and features."""

    text: str
    line: Line


@dataclass(frozen=True, eq=False)
class Request:
    """A request, checked: what to speak, pauses between it, and how.

    Attributes:
        items: sentences and pauses, in order.
        reference: whom to sound like.
        settings, seed: how.
        rest: what is left of a sentence when so many of its phones are spoken; None if nothing is.
    """

    items: Sequence[Sentence | Piece]
    reference: EncodedReference
    settings: Settings
    seed: int
    rest: Callable[[Sentence, int], Sentence | None]

    @property
    def sentences(self) -> list[tuple[int, Sentence]]:
        """Those that are spoken, with their place among the items."""
        return [
            (number, item) for number, item in enumerate(self.items) if isinstance(item, Sentence)
        ]


class Preparation:
    """The front end and the encoders of one voice."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        graphs: VoiceGraphs,
        acoustic: AcousticModel,
        longest: Longest,
    ) -> None:
        """Take what a voice is made of.

        Args:
            folder: its bundle.
            manifest: of the bundle.
            graphs: of the bundle.
            acoustic: keeps of a reference what it needs.
            longest: phones of a line that likely fits behind a reference.
        """
        self._folder = folder
        self._longest = longest
        self._manifest = manifest
        self._acoustic = acoustic
        self._references = graphs.references()
        self._polyphones = polyphones.of_bundle(folder, manifest, graphs.threads)
        self._features = TextFeatures(
            graphs.opener("roberta") if "roberta" in graphs else None,
            folder / manifests.VOCABULARY,
        )
        self._cache = EncodedCache()

    def request(self, text: str, settings: Settings, stopped: Callable[[], bool]) -> Request:
        """Read a text and encode the reference.

        Args:
            text: what to say.
            settings: how.
            stopped: asked between pieces of text; what comes then is left out.

        Raises:
            TextError, AudioError, SettingError: as `Voice.synthesize` says.
        """
        settings.refuse_unused(self._manifest.acoustic.kind)
        parts, reference = self._cut(text, settings), self._reference(settings)
        items: list[Sentence | Piece] = []
        for part in self._read(parts, settings, reference):
            if stopped():
                break
            items.append(self._sentence(part) if isinstance(part, Phonemes) else part)
        seed = secrets.randbits(63) if settings.seed is None else settings.seed
        return Request(items, reference, settings, seed, partial(self._rest, settings))

    def _sentence(self, phonemes: Phonemes) -> Sentence:
        text = "".join(segment.text for segment in phonemes.segments)
        return Sentence(text, self._features.line(phonemes))

    def read(self, text: str, settings: Settings) -> list[Phonemes | Piece]:
        """What the front end makes of a text: phones of each piece, and pauses between them."""
        return list(self._read(self._cut(text, settings), settings, self._reference(settings)))

    def _cut(self, text: str, settings: Settings) -> list[Piece | Phonemes]:
        """Pieces of a text, as the reference cuts it; phones that were given are one."""
        if not isinstance(text, str):
            raise TextError(f"text: {shown(text)} is not text; give words in a string")
        manifest = self._manifest
        if settings.as_phones:
            return [parse_phones(text, manifest.symbols)]
        lang, lexicons = self._told(settings)
        room = manifest.max_len // ROWS_PER_PHONE
        found = pieces(text, lang, settings.cut, room, table=manifest.symbols, lexicons=lexicons)
        if lost := unread(text, lang):
            LOG.warning("text: %s", lost)
        return list(found)

    def _read(
        self, parts: Sequence[Piece | Phonemes], settings: Settings, reference: EncodedReference
    ) -> Iterator[Phonemes | Piece]:
        """Phones of each piece, which is cut finer where it likely is too long for the voice."""
        lang, lexicons = self._told(settings)
        room = max(1, self._longest(reference))
        for part in parts:
            if isinstance(part, Phonemes) or not part.text:
                yield part
                continue
            read = self._phonemes(part.text, lang, lexicons)
            if read.ids.size <= room:
                yield read
                continue
            symbols = self._manifest.symbols
            for short in finer(part.text, lang, room, table=symbols, lexicons=lexicons):
                yield self._phonemes(short, lang, lexicons)

    def _rest(self, settings: Settings, sentence: Sentence, spoken: int) -> Sentence | None:
        """What is left of a sentence; None of one word, and of phones that were given."""
        if settings.as_phones:
            return None
        lang, lexicons = self._told(settings)
        symbols = self._manifest.symbols
        left = behind(sentence.text, lang, spoken, table=symbols, lexicons=lexicons)
        return self._sentence(self._phonemes(left, lang, lexicons)) if left else None

    def _told(self, settings: Settings) -> tuple[str, Mapping[str, Lexicon]]:
        """Language or mode of a text, and own readings of its words."""
        lexicons = layered(settings.lexicons or {}, self._lexicons)
        return settings.lang or self._manifest.reference.lang, lexicons

    def _phonemes(self, text: str, lang: str, lexicons: Mapping[str, Lexicon]) -> Phonemes:
        table, chooser = self._manifest.symbols, self._polyphones
        return phonemize(text, lang, table, lexicons=lexicons, polyphones=chooser)

    @cached_property
    def _lexicons(self) -> dict[str, Lexicon]:
        """Readings that the voice came with; a caller's go before them."""
        files = self._manifest.lexicons.items()
        return {lang: load_lexicon(self._folder / file, lang) for lang, file in files}

    def _reference(self, settings: Settings) -> EncodedReference:
        if settings.reference is None:
            return self.own
        if isinstance(settings.reference, EncodedReference):
            self._refuse_foreign(settings.reference)
            return settings.reference
        return self.encode(settings.reference, settings.lexicons or {})

    @property
    def example(self) -> str:
        """Some phone symbols that the voice has, with spaces between them."""
        own = self.own.line
        symbols = list(ids_of(self._manifest.symbols))
        ids = own.phones[:SHORT_PHONES].tolist() if own else range(1, SHORT_PHONES)
        return " ".join(symbols[i] for i in ids)

    @cached_property
    def styles(self) -> dict[str, EncodedReference]:
        """Styles of the pack inside the bundle; none where there is no pack.

        Raises:
            ArtifactError: the pack is broken.
        """
        path = self._folder / pack.NAME
        return pack.load(path) if path.is_file() else {}

    @cached_property
    def own(self) -> EncodedReference:
        """The voice's own example, encoded when it is first needed; of its pack, if it has one."""
        if packed := self.styles.get(pack.DEFAULT):
            self._refuse_foreign(packed)
            return packed
        example = self._manifest.reference
        audio = self._folder / example.audio
        return self.encode(Reference(audio, example.text, example.lang), {})

    def encode(self, reference: Reference, lexicons: Mapping[str, Lexicon]) -> EncodedReference:
        """Prompt tokens, what is said, and what the acoustic model takes of a reference.

        What was encoded before is found again by its content.

        Raises:
            AudioError: unreadable, or not 3 to 10 s long.
        """
        sounds = (reference.audio, *reference.more)
        key = digest_of(sounds, reference.text, reference.lang, lexicons)
        both = layered(lexicons, self._lexicons)
        return self._cache.get(key, lambda: self._encoded(reference, both))

    def _encoded(self, reference: Reference, lexicons: Mapping[str, Lexicon]) -> EncodedReference:
        audios = [_listened(_audio(item)) for item in (reference.audio, *reference.more)]
        sounds = self._references.encoded(audios, self._acoustic.wants)
        tokens, line, phones = np.zeros(0, np.int64), None, np.zeros(0, np.int64)
        if reference.text.strip():
            phonemes = self._phonemes(reference.text, reference.lang, lexicons)
            tokens = self._references.prompt_tokens(audios[0])
            line = self._features.line(phonemes)
            phones = line.phones
        kept = self._acoustic.primed(sounds, tokens, phones)
        return EncodedReference(tokens, line, kept, self._digest)

    @cached_property
    def _digest(self) -> str:
        """Of what an encoded reference depends on: the graphs that encode it, and the phones.

        The T2S model is not in it: the same tokens mean the same to all that were trained on one
        SoVITS model.
        """
        manifest = self._manifest
        files = [manifest.sources.get(name) for name in ("sovits", "base")]
        made_of = "".join(digest or "" for digest in files) or [
            manifest.files[manifest.graphs[graph].file].sha256
            for graph in graphs_of(manifest.acoustic.kind, "reference")
        ]
        depends = (manifest.family, manifest.acoustic.kind, manifest.symbols, made_of)
        return hashlib.sha256(repr(depends).encode()).hexdigest()

    def _refuse_foreign(self, reference: EncodedReference) -> None:
        """Refuse what was encoded by another voice, or holds what this one has no row for.

        Raises:
            SettingError: so it is.
        """
        phones = reference.line.phones if reference.line else np.zeros(0, np.int64)
        fits = (
            reference.voice == self._digest
            and int(reference.tokens.max(initial=0)) < self._manifest.t2s.eos
            and int(phones.max(initial=0)) < len(ids_of(self._manifest.symbols))
            and reference.acoustic.keys() == self._kept_names
        )
        if not fits:
            raise SettingError(
                f"reference: it was not encoded by voice {self._manifest.voice!r}; give it to"
                " encode() of this voice as a recording"
            )

    @cached_property
    def _kept_names(self) -> frozenset[str]:
        """What the acoustic model keeps of a reference, by name."""
        return frozenset(self._acoustic.made_up())


def _listened(audio: Audio) -> Audio:
    """A reference without its long silence; says what was cut and what is wrong with it."""
    found = condition(audio)
    if found.cut_s:
        LOG.info("%s: %.2f s of silence is left out", audio.source, found.cut_s)
    for fault in found.faults:
        LOG.warning("%s", fault)
    return found.audio


def _audio(item: Audio | Path | str) -> Audio:
    return item if isinstance(item, Audio) else sound.read(item)
