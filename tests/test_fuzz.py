"""Input drawn from a seed: each is taken, or refused in a printable line; nothing else is written.

Checkpoints are in tests/checkpoint/test_hostile.py, texts in tests/runtime/text/test_properties.py,
killed builds in tests/workflow/test_runs.py. `-m full` draws many more.
"""

import copy
import io
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from runtime import audio, manifest
from runtime.errors import FoundryError
from runtime.reference import pack
from runtime.reference.prepared import EncodedReference
from runtime.tts import parser
from runtime.voice import Voice
from tests import bundles
from tests.runtime.command import PHONES, call
from tests.workflow.configurations import checked, sound
from workflow_scripts.models.hubert import load_hubert

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**70), 10**400, 0.5, -0.0, 1e308, float("nan"),
    float("inf"), "", " ", "x", "0", "nan", "\x1b[31m", "\u202eabc", "日本", "a" * 5000, "../..",
    "/dev/zero", "-x", "\0", [], {}, [[]], [None], {"": 0}, {"a": {"b": []}}, ["x"] * 50,
)  # fmt: skip
WORDS = (
    *(
        "0",
        "-1",
        "1",
        "3",
        "nan",
        "inf",
        "1e309",
        "x",
        "",
        " ",
        "日本",
        "\x1b[31m",
        "9" * 400,
        "=",
        ",",
    ),
    *(
        "/nonexistent",
        "/dev/null",
        "/dev/full",
        "auto",
        "cpu",
        "en",
        "cut5",
        "en=x",
        "size",
        "a" * 300,
    ),
)
NOT_TRIED = {"--keep-compiled"}  # writes to the user's cache
OPTIONS = sorted(
    {name for action in parser()._actions for name in action.option_strings} - NOT_TRIED
    | {"--bogus"}
)
KNOWN_CODES = {0, 2, 3, 4, 5}

several = pytest.mark.parametrize(
    "count", [25, pytest.param(600, marks=pytest.mark.full)], ids=["some", "many"]
)


def refused_well(error: FoundryError) -> None:
    lines = str(error).splitlines() or [""]
    assert all(line and line.isprintable() and len(line) < 2000 for line in lines), lines


def harmed(value: Any, drawn: random.Random) -> Any:
    """A copy of JSON-like data in which one place is another."""
    whole = copy.deepcopy(value)
    places = list(_places(whole))
    holder, key = drawn.choice(places)
    change = drawn.randrange(3)
    if change == 0 and isinstance(holder, dict):
        del holder[key]
    elif change == 1 and isinstance(holder, dict):
        holder[drawn.choice(["x", "", key + "x", "\n", "voices"])] = drawn.choice(ODD)
    else:
        holder[key] = drawn.choice(ODD)
    return whole


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


def flipped(content: bytes, drawn: random.Random) -> bytes:
    """Some bytes changed, more of them in the beginning; now and then the end is cut off."""
    held = bytearray(content)
    for _ in range(drawn.randint(1, 8)):
        held[drawn.randrange(min(len(held), drawn.choice([64, len(held)])))] = drawn.randrange(256)
    return bytes(held[: drawn.randrange(len(held))] if drawn.random() < 0.3 else held)


