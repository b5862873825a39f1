"""A voice: load a bundle once, then speak from it.

    voice = Voice.load("artifacts/bundles/flite/1000/fp32")
    audio = voice.synthesize("Hello.", lang="en", seed=7)

Reads top to bottom like the models' figure: text to phones, reference to prompt and style, both to
semantic tokens, tokens to latent frames, latent frames to samples.
"""

import logging
import secrets
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from runtime import audio as sound
from runtime import manifest as manifests
from runtime import noise, polyphones
from runtime.acoustic.kind import Conditioning, SpokenChunk
from runtime.arrays import Samples, Tokens
from runtime.audio import Audio
from runtime.backends import Folders, Threads
from runtime.backends.choices import Choice, choose
from runtime.backends.memory import releasing
from runtime.graphs import VoiceGraphs
from runtime.manifest import Manifest
from runtime.reference.condition import condition
from runtime.reference.prepared import Prepared
from runtime.settings import Reference, Settings
from runtime.sound import files
from runtime.t2s.request import CUT_SHORT, Ending, Limits, Prompt, sampled
from runtime.text import Lexicon, Phonemes, Piece, layered, load_lexicon, parse_phones, phonemize
from runtime.text.pieces import pieces
from runtime.text.unread import unread
from runtime.text_features import Line, TextFeatures

TOKENS_PER_SECOND_OF_LIMIT = 50  # early stop: 50 tokens per second of the longest training example
ROWS_PER_PHONE = 8  # of max_len: a phone's own row and those of the tokens that it needs
CUT = "sentence %d was cut short (%s); cut the text finer"
RAN_ON = "sentence %d ran on past what its text explains and was ended (%s); take another seed"
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Speech(Audio):
    """The sound of a whole text.

    Attributes:
        endings: why each sentence ended: `eos`, or the limit that cut it short.
    """

    endings: tuple[str, ...] = ()

    @property
    def cut_short(self) -> bool:
        """Whether a limit ended some sentence before the model did."""
        return not CUT_SHORT.isdisjoint(self.endings)

    def save(self, path: Path | str) -> None:
        """Write a file in the format of its name (`.wav`, `.mp3`, ...), whole or not at all.

        Raises:
            SettingError: a suffix of no format that is written; the message lists them.
            BackendMissing: the format's library is not installed.
            AudioError: a sample is not finite, or the sound is too long for the format.
            OSError: the file can't be written.
        """
        files.save(path, [self.samples], self.rate)


@dataclass(frozen=True, eq=False)
class AudioChunk:
    """A piece of sound of a stream.

    Attributes:
        samples: float32 [S], in -1..1.
        rate: samples per second (Hz).
        segment: number of the piece of text that it belongs to, from 0.
        tokens: the semantic tokens that it holds, int64 [T]; empty for a pause.
        ending: why the tokens of its segment ended (`eos`, or a limit that cut them short); empty
            for a pause, and as long as the segment goes on.
        last: whether the stream ends with it.
    """

    samples: Samples
    rate: int
    segment: int
    tokens: Tokens
    ending: str
    last: bool

    @property
    def int16(self) -> NDArray[np.int16]:
        """The samples as 16-bit numbers."""
        return sound.to_int16(self.samples)


@dataclass(frozen=True, eq=False)
class Asked:
    """A request, checked: what to speak, and how."""

    wanted: Sequence[Line | Piece]
    reference: Prepared
    request: Settings
    seed: int


Speak = Callable[[Iterable[int], Conditioning, Settings], Iterator[SpokenChunk]]


