"""The table of settings: what each takes, in every place that it goes to, and what is refused."""

import typing
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime import Reference, Settings, Streaming
from runtime.acoustic.kind import AcousticSettings
from runtime.errors import SettingError
from runtime.model_settings import MODEL_SETTINGS, Defaults, ModelSettings
from runtime.setting_row import Setting
from runtime.settings import SETTINGS, Changes, from_body
from runtime.t2s.sampler import Sampling
from runtime.text import Lexicon
from tests import generated

PLAIN = {name: row for name, row in SETTINGS.items() if row.kind in (int, float, bool, str)}
NUMBERS = {name: row for name, row in PLAIN.items() if row.kind in (int, float)}
OTHER_TYPES = (b"1", [1], {"a": 1}, (1,), object(), np.ones(2), 1j, Decimal(1), Path("x"))
NO_NUMBERS = ("1", "1.2", "", True, False, np.True_, float("nan"), 10**5000, -(10**400))


def refusal(name: str, value: Any) -> str:
    """What is said where a request gives this value."""
    with pytest.raises(SettingError) as caught:
        Settings().changed(**{name: value})
    (line,) = str(caught.value).splitlines()
    assert len(line) < 300
    return line


@pytest.mark.parametrize("name", PLAIN)
def test_a_value_of_another_type_is_refused_by_name(name: str) -> None:
    for value in (*OTHER_TYPES, *([] if PLAIN[name].optional else [None])):
        line = refusal(name, value)
        assert line.startswith(f"{name}: ")
        assert f"give {PLAIN[name].allowed}" in line


@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_no_number_or_far_out_is_refused(name: str) -> None:
    row = NUMBERS[name]
    infinite = (float("inf"), -float("inf"))
    for value in (*NO_NUMBERS, *infinite, *([1.5, 3.0] if row.kind is int else [])):
        line = refusal(name, value)
        assert line.startswith(f"{name}: ")
        assert f"{row.low:g}"[:3] in line


@pytest.mark.parametrize("name", NUMBERS)
def test_both_ends_of_a_range_are_taken_and_what_lies_behind_is_not(name: str) -> None:
    row = NUMBERS[name]
    step = 1 if row.kind is int else 1e-9
    first = row.low + step if row.above else row.low
    for value in (first, row.high, np.float64(row.high) if row.kind is float else np.int64(first)):
        kept = Settings().changed(**{name: value})
        found = getattr(kept if hasattr(kept, name) else kept.streaming, name)
        assert (found, type(found)) == (value, row.kind)
    for value in (row.low if row.above else row.low - step, row.high * 1.001 + step):
        refusal(name, row.kind(value))


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("speed", "1.2", "speed: '1.2' is not a number; give 0.25 to 4"),
        ("speed", 9, "speed: 9 is not between 0.25 and 4"),
        ("seed", True, f"seed: True is not a whole number; give 0 to {2**63 - 1}"),
        ("pause_ms", 1.5, "pause_ms: 1.5 is not a whole number; give 0 to 60000"),
        ("pause_ms", None, "pause_ms: None is not a whole number; give 0 to 60000"),
        ("as_phones", 1, "as_phones: 1 is not true or false; give True or False"),
        ("repetition_penalty", 0, "repetition_penalty: 0 is not above 0, up to 1000"),
        ("top_k", 10**400, "top_k: a number of 401 digits is not between 1 and 2147483647"),
        ("streaming", {}, "streaming: a dict is not a Streaming; give a runtime.Streaming"),
        ("reference", "a.wav", "reference: 'a.wav' is not a Reference; give a runtime.Reference"),
        ("lexicons", [1], "lexicons: a list is not a Mapping; give languages with what runtime"),
        (
            "lexicons",
            {"en": {"fox": "F AA1 K S"}},
            "lexicons: en is a dict; give what runtime.text.load_lexicon(path, 'en') gives",
        ),
        ("lexicons", {"auto": Lexicon("en")}, "lexicons: 'auto' is no language; choose one of zh"),
        ("lexicons", {"zh": Lexicon("en")}, "lexicons: zh is a Lexicon; give what runtime.text"),
        ("cut", "cut9", "cut: 'cut9' is none of cut0, cut1, cut2, cut3, cut4, cut5; did you mean"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_is_taken(name: str, value: Any, line: str) -> None:
    assert refusal(name, value).startswith(line)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("jp", "ja"), ("cn", "zh"), ("Chinese", "zh"), ("en-US", "en"), ("atuo", "auto")],
)
def test_another_word_for_a_language_is_answered_with_ours(written: str, meant: str) -> None:
    assert refusal("lang", written).endswith(f"; did you mean '{meant}'?")
    with pytest.raises(SettingError, match=rf"^reference: lang: .*; did you mean '{meant}'\?$"):
        Reference("a.wav", "Hi.", written)