@several
def test_command_lines(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.wav").write_bytes(b"kept")
    drawn, named = random.Random(1), {"out.wav", "old.wav"}
    for _ in range(8 * count):
        words: list[str | Path] = ["-m", bundles.brief(), "-f", "out.wav"]
        for option in drawn.sample(OPTIONS, drawn.randint(1, 3)):
            words += [option, drawn.choice(WORDS)][: drawn.choice([1, 2, 2, 2])]
        done = call(*words, "--phones", PHONES)
        assert done.code in KNOWN_CODES, (words, done.err)
        assert "Traceback" not in done.err, (words, done.err)
        if done.code:
            assert done.err.splitlines()[-1].startswith("error: "), (words, done.err)
        named |= {str(word) for word in words}
        assert {path.name for path in tmp_path.iterdir()} <= named, words
        assert (tmp_path / "old.wav").read_bytes() == b"kept"


@several
def test_configurations(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    drawn, whole = random.Random(2), sound(tmp_path)
    for _ in range(4 * count):
        config = harmed(harmed(whole, drawn) if drawn.random() < 0.5 else whole, drawn)
        try:
            checked(config)
        except FoundryError as error:
            refused_well(error)


@several
@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "AIFF", "AU"])
def test_sounds(count: int, form: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    drawn, whole = random.Random(3), io.BytesIO()
    soundfile.write(whole, np.sin(np.arange(8000) / 9) / 3, 16_000, format=form)
    for _ in range(count):
        path = tmp_path / "a.sound"
        path.write_bytes(flipped(whole.getvalue(), drawn))
        try:
            found = audio.read(path)
        except FoundryError as error:
            refused_well(error)
        else:
            assert np.isfinite(found.samples).all()
            assert found.rate > 0
    assert "Traceback" not in capfd.readouterr().err


@several
def test_manifests(count: int, tmp_path: Path) -> None:
    bundle = bundles.copied(bundles.v2(), tmp_path / "mia")
    drawn = random.Random(4)
    path = bundle / manifest.NAME
    whole = json.loads(path.read_text("utf-8"))
    loaded = 0
    for _ in range(6 * count):
        content = json.dumps(harmed(whole, drawn)).encode()
        bundles.replace_file(path, flipped(content, drawn) if drawn.random() < 0.2 else content)
        try:
            manifest.load(bundle)
            loaded += 1
            if loaded % 8 == 0:  # the rest is compared when graphs are opened
                voice = Voice.load(bundle, threads=1, verify="size")
                assert voice.synthesize(PHONES, as_phones=True, seed=7).samples.size
        except FoundryError as error:
            refused_well(error)
    assert loaded < 6 * count


HARMED_FILES = {"npz": "t2s_tables.npz", "graph": "t2s_embed.onnx", "sound": "reference.wav"}


@several
@pytest.mark.parametrize("name", HARMED_FILES.values(), ids=HARMED_FILES)
def test_files_of_bundles_that_are_listed(count: int, name: str, tmp_path: Path) -> None:
    bundle = bundles.copied(bundles.v2(), tmp_path / "mia")
    whole, drawn = (bundle / name).read_bytes(), random.Random(5)
    for _ in range(max(4, count // 5)):
        bundles.replace_file(bundle / name, flipped(whole, drawn))
        bundles.list_anew(bundle, name)
        try:
            Voice.load(bundle, threads=1).synthesize(PHONES, as_phones=True, seed=7)
        except FoundryError as error:
            refused_well(error)


@several
def test_configurations_of_bases(count: int, tmp_path: Path) -> None:
    base = tmp_path / "hubert"
    shutil.copytree(bundles.HUBERT, base)
    path, drawn = base / "config.json", random.Random(6)
    whole = json.loads(path.read_text("utf-8"))
    for _ in range(max(8, count // 3)):
        path.write_text(json.dumps(harmed(whole, drawn)), "utf-8")
        try:
            load_hubert(base)
        except FoundryError as error:
            refused_well(error)


@several
def test_encoded_references_and_voice_packs(count: int, tmp_path: Path) -> None:
    example = Voice.load(bundles.v2(), threads=1, verify="size").example
    path, drawn = tmp_path / "a.npz", random.Random(7)
    example.save(path)
    alone = path.read_bytes()
    pack.save(path, {"calm": example})
    packed = path.read_bytes()
    for whole, read in ((alone, EncodedReference.load), (packed, pack.load), (packed, pack.names)):
        for _ in range(2 * count):
            path.write_bytes(flipped(whole, drawn))
            try:
                read(path)
            except FoundryError as error:
                refused_well(error)
