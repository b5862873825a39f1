"""How many tokens a text is said to need."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.t2s.forecast import LEAST_TOKENS, MOST_TOKENS_PER_PHONE, Pace


def test_a_line_likely_goes_at_the_pace_of_its_reference() -> None:
    pace = Pace.of_reference(tokens=90, phones=30)
    assert (pace.likely(40), pace.most(40)) == (120, 360)


@pytest.mark.parametrize(("tokens", "phones"), [(0, 30), (90, 0), (0, 0)])
def test_without_a_reference_that_tells_the_bound_is_twelve_a_phone(
    tokens: int, phones: int
) -> None:
    pace = Pace.of_reference(tokens, phones)
    assert (pace.likely(100), pace.most(100)) == (250, 1200)


def test_a_short_line_is_given_a_hundred_tokens() -> None:
    assert Pace.of_reference(90, 30).most(1) == LEAST_TOKENS == 100


def test_a_line_that_fits_has_half_as_much_again_to_spare() -> None:
    pace = Pace.of_reference(tokens=100, phones=50)
    assert pace.fitting(tokens=300, rows=1000) == 100
    assert pace.fitting(tokens=1500, rows=400) == 100
    assert pace.fitting(tokens=300, rows=-1) == 0


def test_what_a_limit_left_begins_rather_too_early() -> None:
    pace = Pace.of_reference(tokens=100, phones=50)
    assert pace.spoken(tokens=100, phones=80) == 40  # 50 at the reference's pace
    assert pace.spoken(tokens=500, phones=80) == 64  # slower: the end is never taken for spoken


@given(tokens=st.integers(0, 300), phones=st.integers(0, 300), wanted=st.integers(1, 600))
def test_the_bound_lies_above_what_is_likely_and_below_twelve_a_phone(
    tokens: int, phones: int, wanted: int
) -> None:
    pace = Pace.of_reference(tokens, phones)
    assert 0 < pace.likely(wanted) <= pace.most(wanted)
    assert pace.most(wanted) <= max(LEAST_TOKENS, MOST_TOKENS_PER_PHONE * wanted)
