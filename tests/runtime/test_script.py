"""Text features: RoBERTa's vectors where Chinese is, zeros elsewhere, and what is said of it."""

import logging
from pathlib import Path

import numpy as np
import pytest

from runtime.errors import TextError
from runtime.text import Phonemes, Segment
from runtime.text_features import TextFeatures
from runtime.voice import Voice
from tests import bundles

EN = Segment("en", "Hi.", "Hi.", ("HH", "AY1", "."), (1, 2, 3), None)
ZH = Segment("zh", "你好。", "你好.", ("n", "i2", "h", "ao3", "."), (4, 5, 6, 7, 8), (2, 2, 1))
GIVEN = Segment("phones", "[phones=HH]", "", ("HH",), (1,), None)


@pytest.fixture(scope="module")
def features() -> TextFeatures:
    """As a voice with RoBERTa makes them."""
    return Voice.load(bundles.pro_plus(), threads=1, verify="size")._open.preparation._features


def test_only_chinese_phones_have_features(features: TextFeatures) -> None:
    line = features.line(Phonemes((EN, ZH, GIVEN)))
    assert line.phones.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 1]
    assert line.features.shape == (1024, 9)
    assert line.features.dtype == np.float32
    assert line.features.any(0).tolist() == [False] * 3 + [True] * 5 + [False]


def test_the_phones_of_a_character_share_its_vector(features: TextFeatures) -> None:
    columns = features.line(Phonemes((ZH,))).features.T
    assert [np.array_equal(columns[i], columns[i + 1]) for i in range(4)] == [1, 0, 1, 0]


def test_a_character_that_roberta_does_not_know_is_read_all_the_same(
    features: TextFeatures,
) -> None:
    odd = Segment("zh", "𠮷。", "𠮷.", ("j", "i2", "."), (4, 5, 6), (2, 1))
    assert features.line(Phonemes((odd,))).features.any(0).all()


@pytest.mark.parametrize("counts", [(2, 3), (2, 1, 1, 1)])
def test_features_that_do_not_fit_the_characters_are_refused(
    features: TextFeatures, counts: tuple[int, ...]
) -> None:
    wrong = Segment("zh", ZH.text, ZH.norm_text, ZH.phones, ZH.ids, counts)
    with pytest.raises(TextError, match=f"text features: 3 rows for {len(counts)} characters of"):
        features.line(Phonemes((wrong,)))


def test_a_voice_without_roberta_takes_zeros_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    without = Voice.load(bundles.v2(), threads=1, verify="size")._open.preparation._features
    with caplog.at_level(logging.WARNING):
        without.line(Phonemes((EN,)))
        assert caplog.messages == []
        for _ in range(3):
            assert not without.line(Phonemes((ZH, EN))).features.any()
    assert caplog.messages == [
        "this voice was built without RoBERTa: Chinese gets zero text features"
    ]


def test_chinese_text_reaches_roberta(tmp_path: Path) -> None:
    pytest.importorskip("jieba")
    zeros = bundles.copied(bundles.pro_plus(), tmp_path / "zeros")
    bundles.change_manifest(zeros, lambda manifest: manifest["graphs"].pop("roberta"))
    with_roberta, without = (
        Voice.load(bundle, threads=1, verify="size").synthesize("你好。", lang="zh", seed=7).pcm
        for bundle in (bundles.pro_plus(), zeros)
    )
    assert with_roberta != without
