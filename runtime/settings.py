"""What a caller can say about one request; None means: as the voice says.

SETTINGS is the one table of all settings: what the command line, HTTP bodies, a voice's defaults
and docs/settings.md have is made of its rows. Those that the models take are in `model_settings`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Unpack, cast

from runtime.acoustic.kind import AcousticSettings, Streaming
from runtime.audio import Audio
from runtime.errors import SettingError
from runtime.loop_numbers import GridNumbers
from runtime.model_settings import MODEL_SETTINGS, Defaults, ModelChanges, ModelSettings
from runtime.reference.prepared import EncodedReference
from runtime.setting_row import Api, Setting, nearest, shown
from runtime.t2s.sampler import Sampling
from runtime.text import CUTS, MODES, Lexicon
from runtime.text.languages import LANGUAGES

COUNTRIES = {"cn": "zh", "jp": "ja", "kr": "ko", "hk": "yue"}  # taken for languages
MEANT = {row.name.lower(): code for code, row in LANGUAGES.items()} | COUNTRIES


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

    def __post_init__(self) -> None:
        more: object = self.more
        if not isinstance(more, tuple | list):
            raise SettingError(f"reference: more is {shown(more)}; give a tuple of sounds or paths")
        for sound in (self.audio, *self.more):
            if not isinstance(sound, Audio | Path | str):
                raise SettingError(
                    f"reference: {shown(sound)} is no sound; give an Audio or the path of a file"
                )
        if not isinstance(self.text, str):
            raise SettingError(f"reference: text is {shown(self.text)}; give what is said, or ''")
        object.__setattr__(self, "lang", LANG.checked(self.lang, "reference: lang"))
        object.__setattr__(self, "more", tuple(self.more))


LANG = Setting(
    "lang", str, "language of the text, or a mode that finds it out", "request",
    usual="the reference's", choices=MODES, meant=MEANT, optional=True,
    openai=("language", "lang", "lang_code", "text_lang"), api_v2=("text_lang", "text_language"),
)  # fmt: skip
_ROWS = (
    LANG,
    Setting(
        "as_phones", bool, "the text is phone symbols with spaces between them", "request",
        default=False, cli="--phones", openai=(),
    ),
    Setting(
        "cut", str, "how long text is cut (docs/text.md)", "request",
        default="cut5", choices=tuple(CUTS),
        openai=("text_split_method", "cut"), api_v2=("text_split_method",),
    ),
    Setting(
        "seed", int, "same seed, same samples", "request",
        usual="random", low=0, high=2**63 - 1, optional=True, api_v2=None, below=None,
    ),
    Setting(
        "reference", Reference, "whom to sound like", "request", other_kinds=(EncodedReference,),
        usual="the voice's example", values="a runtime.Reference, or what Voice.encode gives",
        optional=True,
        cli="--ref-audio", openai=(),
    ),
    Setting(
        "pause_ms", int, "silence after each sentence, in milliseconds", "request",
        default=GridNumbers.pause_ms, low=0, high=60_000,
        openai=("pause_ms", "fragment_interval", "pause_length"), api_v2=("fragment_interval",),
        in_seconds=frozenset({"fragment_interval", "pause_length"}),
    ),
    Setting(
        "strict", bool, "a sentence that is cut short is an error, not a warning", "request",
        default=False, api_v2=None,
    ),
    Setting(
        "lexicons", Mapping, "own readings of words, by language", "request",
        usual="the voice's", values="languages with what runtime.text.load_lexicon gives",
        optional=True, cli="--lexicon", openai=(),
    ),
    Setting(
        "streaming", Streaming, "how a stream is cut: the settings of streams in one", "stream",
        usual="Streaming()", values="a runtime.Streaming", cli=None, openai=(),
    ),
)  # fmt: skip
SETTINGS: dict[str, Setting] = {row.name: row for row in _ROWS} | MODEL_SETTINGS
STREAM_NAMES = frozenset(known.name for known in fields(Streaming))


class Changes(ModelChanges, total=False):
    """Settings as keyword arguments; those of streams may be given one by one."""

    lang: str | None
    as_phones: bool
    cut: str
    seed: int | None
    reference: Reference | EncodedReference | None
    pause_ms: int
    strict: bool
    lexicons: Mapping[str, Lexicon] | None
    streaming: Streaming


@dataclass(frozen=True)
class Settings(ModelSettings):
    """One request besides its text; docs/settings.md lists ranges and defaults.

    Attributes:
        lang: language or mode of the text; None takes the reference's language.
        as_phones: the text is phone symbols with spaces between them.
        cut: how long text is cut, `cut0` .. `cut5`.
        seed: same seed, same samples; None draws one.
        reference: whom to sound like, encoded or not; None takes the voice's own example.
        pause_ms: silence after each sentence.
        strict: a sentence that a limit ends before the model does is an error.
        lexicons: the user's own readings, by language.
        streaming: how a stream is cut; of no effect on a whole decode.
        speed, noise_scale, sample_steps, top_k, top_p, temperature, repetition_penalty: None takes
            the voice's.

    Raises:
        SettingError: a value is none of its setting's; names them.
    """

    lang: str | None = None
    as_phones: bool = SETTINGS["as_phones"].default
    cut: str = SETTINGS["cut"].default
    seed: int | None = None
    reference: Reference | EncodedReference | None = None
    pause_ms: int = SETTINGS["pause_ms"].default
    strict: bool = SETTINGS["strict"].default
    lexicons: Mapping[str, Lexicon] | None = None
    streaming: Streaming = field(default_factory=Streaming)

    def __post_init__(self) -> None:
        for known in fields(self):
            checked = SETTINGS[known.name].checked(getattr(self, known.name))
            object.__setattr__(self, known.name, checked)
        _check_lexicons(self.lexicons or {})

    def sampling(self, defaults: Defaults) -> Sampling:
        """How tokens are chosen."""
        return Sampling(**_fields_of(Sampling, self.of_voice(defaults)))

    def acoustic(self, defaults: Defaults) -> AcousticSettings:
        """How tokens are spoken."""
        return AcousticSettings(**_fields_of(AcousticSettings, self.of_voice(defaults)))

    def chunking(self, defaults: Defaults) -> Streaming:
        """How a stream is cut."""
        if self.streaming.lookahead_tokens is not None:
            return self.streaming
        return replace(self.streaming, lookahead_tokens=defaults.lookahead_tokens)

    def refuse_unused(self, acoustic_kind: str) -> None:
        """Refuse what a kind of acoustic model has no use for.

        Raises:
            SettingError: a setting was given that only other kinds have.
        """
        for name, row in MODEL_SETTINGS.items():
            if not row.used_by(acoustic_kind) and getattr(self, name, None) is not None:
                raise SettingError(f"{name}: voices of this family have no such setting")

    def changed(self, **changes: Unpack[Changes]) -> "Settings":
        """The same with some values replaced.

        Raises:
            SettingError: no setting of that name, or a value that is none of its setting's.
        """
        given: dict[str, Any] = dict(changes)
        for name in given:
            if name not in SETTINGS:
                raise SettingError(f"{name}: no such setting; {nearest(name, tuple(SETTINGS))}")
        stream = {name: given.pop(name) for name in STREAM_NAMES & given.keys()}
        if stream:
            base = SETTINGS["streaming"].checked(given.get("streaming", self.streaming))
            given["streaming"] = replace(base, **stream)
        return replace(self, **given)


def from_body(body: Mapping[str, Any], api: Api) -> Changes:
    """The settings that a body of an HTTP request names, under that API's names.

    Args:
        body: fields of a JSON object, a form or a query; those of no setting are passed over.
        api: whose names they are. Of several names of one setting the first of its row counts.

    Returns:
        What `Settings.changed` and the methods of a voice take.

    Raises:
        SettingError: a value is none of its setting's; the message begins with the field.
    """
    found: dict[str, Any] = {}
    for row in SETTINGS.values():
        for name in row.names_in(api):
            value = row.coerced(body[name], name) if name in body else None
            if value is not None:
                found.setdefault(row.name, value)
    return cast(Changes, found)  # a test holds the table's names against those of Changes


def _fields_of(
    kind: type[Sampling] | type[AcousticSettings], values: Mapping[str, Any]
) -> dict[str, Any]:
    return {one.name: values[one.name] for one in fields(kind) if one.name in values}


def _check_lexicons(lexicons: Mapping[Any, Any]) -> None:
    for lang, lexicon in lexicons.items():
        if lang not in LANGUAGES:
            raise SettingError(
                f"lexicons: {shown(lang)} is no language; choose one of {', '.join(LANGUAGES)}"
            )
        if not isinstance(lexicon, Lexicon) or lexicon.lang != lang:
            raise SettingError(
                f"lexicons: {lang} is {shown(lexicon)}; give what"
                f" runtime.text.load_lexicon(path, {lang!r}) gives"
            )
