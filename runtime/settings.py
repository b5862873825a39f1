"""What a caller can say about one request; None means: as the voice says."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from runtime.acoustic.kind import Delivery, Streaming
from runtime.audio import Audio
from runtime.errors import SettingError
from runtime.manifest import Defaults
from runtime.t2s.sampler import Sampling
from runtime.text import Lexicon

LONGEST_PAUSE_MS = 60_000
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Reference:
    """An example to sound like.

    Attributes:
        audio: a sound of 3 to 10 s, or the path of one.
        text: what is said in it; empty for the prompt-free mode, which takes the style alone.
        lang: language of `text`.
        more: further sounds; the style is the mean of all.
    """

    audio: Audio | Path | str
    text: str = ""
    lang: str = "auto"
    more: tuple[Audio | Path | str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """One request besides its text.

    Attributes:
        lang: language or mode of the text; None takes the reference's language.
        as_phones: the text is phone symbols with spaces between them.
        cut: how long text is cut, `cut0` .. `cut5`.
        seed: same seed, same samples; None draws one.
        reference: whom to sound like; None takes the voice's own example.
        pause_ms: silence after each sentence.
        lexicons: the user's own readings, by language.
        streaming: how a stream is cut; of no effect on a whole decode.
        speed, noise_scale, top_k, top_p, temperature, repetition_penalty: None takes the voice's.
    """

    lang: str | None = None
    as_phones: bool = False
    cut: str = "cut5"
    seed: int | None = None
    reference: Reference | None = None
    pause_ms: int = 300
    lexicons: Mapping[str, Lexicon] | None = None
    streaming: Streaming = field(default_factory=Streaming)
    speed: float | None = None
    noise_scale: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    temperature: float | None = None
    repetition_penalty: float | None = None

    def __post_init__(self) -> None:
        if self.seed is not None and not 0 <= self.seed <= LARGEST_SEED:
            raise SettingError(f"seed: {self.seed} is not between 0 and {LARGEST_SEED}")
        if not 0 <= self.pause_ms <= LONGEST_PAUSE_MS:
            raise SettingError(f"pause_ms: {self.pause_ms} is not between 0 and {LONGEST_PAUSE_MS}")
        self.sampling(Defaults())  # they refuse what is out of range
        self.delivery(Defaults())

    def changed(self, **changes: Any) -> "Settings":
        """The same with some values replaced.

        Raises:
            SettingError: no setting of that name, or a value out of its range.
        """
        known = [setting.name for setting in fields(self)]
        for name in changes:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
                raise SettingError(f"{name}: no such setting; {hint}")
        return replace(self, **changes)

    def sampling(self, defaults: Defaults) -> Sampling:
        """How tokens are chosen."""
        return Sampling(
            top_k=_first(self.top_k, defaults.top_k),
            top_p=_first(self.top_p, defaults.top_p),
            temperature=_first(self.temperature, defaults.temperature),
            repetition_penalty=_first(self.repetition_penalty, defaults.repetition_penalty),
        )

    def delivery(self, defaults: Defaults) -> Delivery:
        """How tokens are spoken."""
        return Delivery(
            speed=_first(self.speed, defaults.speed),
            noise_scale=_first(self.noise_scale, defaults.noise_scale),
        )

    def chunking(self, defaults: Defaults) -> Streaming:
        """How a stream is cut."""
        ahead = _first(self.streaming.lookahead_tokens, defaults.lookahead_tokens)
        return replace(self.streaming, lookahead_tokens=ahead)


def _first(given: Any, default: Any) -> Any:
    return default if given is None else given
