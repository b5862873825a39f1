"""Phones of flite's find their places in our text, whatever dictionary each comes from."""

import numpy as np

from training.alignment import of_tokens, said_at


def test_like_phones_stand_beside_each_other_and_silence_beside_marks() -> None:
    names = ["pau", "dh", "ax", "k", "ae", "t", "pau"]
    symbols = ["DH", "AH0", "K", "AE1", "T", "."]
    assert said_at(names, symbols) == [0, 0, 1, 2, 3, 4, 5]


def test_a_vowel_of_another_dictionary_keeps_its_place() -> None:
    assert said_at(["r", "eh", "d"], ["R", "IY1", "D", "."]) == [0, 1, 2]


def test_a_phone_that_our_text_lacks_shares_the_place_before_it() -> None:
    assert said_at(["f", "ay", "y", "er"], ["F", "AY1", "ER0"]) == [0, 1, 1, 2]


def test_a_phone_that_flite_leaves_out_moves_nothing_behind_it() -> None:
    assert said_at(["ae", "n", "m", "eh", "n"], ["AE1", "N", "D", "M", "EH1", "N"]) == [
        *[0, 1],
        *[3, 4, 5],
    ]


def test_places_never_fall() -> None:
    random = np.random.default_rng(0)
    names = random.choice(["pau", "b", "iy", "s", "ah"], 40).tolist()
    symbols = random.choice(["B", "IY1", "S", "AH0", ","], 30).tolist()
    places = said_at(names, symbols)
    assert len(places) == len(names)
    assert (np.diff(places) >= 0).all()
    assert set(places) <= set(range(30))


def test_a_token_belongs_to_the_phone_at_its_centre() -> None:
    # centres at 22.5, 62.5, 102.5, 142.5 ms
    assert of_tokens([0.05, 0.11, 0.13], [0, 1, 2], 4).tolist() == [0, 1, 1, 2]
