"""The command that counts words: what it speaks, what it asks of others, what it reports."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime import Audio, Settings, Voice, records
from runtime.errors import ArtifactError, SettingError
from tests import bundles
from workflow_scripts.proof.words import __main__ as words
from workflow_scripts.proof.words import flite
from workflow_scripts.proof.words.__main__ import Score, examples_in, figures, main, speak, table

PERFECT = Score(words=4, wrong=0, ended=True, ratio=1.0, own=True, log_mel_db=0.0)


@pytest.fixture
def references(tmp_path: Path) -> Path:
    rows = [
        {"name": name, "audio": str(bundles.EXAMPLE), "text": bundles.TEXT, "lang": "en"}
        for name in ("one", "other")
    ]
    path = tmp_path / "references.json"
    path.write_text(json.dumps(rows), "utf-8")
    return path


def test_sentences_count_together_by_their_words() -> None:
    bad = Score(words=12, wrong=8, ended=False, ratio=3.0, own=False, log_mel_db=6.0)
    found = figures([PERFECT, bad])
    assert found.word_error == 0.5
    assert found.ended_by_eos == found.own_speaker == 0.5
    assert (found.duration_ratio, found.longest_ratio) == (2.0, 3.0)
    assert found.log_mel_db == 3.0


def test_what_was_not_measured_is_none_and_not_zero() -> None:
    found = figures([Score(words=4, wrong=1, ended=None, ratio=None, own=None, log_mel_db=None)])
    assert found.word_error == 0.25
    assert (found.ended_by_eos, found.duration_ratio, found.log_mel_db) == (None, None, None)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_bundle_that_is_truncated_has_not_ended_by_itself(streamed: bool) -> None:
    voice = Voice.load(bundles.brief(), verify="size", threads=1)
    said = speak(voice, bundles.TEXT, Settings(seed=1, pause_ms=0), streamed)
    assert said.ended is False
    assert said.audio.seconds == pytest.approx(said.seconds)


def test_a_list_of_references_names_sounds_beside_it(references: Path) -> None:
    one, other = examples_in(references)
    assert (one.name, other.name, one.text) == ("one", "other", bundles.TEXT)
    assert one.audio == bundles.EXAMPLE


def test_what_is_no_list_of_references_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[{}]", "utf-8")
    for path in (tmp_path / "list.json", tmp_path / "none.json"):
        with pytest.raises(SettingError, match="no list of references"):
            examples_in(path)


@pytest.mark.parametrize(
    "options", [("--reference", "a.wav"), ("--sentences", "0"), ("--text", "Hello.")]
)
def test_options_that_do_not_fit_are_refused(options: tuple[str, str]) -> None:
    with pytest.raises(SettingError, match=r"--reference|--sentences"):
        main(["--voice", "nowhere", *options])


def test_the_command_reports_a_voice_that_speaks_noise(
    tmp_path: Path, references: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pocketsphinx", reason="unverified: pocketsphinx is not installed")
    to = tmp_path / "report.json"
    options = ["--references", str(references), "--sentences", "2", "--json", str(to)]
    main(["--voice", str(bundles.brief()), *options])
    report = records.read(words.WordsReport, to, ArtifactError, "again")
    found = report.sides[str(bundles.brief())]
    assert set(found) == {"one", "other", "all"}
    assert found["all"].utterances == 4
    assert found["all"].word_error > 0.5
    assert found["all"].ended_by_eos < 1
    assert replace(found["one"], own_speaker=0.0) == found["other"]
    assert found["all"].duration_ratio is None
    assert f"flite: {report.flite}" in capsys.readouterr().out


def test_flite_by_a_name_that_it_lacks_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flite, "PROGRAM", "no-such-flite")
    flite.voices.cache_clear()
    assert flite.voices() == frozenset()
    flite.voices.cache_clear()


def test_the_table_shows_each_side_and_a_dash_where_nothing_was_measured() -> None:
    row = figures([PERFECT])
    mine = {"slt": replace(row, log_mel_db=None), "all": row}
    report = words.WordsReport(1, (), 4, flite.MISSING, {"mine": mine})
    printed = table(report)
    assert "not measured: flite is not installed" in printed
    assert printed.splitlines()[-2].split() == [
        "slt", "0.0", "%", "100.0", "%", "1.00", "1.00", "100.0", "%", "-",
    ]  # fmt: skip


def test_the_command_takes_the_held_out_sentences() -> None:
    sentences = json.loads(words.SENTENCES.read_text("utf-8"))
    assert len(sentences) == 100
    assert all(isinstance(text, str) and 4 <= len(text.split()) <= 14 for text in sentences)


def test_flites_own_sound_is_at_no_distance_from_itself() -> None:
    pytest.importorskip("pocketsphinx", reason="unverified: pocketsphinx is not installed")
    sound = Audio(np.sin(np.arange(32_000) / 9).astype(np.float32) / 2, 16_000)
    example = words.Example("one", bundles.EXAMPLE, "", "en")
    judges = words.Judges(["Hello there."], [example])
    score = judges.score(words.Said(sound, sound.seconds, None), "Hello there.", "one", sound)
    assert (score.ratio, score.log_mel_db, score.own) == (1.0, 0.0, None)
