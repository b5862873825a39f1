import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import SettingError, TextError
from runtime.text import CUTS
from runtime.text.cut import lines, method
from tests import goldens

SPOKEN = st.text(st.sampled_from("我们ab12 .,，。！？…—:~\n"), max_size=120)


@pytest.mark.golden
@pytest.mark.parametrize("cut", CUTS)
def test_every_method_cuts_as_the_reference(cut: str) -> None:
    for record in goldens.text_records("split") or pytest.skip("no split goldens"):
        joined = "\n".join(method(cut)(record["text"]))
        assert joined.split("\n") == record["methods"][cut], record["text"]


@pytest.mark.golden
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_whole_chain_cuts_as_the_reference(cut: str, lang: str) -> None:
    for record in goldens.text_records("split") or pytest.skip("no split goldens"):
        expected = record["pre_seg"][f"{cut}/{lang}"]
        if isinstance(expected, dict):
            with pytest.raises(TextError):
                lines(record["text"], lang, cut)
        else:
            assert lines(record["text"], lang, cut) == expected, record["text"]


@given(SPOKEN, st.sampled_from([*CUTS]))
def test_cutting_loses_no_letter_and_no_digit(text: str, cut: str) -> None:
    try:
        found = lines(text, "zh", cut)
    except TextError:
        found = []
    assert re.sub(r"\W", "", "".join(found)) == re.sub(r"\W", "", text)


def test_an_unknown_method_lists_the_known_ones() -> None:
    with pytest.raises(SettingError, match=r"cut9.*cut0.*cut5"):
        lines("text", "en", "cut9")
