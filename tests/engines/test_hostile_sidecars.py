"""Sidecars of engines with keys that are missing or odd: one line, and `auto` goes on."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime import Voice
from runtime.backends import BACKENDS, Folders
from runtime.backends.choices import GPU_FIRST
from runtime.backends.engine_files import checked_bytes, engine_for
from runtime.errors import BackendMissing, EngineMismatch, MachineError
from tests import bundles
from tests.engines.fake_gpu import engine_file, machine_of
from tests.runtime.command import PHONES

HERE = machine_of("tensorrt_10")
ODD = (None, [], {}, "x", -1, float("nan"), [None])


def missing(library: str = "") -> None:
    return None


def open_graph(*given: Any) -> Any:
    """An engine is looked for and read as a GPU's back end does; there is no GPU to run it."""
    if len(given) < 4:  # of cuda, which has no engines
        raise BackendMissing("no card")
    _, path, _, folder = given
    checked_bytes(engine_for(path, path.stem, folder, HERE))
    raise BackendMissing(f"{path.stem}: whole, and there is no GPU")


def open_loop(*given: object) -> Any:
    raise BackendMissing("t2s_loop: there is none")


@pytest.fixture
def vocoder() -> Path:
    return bundles.v2() / "vocoder.onnx"


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every holder and key of JSON-like data."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


def harmed(whole: str) -> Iterator[str]:
    """The same JSON with one place missing, or another."""
    count = len(list(places(json.loads(whole))))
    for number in range(count):
        for change in (None, *ODD[number % len(ODD) :][:2]):
            facts = json.loads(whole)
            holder, key = list(places(facts))[number]
            if change is None:
                del holder[key]
            else:
                holder[key] = change
            yield json.dumps(facts)


def refused_in_a_line(vocoder: Path, folder: Path) -> None:
    try:
        checked_bytes(engine_for(vocoder, "vocoder", folder, HERE))
    except MachineError as error:
        assert str(error).isprintable()


def test_whatever_a_sidecar_lacks_is_told_in_a_line(vocoder: Path, tmp_path: Path) -> None:
    sidecar = engine_file(tmp_path, vocoder, HERE).path.with_suffix(".json")
    made = list(harmed(sidecar.read_text("utf-8")))
    assert len(made) > 50
    for content in made:
        sidecar.write_text(content, "utf-8")
        refused_in_a_line(vocoder, tmp_path)


def test_whatever_a_comparison_lacks_is_told_in_a_line(vocoder: Path, tmp_path: Path) -> None:
    engine = engine_file(tmp_path, vocoder, HERE)
    whole = {
        "format": 1, "engine_sha256": engine.facts["engine"]["sha256"], "gpu": "L4", "missed": [],
        "soft": dict(HERE.soft),
    }  # fmt: skip
    for content in harmed(json.dumps(whole)):
        engine.path.with_suffix(".verified.json").write_text(content, "utf-8")
        refused_in_a_line(vocoder, tmp_path)


HARMS: dict[str, Callable[[Path], object]] = {
    "no digest": lambda path: path.write_text(
        json.dumps(json.loads(path.read_text()) | {"build": {}})
    ),
    "no JSON": lambda path: path.write_text("[" * 100_000),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "an engine that is a pipe": lambda path: (
        path.with_suffix(".engine").unlink(),
        os.mkfifo(path.with_suffix(".engine")),
    ),
    "a device": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_auto_speaks_on_without_a_harmed_engine(
    vocoder: Path,
    tmp_path: Path,
    harm: Callable[[Path], object],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in GPU_FIRST:
        monkeypatch.setitem(BACKENDS, name, replace(BACKENDS[name], module=__name__))
    folder = tmp_path / "engines"
    harm(engine_file(folder, vocoder, HERE).path.with_suffix(".json"))
    with caplog.at_level(logging.WARNING):
        voice = Voice.load(bundles.v2(), threads=1, verify="size", folders=Folders(engines=folder))
        assert voice.synthesize(PHONES, as_phones=True, seed=7).samples.size
    assert voice.provider is not None
    assert voice.provider.backends["vocoder"] == "cpu"
    messages = [line for line in caplog.messages if line.startswith("vocoder runs on ")]
    assert messages
    assert all("no GPU" not in line for line in messages)
    with pytest.raises(EngineMismatch):
        checked_bytes(engine_for(vocoder, "vocoder", folder, HERE))
