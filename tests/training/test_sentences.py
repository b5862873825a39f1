"""Sentences to train on and to judge by."""

import json
from pathlib import Path

import pytest

from runtime.errors import UsageError
from runtime.text import phonemize
from runtime.text.en.words import dictionary, homographs
from training import sentences as module
from training.corpus import HELD_OUT
from training.sentences import main, runs, sentences, words_of

HELD = json.loads(HELD_OUT.read_text("utf-8"))


@pytest.fixture(scope="module")
def training() -> list[str]:
    return sentences("training", 120, seed=3, avoid=HELD)


def test_the_file_of_held_out_sentences_is_what_the_command_writes(tmp_path: Path) -> None:
    main(["--output", str(tmp_path / "held_out.json")])
    assert (tmp_path / "held_out.json").read_bytes() == HELD_OUT.read_bytes()
    assert len(set(HELD)) == 100


def test_words_are_in_the_dictionary_and_said_in_one_way(training: list[str]) -> None:
    for sentence in training + HELD:
        words = words_of(sentence)
        assert 4 <= len(words) <= 14, sentence
        assert all(word in dictionary() and word not in homographs() for word in words), sentence


def test_training_shares_no_four_words_in_a_row_with_what_is_held_out(training: list[str]) -> None:
    held = {run for sentence in HELD for run in runs(sentence)}
    assert not held & {run for sentence in training for run in runs(sentence)}
    avoided = {run for sentence in training[:3] for run in runs(sentence)}
    others = sentences("training", 3, seed=3, avoid=training[:3])
    assert not avoided & {run for sentence in others for run in runs(sentence)}


def test_every_phone_of_english_is_said(training: list[str]) -> None:
    said = {p for sentence in training for p in phonemize(sentence, "en").segments[0].phones}
    phones = {phone.rstrip("012") for phone in said if phone.isalnum()}
    known = {p.rstrip("012") for word in dictionary().values() for p in word.split()}
    assert phones == known


def test_a_seed_gives_the_same_sentences_and_another_gives_others(training: list[str]) -> None:
    assert sentences("training", 120, seed=3, avoid=HELD) == training
    assert sentences("training", 120, seed=4, avoid=HELD) != training


def test_an_article_fits_what_follows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    grammar = {
        "words": {"thing": "apple|hour|unit|yacht"},
        "training": ["A {thing} and a {thing}."],
    }
    small = tmp_path / "grammar.json"
    small.write_text(json.dumps(grammar), "utf-8")
    monkeypatch.setattr(module, "GRAMMAR", small)
    text = " ".join(sentences("training", 12, seed=1)).lower()
    assert all(part in text for part in ("an apple", "an hour", "a unit", "a yacht"))
    with pytest.raises(
        UsageError, match=r"grammar\.json: 'A {thing} and a {thing}\.' gives no more"
    ):
        sentences("training", 13, seed=1)
