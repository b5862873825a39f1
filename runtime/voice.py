"""A voice: load a bundle once, then speak from it.

    with Voice.load("artifacts/bundles/flite/1000/fp32") as voice:
        audio = voice.synthesize("Hello.", lang="en", seed=7)

What is to be spoken is made ready in `preparation`, spoken in `speaking`; what comes out is in
`speech`.
"""

import threading
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Unpack
from weakref import WeakSet

import numpy as np

from runtime import manifest as manifests
from runtime.acoustic.kind import Conditioning
from runtime.asynchronous import chunks_in_thread
from runtime.backends import Folders, Threads
from runtime.backends.choices import Choice, choose
from runtime.errors import STOPPED, SettingError, Stopped, UsageError
from runtime.graphs import VoiceGraphs
from runtime.manifest import Manifest
from runtime.preparation import Preparation, Request
from runtime.reference import pack
from runtime.reference.prepared import EncodedReference
from runtime.setting_row import shown
from runtime.settings import Changes, Reference, Settings
from runtime.speaking import Speaker
from runtime.speech import AudioChunk as AudioChunk
from runtime.speech import Speech as Speech
from runtime.speech import SpeechStream, Stop
from runtime.t2s.batch import BatchedDecoder
from runtime.t2s.request import Limits, Prompt
from runtime.text import Lexicon, Phonemes, Piece

MOST_AHEAD = 3  # sentences of one request that are decoded before their turn
Speak = Callable[[Speaker, Request, Stop], Generator[AudioChunk, None, None]]


@dataclass(frozen=True)
class _Loaded:
    """What a voice lets go when it is closed."""

    preparation: Preparation
    speaker: Speaker