class Voice:
    """One bundle, loaded. Weights are shared; calls from several threads don't disturb each other.

    Attributes:
        manifest: what the bundle says of itself.
        provider: the back ends in use and why they were chosen; None if graphs came from outside.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        graphs: VoiceGraphs,
        provider: Choice | None = None,
    ) -> None:
        self.manifest = manifest
        self.rate = manifest.acoustic.sampling_rate_hz
        self._folder = folder
        self._decoder = graphs.decoder()
        self._acoustic = graphs.acoustic_model()
        self._references = graphs.references()
        self.provider = provider.after(graphs.opened) if provider else None
        self._polyphones = polyphones.of_bundle(folder, manifest, graphs.threads)
        self._features = TextFeatures(
            graphs.opener("roberta") if "roberta" in graphs else None,
            folder / manifests.VOCABULARY,
        )

    @classmethod
    def load(
        cls,
        folder: Path | str,
        *,
        provider: str = "auto",
        threads: int | Threads = 0,
        verify: Literal["full", "size"] = "full",
        measured: Path | None = None,
        folders: Folders | None = None,
    ) -> "Voice":
        """Load a bundle.

        Args:
            folder: the bundle.
            provider: `auto`, a name of BACKENDS, or graphs with theirs; see `choices.choose`.
            threads: of each session; 0 takes all cores. A `Threads` says more.
            verify: `full` compares every byte with the manifest, `size` only sizes.
            measured: what `auto` goes by; None for this machine's file.
            folders: for what back ends compile, to load quickly; and where this machine's engines
                are, which `auto` tries first. None for neither.

        Raises:
            BundleError: incomplete, altered, or newer than this runtime.
            SettingError, BackendMissing, MachineError: the provider.
        """
        folder, at = Path(folder), folders or Folders()
        manifest = manifests.load(folder)
        choice = choose(provider, manifest, measured, at.engines)
        manifests.verify(folder, manifest, verify)
        graphs = VoiceGraphs.of_bundle(folder, manifest, choice, threads, at)
        return cls(folder, manifest, graphs, choice)

    def synthesize(self, text: str, settings: Settings | None = None, **changes: Any) -> Speech:
        """Speak a text of any length.

        Args:
            text: what to say.
            settings: how; None for the voice's defaults.
            changes: single settings by name, over `settings`.

        Raises:
            TextError: there is nothing to say in it, or a language is missing.
            AudioError: the reference can't be used.
            SettingError: a setting is unknown or out of range.
        """
        chunks = list(self.sentences(text, settings, **changes))
        samples = np.concatenate([chunk.samples for chunk in chunks])
        endings = tuple(chunk.ending for chunk in chunks if chunk.ending)
        return Speech(samples, self.rate, endings=endings)

    def sentences(
        self, text: str, settings: Settings | None = None, **changes: Any
    ) -> Iterator[AudioChunk]:
        """The same samples as `synthesize`, sentence by sentence, as they are made.

        Text, settings and reference are checked by the call itself, before the first chunk.
        """
        return self._speak_all(self._asked(text, settings, changes), self._whole)

    def stream(
        self, text: str, settings: Settings | None = None, **changes: Any
    ) -> Iterator[AudioChunk]:
        """Speak in chunks of some tokens, each as soon as it can be made.

        The same tokens as `synthesize`, and as many samples; what differs is in docs/streaming.md.
        Checks are made by the call itself; closing the iterator ends the work.
        """
        return self._speak_all(self._asked(text, settings, changes), self._chunked)

    def parts(
        self, text: str, settings: Settings | None = None, **changes: Any
    ) -> list[tuple[Prompt, Conditioning]]:
        """What each sentence is decoded from, and what its sound is made under; to measure with."""
        asked = self._asked(text, settings, changes)
        return [
            (self._prompt(item, asked.reference), self._conditioning(item, asked, number))
            for number, item in enumerate(asked.wanted)
            if isinstance(item, Line)
        ]

    def _asked(self, text: str, settings: Settings | None, changes: Mapping[str, Any]) -> Asked:
        request = (settings or Settings()).changed(**changes)
        wanted = self._pieces(text, request)
        reference = self.prepare(request.reference) if request.reference else self._own
        seed = secrets.randbits(63) if request.seed is None else request.seed
        self._foresee([item for item in wanted if isinstance(item, Line)], reference)
        return Asked(wanted, reference, request, seed)

    def _pieces(self, text: str, request: Settings) -> list[Line | Piece]:
        """Lines to speak, phones and features included, and pauses between them."""
        return [
            self._features.line(part) if isinstance(part, Phonemes) else part
            for part in self.read(text, request)
        ]

    def read(self, text: str, request: Settings) -> list[Phonemes | Piece]:
        """What the front end makes of a text: phones of each piece, and pauses between them."""
        table = self.manifest.symbols
        if request.as_phones:
            return [parse_phones(text, table)]
        lang = request.lang or self.manifest.reference.lang
        room = self.manifest.max_len // ROWS_PER_PHONE
        lexicons = layered(request.lexicons or {}, self._lexicons)
        wanted = pieces(text, lang, request.cut, room, table=table, lexicons=lexicons)
        if lost := unread(text, lang):
            LOG.warning("text: %s", lost)
        return [
            self._phonemes(piece.text, lang, lexicons) if piece.text else piece for piece in wanted
        ]

    def _phonemes(self, text: str, lang: str, lexicons: Mapping[str, Lexicon]) -> Phonemes:
        table, chooser = self.manifest.symbols, self._polyphones
        return phonemize(text, lang, table, lexicons=lexicons, polyphones=chooser)

    @cached_property
    def _lexicons(self) -> dict[str, Lexicon]:
        """Readings that the voice came with; a caller's go before them."""
        files = self.manifest.lexicons.items()
        return {lang: load_lexicon(self._folder / file, lang) for lang, file in files}

    @cached_property
    def _own(self) -> Prepared:
        """The voice's own example, prepared when it is first needed."""
        example = self.manifest.reference
        return self.prepare(Reference(self._folder / example.audio, example.text, example.lang))

    def prepare(self, reference: Reference) -> Prepared:
        """Listen to a reference: prompt tokens, what is said, and the style.

        Raises:
            AudioError: unreadable, or not 3 to 10 s long.
        """
        audios = [_listened(_audio(item)) for item in (reference.audio, *reference.more)]
        sound_of = self._references.encoded(audios, self._acoustic.wants)
        tokens, line, phones = np.zeros(0, np.int64), None, np.zeros(0, np.int64)
        if reference.text.strip():
            phonemes = self._phonemes(reference.text, reference.lang, self._lexicons)
            tokens = self._references.prompt_tokens(audios[0])
            line = self._features.line(phonemes)
            phones = line.phones
        return Prepared(tokens, line, self._acoustic.primed(sound_of, tokens, phones))

    @property
    def _limits(self) -> Limits:
        return Limits(
            early_stop_tokens=int(TOKENS_PER_SECOND_OF_LIMIT * self.manifest.t2s.max_sec),
            max_len=self.manifest.max_len,
        )

    def _prompt(self, line: Line, reference: Prepared) -> Prompt:
        spoken = line.after(reference.line) if reference.line else line
        most = reference.pace.most(line.phones.size)
        return Prompt(spoken.phones, spoken.features, reference.tokens, most)

    def _foresee(self, lines: Sequence[Line], reference: Prepared) -> None:
        """Say, before anything is spoken, which sentences will likely be cut short."""
        for sentence, line in enumerate(lines, 1):
            room = self._limits.room(self._prompt(line, reference))
            likely = reference.pace.likely(line.phones.size)
            if likely > room:
                LOG.warning(
                    "sentence %d: %d phones likely need %d tokens and there is room for %d; cut the"
                    " text finer or build a longer max_len",
                    sentence, line.phones.size, likely, room,
                )  # fmt: skip

    def _speak_all(self, asked: Asked, speak: Speak) -> Iterator[AudioChunk]:
        sentence = 0
        for number, item in enumerate(asked.wanted):
            end = number == len(asked.wanted) - 1
            if not isinstance(item, Line):
                silence = np.zeros(item.samples(self.rate), np.float32)
                yield AudioChunk(silence, self.rate, number, np.zeros(0, np.int64), "", end)
                continue
            sentence += 1
            ending = Ending()
            pause = Piece(pause_ms=asked.request.pause_ms).samples(self.rate)
            conditioning = self._conditioning(item, asked, number)
            # closed at once where a stream is given up, so that the decode state is free again
            with releasing(), closing(self._tokens(item, asked, number, ending)) as tokens:
                for spoken in speak(tokens, conditioning, asked.request):
                    samples = np.pad(spoken.samples, (0, pause * spoken.last))
                    reason = ending.reason if spoken.last else ""
                    last = end and spoken.last
                    if spoken.last and ending.cut_short:
                        LOG.warning(RAN_ON if reason == "pace" else CUT, sentence, reason)
                    yield AudioChunk(samples, self.rate, number, spoken.tokens, reason, last)

    def _tokens(
        self, line: Line, asked: Asked, number: int, ending: Ending
    ) -> Generator[int, None, None]:
        """Semantic tokens of one line as they are made; `number` is the line's."""
        prompt = self._prompt(line, asked.reference)
        sampling = asked.request.sampling(self.manifest.defaults)
        chooser = sampled(sampling, partial(noise.exponentials, asked.seed, number))
        most = -1 if prompt.most_tokens is None else prompt.most_tokens
        limits = replace(self._limits, pace_tokens=most)
        return self._decoder.tokens(prompt, chooser, limits, ending)

    def _conditioning(self, line: Line, asked: Asked, number: int) -> Conditioning:
        drawn = partial(noise.normals, asked.seed, number)
        settings = asked.request.acoustic(self.manifest.defaults)
        return Conditioning(line.phones, asked.reference.acoustic, drawn, settings)

    def _whole(
        self, tokens: Iterable[int], conditioning: Conditioning, _request: Settings
    ) -> Iterator[SpokenChunk]:
        """The whole line at once."""
        yield self._acoustic.whole(np.fromiter(tokens, np.int64), conditioning)

    def _chunked(
        self, tokens: Iterable[int], conditioning: Conditioning, request: Settings
    ) -> Iterator[SpokenChunk]:
        streaming = request.chunking(self.manifest.defaults)
        return self._acoustic.stream(tokens, conditioning, streaming)


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
