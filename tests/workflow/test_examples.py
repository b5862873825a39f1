"""Sounds and base folders that the build would fail on, found when it is planned."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from runtime.errors import ConfigError
from tests.workflow.configurations import Config, checked, sound, voice
from workflow_scripts import settings

RATE = 16_000


def speech(seconds: float, level: float = 0.3) -> np.ndarray:
    return level * np.sin(np.arange(int(seconds * RATE)) / 9)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A configuration without a fault."""
    monkeypatch.chdir(tmp_path)
    return sound(tmp_path)


def test_what_can_be_used_is_let_through(config: Config) -> None:
    settings.refuse_broken_sources(checked(config))


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "too short": (
        lambda folder: soundfile.write(folder / "a.wav", speech(1.5), RATE),
        r"^voices\[0\]\.reference\.audio: a\.wav: 1\.5 s long; give 3 to 10 s$",
    ),
    "no sound": (
        lambda folder: (folder / "a.wav").write_text("x"),
        r"^voices\[0\]\.reference\.audio: a\.wav: ",
    ),
    "silent": (
        lambda folder: soundfile.write(folder / "a.wav", speech(4, 1e-4), RATE),
        r"^voices\[0\]\.reference\.audio: a\.wav: silent; give speech$",
    ),
    "no folder of a model": (
        lambda folder: (folder / "hubert/config.json").unlink(),
        r"^shared\.ssl: hubert: no readable config\.json; give the model's folder$",
    ),
    "another model": (
        lambda folder: (folder / "hubert/config.json").write_text('{"model_type": "gpt2"}'),
        r"^shared\.ssl: hubert/config\.json: a model of type 'gpt2', want 'hubert'",
    ),
}


@pytest.mark.parametrize(("harm", "words"), FAULTS.values(), ids=FAULTS)
def test_a_source_that_can_not_be_used_is_named(
    config: Config, tmp_path: Path, harm: Callable[[Path], object], words: str
) -> None:
    plan = checked(config)
    harm(tmp_path)
    with pytest.raises(ConfigError, match=words):
        settings.refuse_broken_sources(plan)


def test_all_of_them_are_named_at_once(config: Config, tmp_path: Path) -> None:
    plan = checked(config)
    for name in ("too short", "another model"):
        FAULTS[name][0](tmp_path)
    assert voice(config)["reference"]["audio"] == "a.wav"
    with pytest.raises(ConfigError) as caught:
        settings.refuse_broken_sources(plan)
    assert len(f"{caught.value}".splitlines()) == 2
