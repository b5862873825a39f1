"""Hangul as it is pronounced: the steps of g2pk2, without its English part.

That part asks NLTK for a dictionary, which would be a download; latin letters are already gone
when this is called. So the modules of g2pk2 are loaded without its `__init__`.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

from runtime.errors import BackendMissing
from runtime.text.imports import once, quietly
from runtime.text.ko.tagger import Tagger, tagger
from runtime.text.tables import table

PACKAGE = "g2pk2"
SPECIAL = (
    *("jyeo", "ye", "consonant_ui", "josa_ui", "vowel_ui", "jamo"),
    *("rieulgiyeok", "rieulbieub", "verb_nieun", "balb", "palatalize", "modifying_rieul"),
)
BEFORE = ("NNG", "NNP", "MM", "XPN", "NR", "NP")
REAL = ("NNG", "NNP", "VV", "VA", "MAG", "XR")
FIRST, VOWELS, FINALS, SILENT = 0xAC00, 21, 28, 11
BEFORE_VOWELS = (0, 4, 8, 13, 16, 20)  # ㅏ ㅓ ㅗ ㅜ ㅟ ㅣ
PLAIN = {
    **dict.fromkeys((2, 3, 9, 24), 0),  # ㄲ ㄳ ㄺ ㅋ: ㄱ
    **dict.fromkeys((19, 20, 22, 23, 25), 3),  # ㅅ ㅆ ㅈ ㅊ ㅌ: ㄷ
    **dict.fromkeys((14, 18, 26), 7),  # ㄿ ㅄ ㅍ: ㅂ
}
LINKS = ("link1", "link2", "link3", "link4")


@dataclass(frozen=True)
class Change:
    """One replacement.

    Attributes:
        needs: what a text must hold for it; a plain test that spares the pattern.
        pattern: what is replaced.
        other: by what.
    """

    needs: str
    pattern: re.Pattern[str]
    other: str

    def of(self, text: str) -> str:
        """The text after it."""
        return self.pattern.sub(self.other, text) if self.needs in text else text


@dataclass(frozen=True)
class Rules:
    """What the steps need of the library.

    Attributes:
        idioms: words and what they become, in order.
        sounds: final and initial consonants that meet, and what they become, in order.
        special: rules that need the marks of `annotate`.
        links: rules that carry a final consonant over.
        numerals, utils: modules of the library.
        jamo: the package that takes syllables apart.
        tagger: of words and their tags.
    """

    idioms: list[Change]
    sounds: list[Change]
    special: list[Callable[..., str]]
    links: list[Callable[..., str]]
    numerals: Any
    utils: Any
    jamo: Any
    tagger: Tagger


def pronounced(text: str) -> str:
    """Compatibility jamo of the text as it is said; other characters stay."""
    rules = _rules()
    h2j, j2hcj = rules.jamo.h2j, rules.jamo.j2hcj
    for change in rules.idioms:
        text = change.of(text)
    if any(_moved(one, two) != (one, two) for one, two in pairwise(text)):
        text = _carried(text, rules.tagger.pos(text))
    for word, said in table("ko")["compounds"].items():
        text = text.replace(word, said)
    letters: str = h2j(rules.utils.annotate(text, rules.tagger))
    for rule in rules.special:
        letters = rule(letters, False, False)
    letters = re.sub("/[PJEB]", "", letters)
    for change in rules.sounds:
        letters = change.of(letters)
    for rule in rules.links:
        letters = rule(letters, False, False)
    jamo: str = j2hcj(h2j(rules.utils.compose(letters)))
    return jamo


def _carried(text: str, tokens: list[tuple[str, str]]) -> str:
    """Standard pronunciation 15: before a real word with a vowel a final is first made plain.

    `값있는` is 가빈는, not 갑씬는: the plain final moves over to the vowel.
    """
    said = list(text)
    at = 0
    for (word, tag), (after, after_tag) in pairwise(tokens):
        at = text.find(word, at)
        if at < 0:
            return text
        at += len(word)
        joined = text.startswith(after, at)
        if joined and tag.split("+")[-1] in BEFORE and after_tag.split("+")[0] in REAL:
            said[at - 1 : at + 1] = _moved(said[at - 1], said[at])
    return "".join(said)


def _moved(one: str, two: str) -> tuple[str, str]:
    """Two syllables with the final of the first made plain and moved to the second."""
    if not ("가" <= one <= "힣" and "가" <= two <= "힣"):
        return one, two
    final = (ord(one) - FIRST) % FINALS
    onset, rest = divmod(ord(two) - FIRST, VOWELS * FINALS)
    if onset != SILENT or rest // FINALS not in BEFORE_VOWELS or final not in PLAIN:
        return one, two
    return chr(ord(one) - final), chr(FIRST + PLAIN[final] * VOWELS * FINALS + rest)


@once
def _rules() -> Rules:
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise BackendMissing("Korean: g2pk2 is not installed; pip install '.[ko]' in the checkout")
    special, regular, numerals, utils = _modules(spec)
    return Rules(
        idioms=_idioms(Path(spec.submodule_search_locations[0]) / "idioms.txt"),
        sounds=[
            Change("ᆰ", re.compile("ᆰ(?=ᄏ)"), "ᆨ"),
            *(Change(one[0], re.compile(one), other) for one, other, _ in utils.parse_table()),
        ],
        special=[getattr(special, name) for name in SPECIAL],
        links=[getattr(regular, name) for name in LINKS],
        numerals=numerals,
        utils=utils,
        jamo=quietly("jamo"),
        tagger=tagger(),
    )


def _modules(spec: ModuleSpec) -> list[ModuleType]:
    """Modules of the library, loaded under a package that is empty and gone afterwards."""
    before = {name: sys.modules.pop(name) for name in [*sys.modules] if _ours(name)}
    empty = ModuleType(PACKAGE)
    empty.__path__ = list(spec.submodule_search_locations or ())
    sys.modules[PACKAGE] = empty
    try:
        return [quietly(f"{PACKAGE}.{n}") for n in ("special", "regular", "numerals", "utils")]
    finally:
        for name in [*sys.modules]:
            if _ours(name):
                del sys.modules[name]
        sys.modules.update(before)


def _ours(name: str) -> bool:
    return name == PACKAGE or name.startswith(PACKAGE + ".")


def _idioms(path: Path) -> list[Change]:
    lines = (line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines())
    pairs = (line.split("===") for line in lines if "===" in line)
    return [Change(_start(one), re.compile(one), other) for one, other in pairs]


def _start(pattern: str) -> str:
    """The letters that a pattern begins with; empty if there is none that it always needs."""
    found = re.match(r"[가-힣]+(?![?*{|])", pattern)
    return found[0] if found and "|" not in pattern else ""
