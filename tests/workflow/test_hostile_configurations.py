"""Configurations that no one writes by hand: each fault is a line, and nothing hangs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.errors import ConfigError
from tests.workflow.configurations import Config, checked, faults, sound, voice

Change = Callable[[Config], object]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.chdir(tmp_path)
    return sound(tmp_path)


def holds_itself(config: Config) -> None:
    config["bars"]["fp32"]["more"] = config["bars"]


def doubled(config: Config) -> None:
    rows: list[object] = []
    for _ in range(40):
        rows = [rows, rows]
    config["precisions"] = rows


HARMS: dict[str, tuple[Change, str]] = {
    "a number for a metric": (lambda c: c["bars"]["fp32"].update({5: 1.0}), "key 5 is no text"),
    "a number for a precision": (lambda c: c["bars"].update({32: {}}), "bars: key 32 is no text"),
    "no for a key": (lambda c: c.update({False: 1}), "top level: key False is no text; quote it"),
    "a bar that is no number": (
        lambda c: c["bars"]["fp32"].update(audio_snr_db=float("nan")),
        "bars.fp32.audio_snr_db: nan is no number; give one",
    ),
    "an endless bar": (
        lambda c: c["bars"]["fp32"].update(audio_snr_db=float("inf")),
        "bars.fp32.audio_snr_db: inf is no number; give one",
    ),
    "a mapping that holds itself": (holds_itself, "bars.fp32.more: holds itself; write it out"),
    "lists that hold one another twice": (doubled, "more than 100000 values; write fewer"),
    "a path that is too long": (
        lambda c: voice(c).update(gpt="a" * 5000),
        "File name too long; give a path that can be read",
    ),
}


@pytest.mark.parametrize(("harm", "message"), HARMS.values(), ids=HARMS)
def test_a_hostile_configuration_is_refused_in_lines(
    config: Config, harm: Change, message: str
) -> None:
    harm(config)
    found = faults(config)
    assert message in found[0]
    assert all(len(line) < 1000 for line in found)


def test_an_alias_that_leads_back_is_told(config: Config, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("bars: &a\n  fp32: *a\n? [x, y]\n: 1\n? [x, y]\n: 2\n", "utf-8")
    with pytest.raises(ConfigError, match="appears twice; keep one"):
        checked(config, files=(path,))
