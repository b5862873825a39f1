"""Words are counted right, and recognised where the recogniser is installed."""

import numpy as np
import pytest

from runtime.audio import Audio
from runtime.errors import BackendMissing
from workflow_scripts.proof.words import flite, recogniser
from workflow_scripts.proof.words.recogniser import Recogniser, edits, words_of

TEXT = "The green house stands near the river."


@pytest.fixture(scope="module")
def transcriber() -> Recogniser:
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    return Recogniser([*words_of(TEXT), "seven", "blorptide"])


def by_flite(text: str) -> Audio:
    if "slt" not in flite.voices():
        pytest.skip("nobody speaks: flite is not installed")
    return flite.say(text, "slt")


def test_words_are_in_lower_case_and_without_marks() -> None:
    assert words_of("Don't go, Anna — it’s late.") == ["don't", "go", "anna", "it's", "late"]


def test_edits_are_insertions_deletions_and_substitutions() -> None:
    assert edits(["a", "x", "c"], ["a", "b", "c"]) == 1
    assert edits(["a"], ["a", "b", "c"]) == 2
    assert edits(["a", "a", "b"], ["a", "b"]) == 1
    assert edits([], []) == 0


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recogniser, "MODULE", "no_such_recogniser")
    with pytest.raises(BackendMissing, match=r"pip install '\.\[words\]' in the checkout"):
        Recogniser(["a"])


def test_words_that_the_dictionary_lacks_are_not_known(transcriber: Recogniser) -> None:
    assert transcriber.known == {"the", "green", "house", "stands", "near", "river", "seven"}


def test_what_is_said_is_transcribed(transcriber: Recogniser) -> None:
    wanted = words_of(TEXT)
    assert edits(transcriber.transcribe(by_flite(TEXT)), wanted) <= 2


def test_other_words_are_not_taken_for_these(transcriber: Recogniser) -> None:
    assert edits(transcriber.transcribe(by_flite("Seven seven seven.")), words_of(TEXT)) > 3


def test_earlier_utterances_change_nothing(transcriber: Recogniser) -> None:
    audio = by_flite(TEXT)
    noise = np.random.default_rng(0).standard_normal(32_000).astype(np.float32) / 4
    first = transcriber.transcribe(audio)
    transcriber.transcribe(Audio(noise, 16_000))
    assert transcriber.transcribe(audio) == first


def test_silence_holds_no_words(transcriber: Recogniser) -> None:
    assert transcriber.transcribe(Audio(np.zeros(16_000, np.float32), 16_000)) == []
