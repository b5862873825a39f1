"""A sample of ordinary texts from the command line to their phones."""

import json

import pytest

from runtime.text import phonemize
from tests import bundles, languages
from tests.runtime.command import call

languages.need_all()

MARKS = {*"!?…,.-", "UNK", "[", "]", "_", "空"}


@pytest.mark.parametrize(
    ("lang", "text", "words"),
    [
        ("en", "10", "ten"),
        ("en", "It costs $5k.", "it costs five thousand dollars"),
        ("zh", "8点", "八点"),
        ("zh", "厚度5mm的板", "厚度五毫米的板"),
        ("ja", "5kgの米", "五キログラムの米"),
        ("ko", "몸무게는 60kg이다.", "몸무게는 육십 킬로그램이다"),
        ("yue", "8點", "八点"),
    ],
)
def test_dumped_phones_are_those_of_the_words(lang: str, text: str, words: str) -> None:
    options = ("--verify", "size", "--dump-phones", "--lang", lang)
    done = call("-m", bundles.v2(), *options, text)
    assert done.code == 0, done.err
    segments = [one for piece in json.loads(done.out)["pieces"] for one in piece["segments"]]
    dumped = [phone for segment in segments for phone in segment["phones"] if phone not in MARKS]
    assert dumped == [phone for phone in phonemize(words, lang).phones if phone not in MARKS]


def test_text_without_a_reading_is_refused_with_the_mode_that_could() -> None:
    done = call("-m", bundles.v2(), "--verify", "size", "--dump-phones", "--lang", "en", "你好")
    assert done.code == 4
    assert "'你好' cannot be read as en and is left out; --lang zh could" in done.err
