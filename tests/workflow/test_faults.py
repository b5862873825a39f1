"""Every fault of a configuration, and the line that it gives."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow.configurations import Config, faults, sound, voice

Change = Callable[[Config], object]
LONG = "字" * 12 + "声" * 12 + "音" * 12


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.chdir(tmp_path)
    return sound(tmp_path)


def renamed(name: object) -> Change:
    return lambda config: voice(config).update(name=name)


def second(name: str) -> Change:
    return lambda config: config["voices"].append(voice(config) | {"name": name})


def put(where: str, value: object) -> Change:
    def change(config: Config) -> None:
        *above, last = where.split(".")
        for key in above:
            config = config[int(key) if key.isdigit() else key]
        config[last] = value

    return change


FAULTS: dict[str, tuple[Change, str]] = {
    "misspelt key": (
        put("max_lenn", [1]),
        "top level: unknown key 'max_lenn'; did you mean 'max_len'?",
    ),
    "strange key": (put("zzz", 1), "top level: unknown key 'zzz'; known: voices, shared, max_len"),
    "misspelt key below": (
        put("voices.0.gptt", "x"),
        "voices[0]: unknown key 'gptt'; did you mean 'gpt'?",
    ),
    "precision": (
        put("precisions", ["fp32", "fp61"]),
        "precisions[1]: 'fp61' is not one of ['fp32', 'fp16', ",
    ),
    "precision twice": (
        put("precisions", ["fp32", "fp32"]),
        "precisions: ['fp32', 'fp32'] has non-unique elements",
    ),
    "no precision": (put("precisions", []), "precisions: [] should be non-empty"),
    "too few tokens to time": (
        put("bench", {"tokens": 5}),
        "bench.tokens: 5 is less than the minimum of 26",
    ),
    "misspelt key of timing": (
        put("bench", {"round": 5}),
        "bench: unknown key 'round'; did you mean 'rounds'?",
    ),
    "length": (put("max_len", [8]), "max_len[0]: 8 is less than the minimum of 32"),
    "length as word": (put("max_len", ["many"]), "max_len[0]: 'many' is not of type 'integer'"),
    "name with slash": (
        renamed("a/b"),
        "voices[0].name: 'a/b' is not a voice name: letters, digits, space",
    ),
    "name above": (renamed(".."), "voices[0].name: '..' is not a voice name"),
    "name with a newline": (renamed("mia\n"), "voices[0].name: 'mia\\n' is not a voice name"),
    "name like an option": (renamed("-mia"), "voices[0].name: '-mia' is not a voice name"),
    "name no": (renamed(False), "voices[0].name: False is not of type 'string'"),
    "name 2024": (renamed(2024), "voices[0].name: 2024 is not of type 'string'"),
    "long name": (
        renamed(LONG),
        f"voices[0].name: '{LONG}' is over 100 bytes of UTF-8; take a shorter one",
    ),
    "name that repeats": (
        renamed("ab" * 20),
        f"voices[0].name: '{'ab' * 20}' repeats itself too often",
    ),
    "name not composed": (
        renamed("\u212bsa"),
        "voices[0].name: '\u212bsa' is not in Unicode's composed form",
    ),
    "name twice": (second("Mia"), "voices[1].name: 'Mia' is taken by voices[0] (case "),
    "no language": (
        lambda config: voice(config)["reference"].pop("lang"),
        "voices[0].reference: 'lang' is a required property",
    ),
    "language": (
        put("voices.0.reference.lang", "tlh"),
        "voices[0].reference.lang: 'tlh' is not one of ['zh', ",
    ),
    "silent text": (
        put("voices.0.reference.text", " . "),
        "voices[0].reference.text: ' . ' is not a text with",
    ),
    "path like an option": (
        put("voices.0.gpt", "-a.ckpt"),
        "voices[0].gpt: '-a.ckpt' is not a path; write ./-",
    ),
    "null for hubert": (put("shared.ssl", None), "shared.ssl: None is not of type 'string'"),
    "missing file": (
        put("voices.0.gpt", "b.ckpt"),
        "voices[0].gpt: no such file 'b.ckpt' (looked in ",
    ),
    "missing audio": (
        put("voices.0.reference.audio", "b.wav"),
        "voices[0].reference.audio: no such file 'b.wav'",
    ),
    "missing lexicon": (
        put("voices.0.lexicons", {"en": "b.txt"}),
        "voices[0].lexicons.en: no such file 'b.txt'",
    ),
    "lexicon of no language": (
        put("voices.0.lexicons", {"auto": "a.wav"}),
        "voices[0].lexicons: 'auto' is not one of ['zh', ",
    ),
    "missing g2pw": (
        put("shared", {"ssl": "hubert", "bert": "hubert", "g2pw": "g2pw"}),
        "shared.g2pw: no such file 'g2pw'",
    ),
    "missing base": (put("shared.bert", "nowhere"), "shared.bert: no such file 'nowhere'"),
    "bar as text": (
        put("bars.fp16.audio_snr_db", "4e1"),
        "bars.fp16.audio_snr_db: '4e1' is not of type 'number'; YAML takes it for text,",
    ),
    "metric": (
        put("bars.fp16", {"loudness": 1}),
        "bars: 'loudness' names no metric; known: max_abs, ",
    ),
    "empty bars": (put("bars.fp16", {}), "bars.fp16: {} should be non-empty"),
    "graph": (
        put("mixed_precision", {"fp16": {"vocodr": "fp32"}}),
        "mixed_precision.fp16: 'vocodr' is not one of ['hubert', ",
    ),
    "mixed not meant": (
        put("mixed_precision", {"fp16": {"vocoder": "int8"}}),
        "mixed_precision.fp16.vocoder: 'int8' is not meant for it; use",
    ),
    "empty mapping": (
        put("mixed_precision", None),
        "mixed_precision: None is not of type 'object'",
    ),
}


@pytest.mark.parametrize(("change", "line"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_line_that_says_where(config: Config, change: Change, line: str) -> None:
    change(config)
    found = faults(config)
    assert len(found) == 1, found
    assert found[0].startswith(f"config: {line}")


def test_all_faults_are_told_at_once(config: Config) -> None:
    for fault in ("misspelt key", "precision", "name with slash", "no language"):
        FAULTS[fault][0](config)
    places = [line.split(": ")[1] for line in faults(config)]
    assert places == ["top level", "precisions[1]", "voices[0].name", "voices[0].reference"]
