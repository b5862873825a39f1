"""The spoken corpus, written and read back."""

import shutil
from pathlib import Path

import pytest

from runtime.errors import ArtifactError, BackendMissing
from training import corpus
from training.corpus import PHONES, phone_ends, speak, utterances, write_sentences
from training.labels import tokens_in


def test_phone_ends_are_read_as_flite_prints_them() -> None:
    assert phone_ends("pau:0.253 dh:0.276 ax:0.324 \n") == [
        ("pau", 0.253),
        ("dh", 0.276),
        ("ax", 0.324),
    ]
    assert len(set(PHONES)) == 41


def test_a_phone_of_another_language_is_refused() -> None:
    with pytest.raises(ArtifactError, match="unknown phone 'q'"):
        phone_ends("pau:0.2 q:0.3")


def test_a_missing_corpus_says_which_command_makes_it(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"sentences\.jsonl: not there; run python -m"):
        utterances(tmp_path, "slt", "train")


def test_without_flite_the_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackendMissing, match="apt-get install flite"):
        speak(tmp_path, "slt", [])


def test_sentences_are_chosen_once(tmp_path: Path) -> None:
    first = write_sentences(tmp_path, 5, seed=1)
    assert write_sentences(tmp_path, 9, seed=2) == first
    assert [row["split"] for row in first] == ["train"] * 5 + ["held"] * 100


@pytest.mark.skipif(
    shutil.which("flite") is None, reason="no flite: that it speaks as we read it stays unverified"
)
def test_what_is_spoken_is_read_back_with_its_phones(tmp_path: Path) -> None:
    rows = write_sentences(tmp_path, 2, seed=1)
    speak(tmp_path / "corpus", "slt", rows[:3])
    (one, two), held = (utterances(tmp_path, "slt", split) for split in corpus.SPLITS)
    assert [one.text, two.text, held[0].text] == [row["text"] for row in rows[:3]]
    end = one.phones[-1][1]
    assert one.phones[0][0] == corpus.SILENCE
    assert one.samples().size / corpus.RATE_HZ == pytest.approx(end, abs=0.1)
    assert tokens_in(one.samples().size) == pytest.approx(25 * end, abs=2)