def test_a_language_is_taken_in_any_case() -> None:
    assert Settings(lang="ALL_ZH").lang == "all_zh"
    assert Reference("a.wav", lang="EN").lang == "en"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"audio": 5}, "reference: 5 is no sound; give an Audio or the path of a file"),
        ({"audio": "a.wav", "text": None}, "reference: text is None; give what is said"),
        ({"audio": "a.wav", "more": "b.wav"}, "reference: more is 'b.wav'; give a tuple of"),
        ({"audio": "a.wav", "more": [1]}, "reference: 1 is no sound"),
    ],
)
def test_a_reference_of_wrong_parts_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        Reference(**wrong)


def test_settings_of_streams_are_given_one_by_one_or_in_one() -> None:
    settings = Settings(streaming=Streaming(8)).changed(chunk_growth=2, speed=1)
    assert settings.streaming == Streaming(8, 2.0)
    assert settings.changed(streaming=Streaming(5), history_tokens=7).streaming == Streaming(
        5, history_tokens=7
    )


def test_the_records_and_what_callers_write_have_the_names_of_the_table() -> None:
    of_voice = {name for name, row in SETTINGS.items() if row.of_voice}
    stream = {known.name for known in fields(Streaming)}
    assert {known.name for known in fields(Defaults)} == of_voice
    assert typing.get_type_hints(Changes).keys() == SETTINGS.keys()
    assert {known.name for known in fields(Settings)} == SETTINGS.keys() - stream
    assert {known.name for known in fields(ModelSettings)} == MODEL_SETTINGS.keys() - stream
    assert {name for name, row in SETTINGS.items() if row.group == "stream"} - {
        "streaming"
    } == stream
    tokens = {name for name, row in SETTINGS.items() if row.group == "tokens"}
    assert {known.name for known in fields(Sampling)} == tokens
    assert {known.name for known in fields(AcousticSettings)} - {"steady"} == {
        name for name, row in SETTINGS.items() if row.group == "sound"
    }


@pytest.mark.parametrize("name", SETTINGS)
def test_the_type_that_a_checker_sees_is_the_one_of_the_table(name: str) -> None:
    row, hint = SETTINGS[name], typing.get_type_hints(Changes)[name]
    kinds = set(typing.get_args(hint)) or {hint}
    kinds = {typing.get_origin(kind) or kind for kind in kinds}
    assert (row.kind in kinds, type(None) in kinds) == (True, row.optional)


@pytest.mark.parametrize("kind", [Settings, Streaming, Sampling, AcousticSettings, Defaults])
def test_defaults_are_those_of_the_table_and_are_taken(kind: type) -> None:
    made = kind()
    for known in fields(made):
        row, value = SETTINGS.get(known.name), getattr(made, known.name)
        if row and value is not None and row.name != "streaming":
            assert row.checked(value) == value == row.default


