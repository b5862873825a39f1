"""What holds for any Unicode text, in every language and mode."""

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.errors import TextError
from runtime.text import CUTS, MODES, phonemize, pieces, unread
from runtime.text.symbols import MARKS, ids_of
from tests import languages

languages.need_all()

FAVOURITES = (
    "你好世界一不儿重行吗〇①αabcXYZ'-0123456789./:~%+=，。！？…—「」“”ありがとうカタカナー漢字"
    "안녕하세요각ㄱㅏ佢哋嘅 \n　😀℃½²éßñＡ１$€£￥^[]{}ﾊﾝ々\u0301\u3099\u1112\u1161\ud7b0"
)
ANY_TEXT = st.text(st.sampled_from(FAVOURITES) | st.characters(codec="utf-8"), max_size=30)
SPEAKABLE = {
    "zh": "今天我们去公园看花",
    "en": "abcdefghijklmnopqrstuvwxyz",
    "ja": "あいうえおかきくけこサシスセソ",
    "ko": "가나다라마바사아자차카타파하",
    "yue": "佢哋今日去公園睇花",
}
quick = settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@quick
@given(ANY_TEXT, st.sampled_from(MODES))
def test_any_text_gives_phones_in_the_table_or_a_clear_error(text: str, mode: str) -> None:
    try:
        read = phonemize(text, mode)
    except TextError as error:
        assert "\n" not in str(error).replace(text, "")
        return
    assert len(read.ids) == len(read.phones) > 0
    assert set(read.phones) <= set(ids_of("v2"))
    for segment in read.segments:
        if segment.word2ph is not None:
            assert len(segment.word2ph) == len(segment.norm_text)
            assert sum(segment.word2ph) == len(segment.phones)


@quick
@given(ANY_TEXT, st.sampled_from(MODES))
def test_segments_joined_are_the_text_with_single_blanks(text: str, mode: str) -> None:
    single = re.sub(" {2,}", " ", text)
    try:
        read = phonemize(text, mode)
    except TextError:
        return
    assert "".join(segment.text for segment in read.segments) in (single, f".{single}")


@quick
@given(st.data(), st.sampled_from([*SPEAKABLE]))
def test_speakable_text_is_never_silent(data: st.DataObject, lang: str) -> None:
    text = data.draw(st.text(st.sampled_from(SPEAKABLE[lang] + "，。. "), min_size=1, max_size=20))
    if any(char in SPEAKABLE[lang] for char in text):
        assert any(phone not in MARKS for phone in phonemize(text, lang).phones)


@quick
@given(ANY_TEXT, st.sampled_from(MODES), st.sampled_from([*CUTS]), st.sampled_from([16, 40, 400]))
def test_pieces_lose_no_letter_and_keep_the_limit(
    text: str, mode: str, cut: str, most: int
) -> None:
    text = text.replace("[", "").replace("]", "")
    try:
        found = pieces(text, mode, cut, most)
    except TextError:
        found = []
    said = "".join(piece.text for piece in found if piece.text)
    kept, given = (re.sub(r"[\W_]", "", one) for one in (said, text))
    rest = iter(given)
    assert all(char in rest for char in kept)  # in order, and nothing is made up
    if len(kept) < len(given):
        assert unread(text, mode) or not found
    for piece in found:
        assert len(phonemize(piece.text, mode).ids) <= most