class Voice:
    """One bundle, loaded. Weights are shared; calls from several threads don't disturb each other.

    Attributes:
        manifest: what the bundle says of itself.
        rate: samples per second (Hz) of what it speaks.
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
        with ThreadPoolExecutor(1) as beside:  # reading weights takes one core each
            opened = beside.submit(graphs.acoustic_model)
            decoder, acoustic = graphs.token_source(), opened.result()
        together = isinstance(decoder, BatchedDecoder)
        ahead = min(graphs.users - 1, MOST_AHEAD) if together else 0
        speaker = Speaker(manifest, decoder, acoustic, ahead)
        prepared = Preparation(folder, manifest, graphs, acoustic, speaker.longest)
        self._loaded: _Loaded | None = _Loaded(prepared, speaker)
        self._streams: WeakSet[SpeechStream] = WeakSet()
        self._closing = threading.Lock()
        self.provider = provider.after(graphs.opened) if provider else None

    @classmethod
    def load(  # noqa: PLR0913 - all but the first are keywords
        cls,
        folder: Path | str,
        *,
        provider: str = "auto",
        threads: int | Threads = 0,
        verify: Literal["full", "size"] = "full",
        measured: Path | None = None,
        folders: Folders | None = None,
        users: int = 1,
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
            users: sentences that are decoded at once; more wait their turn. Each has the bytes that
                it has alone. See docs/several_at_once.md for what one more costs.

        Raises:
            BundleError: incomplete, altered, or newer than this runtime.
            SettingError, BackendMissing, MachineError: the provider.
        """
        folder, at = Path(folder), folders or Folders()
        manifest = manifests.load(folder)
        choice = choose(provider, manifest, measured, at.engines)
        manifests.verify(folder, manifest, verify)
        graphs = VoiceGraphs.of_bundle(folder, manifest, choice, threads, at, users)
        return cls(folder, manifest, graphs, choice)

    def synthesize(
        self,
        text: str,
        settings: Settings | None = None,
        *,
        stop: threading.Event | None = None,
        **changes: Unpack[Changes],
    ) -> Speech:
        """Speak a text of any length.

        Args:
            text: what to say.
            settings: how; None for the voice's defaults.
            stop: whoever sets it ends the work, after the token or the call of a graph that it is
                at.
            changes: single settings by name, over `settings`.

        Raises:
            TextError: there is nothing to say in it, or a language is missing; with `strict`, a
                sentence was cut short.
            AudioError: the reference can't be used.
            SettingError: a setting is unknown, or its value is none that it takes.
            Stopped: by `stop`, before the end.
        """
        with self._stream(text, settings, changes, stop, Speaker.whole) as stream:
            chunks = list(stream)
        if not chunks or not chunks[-1].last:
            raise Stopped(STOPPED)
        samples = np.concatenate([chunk.samples for chunk in chunks])
        reasons = tuple(chunk.finish_reason for chunk in chunks if chunk.finish_reason)
        return Speech(samples, self.rate, finish_reasons=reasons)

    def sentences(
        self,
        text: str,
        settings: Settings | None = None,
        *,
        stop: threading.Event | None = None,
        **changes: Unpack[Changes],
    ) -> SpeechStream:
        """The same samples as `synthesize`, sentence by sentence, as they are made.

        Text, settings and reference are checked by the call itself, before the first chunk. Whoever
        sets `stop`, or calls `close` of what is returned, ends the work, inside a sentence too; the
        iteration then ends without a last chunk.
        """
        return self._stream(text, settings, changes, stop, Speaker.whole)

    def stream(
        self,
        text: str,
        settings: Settings | None = None,
        *,
        stop: threading.Event | None = None,
        **changes: Unpack[Changes],
    ) -> SpeechStream:
        """Speak in chunks of some tokens, each as soon as it can be made.

        The same tokens as `synthesize`, and as many samples; what differs is in docs/streaming.md.
        Checks are made by the call itself. It is stopped as `sentences` is.
        """
        return self._stream(text, settings, changes, stop, Speaker.streamed)

    def astream(
        self,
        text: str,
        settings: Settings | None = None,
        *,
        ahead: int = 2,
        **changes: Unpack[Changes],
    ) -> AsyncGenerator[AudioChunk, None]:
        """The chunks of `stream` for asyncio, made in a thread of their own.

        A task that is cancelled, or an iterator that is closed (`contextlib.aclosing`), ends the
        work as closing a stream does. Settings are checked by the call; what text and reference
        are refused for is raised with the first chunk.

        Args:
            text: what to say.
            settings: how; None for the voice's defaults.
            ahead: chunks, 1 or more, that may be made before they are asked for.
            changes: single settings by name, over `settings`.
        """
        if not isinstance(ahead, int) or isinstance(ahead, bool) or ahead < 1:
            raise SettingError(f"ahead: {shown(ahead)} is not a number of chunks; give 1 or more")
        wanted = _changed(settings, changes)
        return chunks_in_thread(lambda stop: self.stream(text, wanted, stop=stop), ahead)

    def parts(
        self, text: str, settings: Settings | None = None, **changes: Unpack[Changes]
    ) -> list[tuple[Prompt, Conditioning]]:
        """What each sentence is decoded from, and what its sound is made under; to measure with."""
        open_ = self._open
        wanted = _changed(settings, changes)
        return open_.speaker.parts(open_.preparation.request(text, wanted, Stop().is_set))

    def read(self, text: str, request: Settings) -> list[Phonemes | Piece]:
        """What the front end makes of a text: phones of each piece, and pauses between them."""
        return self._open.preparation.read(text, request)

    def encode(
        self, reference: Reference, lexicons: Mapping[str, Lexicon] | None = None
    ) -> EncodedReference:
        """Encode a reference once, for many requests: `reference=` takes what this returns.

        The last 64 references are found again by their content without it; what is returned can
        also be saved, and loaded for the same voice in another process.

        Args:
            reference: sounds, and what is said in the first.
            lexicons: own readings of words in its text, by language.

        Raises:
            AudioError: unreadable, or not 3 to 10 s long.
        """
        return self._open.preparation.encode(reference, lexicons or {})

    @property
    def example(self) -> EncodedReference:
        """The voice's own example, encoded."""
        return self._open.preparation.own

    @property
    def styles(self) -> tuple[str, ...]:
        """Names of the styles in the bundle's voice pack (`python -m runtime.pack`)."""
        return tuple(self._open.preparation.styles)

    def style(self, wanted: str) -> EncodedReference:
        """A style of the bundle's voice pack, for `reference=`.

        Args:
            wanted: `happy`, or several with their shares: `happy=0.7,sad=0.3`.

        Raises:
            SettingError: there is no such style.
        """
        return pack.mixed(self._open.preparation.styles, wanted)

    prepare = encode  # the name that it had before

    @property
    def limits(self) -> Limits:
        """When a sentence ends besides by the model; may be set, for measurements."""
        return self._open.speaker.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._open.speaker.limits = limits

    def warm_up(self) -> None:
        """Load what is loaded when it is first needed, and speak a few tokens that are thrown away.

        The first request then takes no longer than the others.
        """
        with self.stream(self._open.preparation.example, as_phones=True, seed=0) as stream:
            next(stream, None)

    def close(self) -> None:
        """Stop what the voice speaks and let its graphs go; requests are refused from then on.

        A thread that is at work keeps the graphs until it is done with the call that it is at.
        """
        with self._closing:
            self._loaded = None
            streams = list(self._streams)
        for stream in streams:
            stream.close()

    def __enter__(self) -> "Voice":
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _open(self) -> _Loaded:
        loaded = self._loaded
        if loaded is None:
            raise UsageError(f"voice {self.manifest.voice!r}: it is closed; load it again")
        return loaded

    def _stream(
        self,
        text: str,
        settings: Settings | None,
        changes: Changes,
        outer: threading.Event | None,
        speak: Speak,
    ) -> SpeechStream:
        loaded, stop = self._open, Stop(outer)
        request = loaded.preparation.request(text, _changed(settings, changes), stop.is_set)
        loaded.speaker.foresee(request)
        stream = SpeechStream(speak(loaded.speaker, request, stop), stop)
        with self._closing:
            self._open  # noqa: B018 - it may have been closed meanwhile
            self._streams.add(stream)
        return stream


def _changed(settings: Settings | None, changes: Changes) -> Settings:
    if settings is not None and not isinstance(settings, Settings):
        raise SettingError(f"settings: {shown(settings)} is no Settings; give them by name")
    return (settings or Settings()).changed(**changes)