BODY = [
    ("openai", {"language": "EN", "seed": -1, "top_k": "0"}, {"lang": "en", "top_k": 1025}),
    ("openai", {"speed": "1.5", "pause_length": "0.25"}, {"speed": 1.5, "pause_ms": 250}),
    (
        "openai",
        {"first_chunk_tokens": 5.0, "cut": "cut0"},
        {"first_chunk_tokens": 5, "cut": "cut0"},
    ),
    ("openai", {"pause_ms": None, "fragment_interval": 0.3, "user": []}, {"pause_ms": 300}),
    ("api_v2", {"text_lang": "zh", "speed_factor": 1, "seed": ""}, {"lang": "zh", "speed": 1.0}),
    ("api_v2", {"fragment_interval": "0.301", "top_k": 5.0}, {"pause_ms": 301, "top_k": 5}),
    ("api_v2", {"seed": "9223372036854775807", "top_p": "1e0"}, {"seed": 2**63 - 1, "top_p": 1}),
    ("api_v2", {"speed_factor": 2, "speed": 3, "noise_scale": "?"}, {"speed": 2}),
    ("api_v2", {"seed": True, "temperature": ".5"}, {"seed": 1, "temperature": 0.5}),
]


@pytest.mark.parametrize(("api", "body", "found"), BODY)
def test_a_body_gives_settings_under_the_names_of_its_api(
    api: Any, body: dict[str, Any], found: dict[str, Any]
) -> None:
    assert from_body(body, api) == found
    Settings().changed(**from_body(body, api))


@pytest.mark.parametrize(
    ("api", "field", "value", "line"),
    [
        ("api_v2", "speed_factor", "9", "speed_factor: 9.0 is not between 0.25 and 4"),
        ("api_v2", "speed_factor", "fast", "speed_factor: 'fast' is not a number; give 0.25 to 4"),
        ("api_v2", "speed_factor", "nan", "speed_factor: 'nan' is not a number; give 0.25 to 4"),
        ("api_v2", "speed_factor", True, "speed_factor: True is not a number; give 0.25 to 4"),
        ("api_v2", "fragment_interval", 61, "fragment_interval: 61 is not between 0 and 60"),
        ("api_v2", "text_lang", "jp", "text_lang: 'jp' is none of zh"),
        ("api_v2", "text_split_method", 5, "text_split_method: 5 is not text; give cut0"),
        ("openai", "top_k", 5.5, "top_k: 5.5 is not a whole number; give 1 to 2147483647"),
        ("openai", "seed", "1_0", f"seed: '1_0' is not a whole number; give 0 to {2**63 - 1}"),
        ("openai", "seed", 1e400, f"seed: inf is not a whole number; give 0 to {2**63 - 1}"),
        ("openai", "seed", 10**400, "seed: a number of 401 digits is not between 0 and "),
        ("openai", "top_p", [1], "top_p: a list is not a number; give 0 to 1000"),
    ],
)
def test_a_wrong_field_of_a_body_is_refused_by_its_own_name(
    api: Any, field: str, value: Any, line: str
) -> None:
    with pytest.raises(SettingError) as caught:
        from_body({field: value}, api)
    assert str(caught.value).startswith(line)


def test_truth_comes_in_many_words() -> None:
    row = SETTINGS["as_phones"]
    for value in (True, "true", "1", "YES", "on", " t ", 1, 1.0):
        assert row.coerced(value) is True
    for value in (False, "False", "0", "no", "OFF", "n", 0):
        assert row.coerced(value) is False
    for value in (2, "ture", [], "2"):
        with pytest.raises(SettingError, match=r"^as_phones: "):
            row.coerced(value)


def test_a_row_may_belong_to_some_kinds_of_acoustic_model() -> None:
    steps = Setting("sample_steps", int, "steps", "sound", acoustic_kinds=frozenset({"cfm"}))
    assert [steps.used_by(kind) for kind in ("cfm", "vits")] == [True, False]
    assert SETTINGS["speed"].used_by("cfm")


def test_the_page_and_the_schema_are_those_of_the_table() -> None:
    stale = "is stale; python -m tests.generated writes it"
    assert generated.PAGE.read_text("utf-8") == generated.page(), f"docs/settings.md {stale}"
    assert generated.SCHEMA.read_text("utf-8") == generated.schema(), f"the schema {stale}"
