"""The settings that the models take: one row each, and the records that hold their values.

A voice says what they are where a caller does not (`Defaults`, in its manifest). To add one: a row
here; a field in `Defaults` if a voice has a say in it; a field in `ModelSettings`, or in
`Streaming`, and in `ModelChanges`, which callers write. A test compares all of these.
"""

from dataclasses import dataclass, fields
from typing import Any, TypedDict

from runtime.contract import OFFERED_STEPS
from runtime.setting_row import Setting

KEEP_ALL = 1025  # tokens: as many as there are in every family

_ROWS = (
    Setting(
        "top_k", int, f"keep the likeliest N tokens; {KEEP_ALL} or more keeps all", "tokens",
        default=15, low=1, high=2**31 - 1,
        optional=True, of_voice=True, api_v2=None, below=KEEP_ALL,
    ),
    Setting(
        "top_p", float, "share of probability that is kept; 1 or more keeps all", "tokens",
        default=1.0, low=0, high=1000, optional=True, of_voice=True, api_v2=None,
    ),
    Setting(
        "temperature", float, "lower is steadier, higher more varied", "tokens",
        default=1.0, low=0, high=1000, optional=True, of_voice=True, api_v2=None,
    ),
    Setting(
        "repetition_penalty", float, "more than 1 avoids tokens that occurred; 1 is off", "tokens",
        default=1.35, low=0, above=True, high=1000, optional=True, of_voice=True, api_v2=None,
    ),
    Setting(
        "speed", float, "more than 1 is faster", "sound",
        default=1.0, low=0.25, high=4, optional=True, of_voice=True,
        api_v2=("speed_factor", "speed"),
    ),
    Setting(
        "noise_scale", float, "share of the prior's spread that is used; less is steadier", "sound",
        default=0.5, low=0, high=2, optional=True, of_voice=True,
    ),
    Setting(
        "sample_steps", int, "steps of the sampler; more take as many times longer", "sound",
        usual="the family's: v3 32, v4 8", low=4, high=32, numbers=OFFERED_STEPS,
        optional=True, acoustic_kinds=frozenset({"cfm"}), api_v2=None,
    ),
    Setting(
        "first_chunk_tokens", int, "tokens of a sentence's first chunk; fewer sound earlier",
        "stream", default=10, low=1, high=1500,
    ),
    Setting(
        "chunk_growth", float, "how many times larger each further chunk is", "stream",
        default=1.5, low=1, high=100,
    ),
    Setting(
        "largest_chunk_tokens", int, "where that growth ends", "stream",
        default=50, low=1, high=1500,
    ),
    Setting(
        "lookahead_tokens", int,
        "tokens waited for behind a chunk, above speed 1 as many times more; more are nearer to the"
        " whole decode", "stream",
        # 6 are the least that give the vocoder all that it sees
        default=16, low=6, high=1500, optional=True, of_voice=True,
    ),
    Setting(
        "history_tokens", int, "tokens before a chunk that its encoder sees; more cost time",
        "stream", default=120, low=0, high=1500,
    ),
)  # fmt: skip
MODEL_SETTINGS: dict[str, Setting] = {row.name: row for row in _ROWS}


def default_of(name: str) -> Any:
    """What a setting is where neither the caller nor the voice gives another."""
    return MODEL_SETTINGS[name].default


def check_settings(record: Any) -> None:
    """Check the fields of a frozen dataclass that are named like settings.

    Raises:
        SettingError: a value is none of its setting's.
    """
    for known in fields(record):
        if known.name in MODEL_SETTINGS:
            checked = MODEL_SETTINGS[known.name].checked(getattr(record, known.name))
            object.__setattr__(record, known.name, checked)


@dataclass(frozen=True)
class Defaults:
    """How a voice speaks where a caller gives no other; here the reference's own numbers.

    Attributes:
        top_k, top_p, temperature, repetition_penalty: how tokens are chosen.
        speed, noise_scale: how they are spoken.
        lookahead_tokens: what a stream waits for behind a chunk; more where the build has measured
            that this voice's seams need it.
    """

    top_k: int = default_of("top_k")
    top_p: float = default_of("top_p")
    temperature: float = default_of("temperature")
    repetition_penalty: float = default_of("repetition_penalty")
    speed: float = default_of("speed")
    noise_scale: float = default_of("noise_scale")
    lookahead_tokens: int = default_of("lookahead_tokens")

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """What a caller says of them; None takes the voice's."""

    top_k: int | None = None
    top_p: float | None = None
    temperature: float | None = None
    repetition_penalty: float | None = None
    speed: float | None = None
    noise_scale: float | None = None
    sample_steps: int | None = None

    def of_voice(self, defaults: Defaults) -> dict[str, Any]:
        """Every value by name, the voice's where the caller gives none."""
        given = {known.name: getattr(self, known.name) for known in fields(ModelSettings)}
        return {
            name: getattr(defaults, name, None) if value is None else value
            for name, value in given.items()
        }


class ModelChanges(TypedDict, total=False):
    """The same as keyword arguments, the settings of streams among them."""

    top_k: int | None
    top_p: float | None
    temperature: float | None
    repetition_penalty: float | None
    speed: float | None
    noise_scale: float | None
    sample_steps: int | None
    first_chunk_tokens: int
    chunk_growth: float
    largest_chunk_tokens: int
    lookahead_tokens: int | None
    history_tokens: int
