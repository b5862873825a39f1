"""Speaking on and on: what is said, and what counts as flat."""

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from runtime import soak
from runtime.backends import BACKENDS
from runtime.errors import ProofError, SettingError
from runtime.measure import memory_growth
from runtime.measure.fresh_process import STATUS
from runtime.voice import Voice
from tests import bundles

needs_memory_told = pytest.mark.skipif(
    not STATUS.exists(), reason="no /proc here: what a soak says of memory stays untried"
)


def resident(growth: float, count: int = 200) -> list[int]:
    """What a process might hold: 100 MB after a warm-up, some noise, and growth per utterance."""
    noise = np.random.default_rng(0).integers(0, 200_000, count)
    warming = np.minimum(np.arange(count) / 40, 1) * 20e6
    return [int(size) for size in 80e6 + warming + noise + growth * np.arange(count)]


def test_memory_that_only_warms_up_is_flat() -> None:
    found = memory_growth.judged(resident(0), 80_000_000)
    assert found.flat
    assert found.warm_after == 50
    assert abs(found.growth_bytes_per_100) < 100_000
    assert found.first_bytes < found.warm_bytes <= found.most_bytes


@pytest.mark.parametrize("count", [40, 200])
def test_memory_that_each_utterance_adds_to_is_not_flat(count: int) -> None:
    found = memory_growth.judged(resident(20_000, count), 80_000_000)
    assert not found.flat
    assert found.growth_bytes_per_100 > 1.5e6 > found.allowed_bytes_per_100


def test_a_round_says_every_length_whole_and_streamed_and_nothing_twice() -> None:
    said = list(islice(memory_growth.utterances("v2", 40), 3 * memory_growth.ROUND))
    assert len({one.text for one in said}) == len(said)
    assert len({one.speed for one in said}) == len(said)
    for number in range(3):
        part = said[number * memory_growth.ROUND : (number + 1) * memory_growth.ROUND]
        for streamed in (False, True):
            lengths = [len(one.text.split()) for one in part if one.streamed is streamed]
            assert lengths == [min(phones, 40) for phones in memory_growth.PHONES]
        assert [one.given_up for one in part] == [number == 1 and one.streamed for one in part]


def test_a_given_up_stream_is_short_and_others_are_stopped_in_time() -> None:
    voice = Voice.load(bundles.v2(), threads=1, verify="size")
    phones = "HH AH0 L OW1 W ER1 L D ."
    seconds = [
        memory_growth.speak(voice, memory_growth.Utterance(phones, 4, 3, streamed, given_up))
        for streamed, given_up in ((False, False), (True, False), (True, True))
    ]
    assert seconds[0] == seconds[1] > seconds[2]
    assert seconds[0] <= 101 / 25


def test_each_utterance_has_its_own_limit() -> None:
    voice = Voice.load(bundles.v2(), threads=1, verify="size")
    text = " ".join(["HH AH0 L OW1 W ER1 L D ."] * 8)  # with this seed it does not end before
    said = [memory_growth.Utterance(text, seconds, 1, False, False) for seconds in (2, 4)]
    assert [memory_growth.speak(voice, one) for one in said] == [51 / 25, 101 / 25]


@needs_memory_told
def test_the_command_reports_in_json_and_for_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_growth, "FLAT_SHARE", 1.0)  # two rounds: warm-up
    output = tmp_path / "soak.json"
    brief = ["-m", str(bundles.brief()), "--threads", "1", "--provider", "cpu"]
    soak.main([*brief, "--utterances", "40", "--json", str(output)])
    report = json.loads(output.read_text("utf-8"))
    assert len(report["rss_bytes"]) == report["utterances"] == 40
    assert report["memory"]["flat"] is True
    assert report["sound_s"] > 40
    assert report["backends"]["vocoder"] == "cpu"
    assert capsys.readouterr().out.startswith("40 utterances, ")
    monkeypatch.setattr(memory_growth, "FLAT_SHARE", -1.0)
    with pytest.raises(ProofError, match="memory grows while it speaks"):
        soak.main([*brief, "--utterances", "40"])
    assert "flat up to" in capsys.readouterr().out


def test_each_installed_back_end_speaks_in_its_own_process_and_one_that_grows_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], check: bool) -> SimpleNamespace:
        asked.append(command)
        return SimpleNamespace(returncode=int(not check and "openvino" in command))

    for name, row in BACKENDS.items():
        absent = name not in ("cpu", "openvino")
        made = replace(row, module=f"{__name__}:{absent}")
        monkeypatch.setattr(
            type(made), "missing", lambda self: self.module.endswith("True") or None
        )
        monkeypatch.setitem(BACKENDS, name, made)
    monkeypatch.setattr("subprocess.run", run)
    with pytest.raises(ProofError, match="nowhere: failed on openvino; see above"):
        soak.main(["-m", "nowhere"])
    assert [command[command.index("--provider") + 1] for command in asked] == ["cpu", "openvino"]
    with pytest.raises(SettingError, match="--json: holds the report of one back end"):
        soak.main(["-m", "nowhere", "--json", "report.json"])


def test_too_few_utterances_are_refused() -> None:
    voice = Voice.load(bundles.brief(), threads=1, verify="size")
    with pytest.raises(SettingError, match="--utterances: 39 is below 40, two rounds"):
        memory_growth.soak(voice, 39)
