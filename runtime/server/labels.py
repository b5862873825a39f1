"""What clients call languages and ways to cut text, in their own words."""

from runtime.text import MODES
from runtime.text.cut import CUTS

LANGUAGES = {
    "中文": "all_zh", "粤语": "all_yue", "英文": "en", "日文": "all_ja", "韩文": "all_ko",
    "中英混合": "zh", "粤英混合": "yue", "日英混合": "ja", "韩英混合": "ko",
    "多语种混合": "auto", "多语种混合(粤语)": "auto_yue",
    "日语": "all_ja", "英语": "en", "韩语": "all_ko",
    "chinese": "zh", "english": "en", "japanese": "ja", "korean": "ko", "cantonese": "yue",
    "a": "en", "b": "en", "z": "zh", "j": "ja",
    "audo": "auto", "zh-hk": "yue", "jp": "ja", "kr": "ko",
}  # fmt: skip
CUT_LABELS = {
    "不切": "cut0", "凑四句一切": "cut1", "凑50字一切": "cut2",
    "按中文句号。切": "cut3", "按英文句号.切": "cut4", "按标点符号切": "cut5",
}  # fmt: skip
LANGUAGE_FIELDS = (
    "language", "lang", "lang_code", "text_lang", "text_language",
    "prompt_lang", "prompt_language", "ref_lang",
)  # fmt: skip
CUT_FIELDS = ("text_split_method", "cut")


def language(word: str) -> str:
    """The mode that a word means; the word itself where it means none."""
    folded = word.strip().casefold()
    found = LANGUAGES.get(folded, folded)
    primary = found.partition("-")[0]
    return found if found in MODES else primary if primary in MODES else word


def cut(word: str) -> str:
    """The way to cut that a word means; the word itself where it means none."""
    stripped = word.strip()
    found = CUT_LABELS.get(stripped, stripped.casefold())
    return found if found in CUTS else word


def translated(fields: dict[str, object]) -> dict[str, object]:
    """The same fields, with our words for languages and cuts."""
    made = dict(fields)
    for name in LANGUAGE_FIELDS:
        if isinstance(word := made.get(name), str):
            made[name] = language(word)
    for name in CUT_FIELDS:
        if isinstance(word := made.get(name), str):
            made[name] = cut(word)
    return made
