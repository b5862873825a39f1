"""Hangul as it is pronounced: the steps of g2pk2, without its English part.

That part asks NLTK for a dictionary, which would be a download; latin letters are already gone
when this is called. So the modules of g2pk2 are loaded without its `__init__`.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from runtime.errors import BackendMissing
from runtime.text.imports import quietly

PACKAGE = "g2pk2"
LONGEST_NUMBER = 16
COUNTED = re.compile(r"([0-9][0-9,]*)([ㄱ-힣]+)/B")
DIGITS = str.maketrans(dict(zip("0123456789", "영일이삼사오육칠팔구", strict=True)))
SPECIAL = (
    *("jyeo", "ye", "consonant_ui", "josa_ui", "vowel_ui", "jamo"),
    *("rieulgiyeok", "rieulbieub", "verb_nieun", "balb", "palatalize", "modifying_rieul"),
)
LINKS = ("link1", "link2", "link3", "link4")


@dataclass(frozen=True)
class Rules:
    """What the steps need of the library.

    Attributes:
        idioms: pattern and replacement, in order.
        sounds: final and initial consonants that meet, and what they become, in order.
        special: rules that need the marks of `annotate`.
        links: rules that carry a final consonant over.
        numerals, utils: modules of the library.
        jamo: the package that takes syllables apart.
        tagger: mecab.
    """

    idioms: list[tuple[re.Pattern[str], str]]
    sounds: list[tuple[re.Pattern[str], str]]
    special: list[Callable[..., str]]
    links: list[Callable[..., str]]
    numerals: Any
    utils: Any
    jamo: Any
    tagger: Any


def pronounced(text: str) -> str:
    """Compatibility jamo of the text as it is said; other characters stay."""
    rules = _rules()
    h2j, j2hcj = rules.jamo.h2j, rules.jamo.j2hcj
    for pattern, other in rules.idioms:
        text = pattern.sub(other, text)
    letters: str = h2j(_numbers(rules.utils.annotate(text, rules.tagger)))
    for rule in rules.special:
        letters = rule(letters, False, False)
    letters = re.sub("/[PJEB]", "", letters)
    for pattern, other in rules.sounds:
        letters = pattern.sub(other, letters)
    for rule in rules.links:
        letters = rule(letters, False, False)
    jamo: str = j2hcj(h2j(rules.utils.compose(letters)))
    return jamo


def _numbers(annotated: str) -> str:
    """Counted numbers in words, the longest first, so that none is part of another; then digits."""
    rules = _rules().numerals
    for number, noun in sorted(set(COUNTED.findall(annotated)), key=lambda pair: -len(pair[0])):
        if len(number.replace(",", "")) <= LONGEST_NUMBER:
            native = noun in rules.BOUND_NOUNS
            words = rules.process_num(number, sino=not native)
            annotated = annotated.replace(f"{number}{noun}/B", f"{words}{noun}/B")
    return annotated.translate(DIGITS)


@cache
def _rules() -> Rules:
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise BackendMissing("Korean: g2pk2 is not installed; pip install 'sovits-foundry[ko]'")
    special, regular, numerals, utils = _modules(spec)
    return Rules(
        idioms=_idioms(Path(spec.submodule_search_locations[0]) / "idioms.txt"),
        sounds=[(re.compile(one), other) for one, other, _ in utils.parse_table()],
        special=[getattr(special, name) for name in SPECIAL],
        links=[getattr(regular, name) for name in LINKS],
        numerals=numerals,
        utils=utils,
        jamo=quietly("jamo"),
        tagger=quietly("mecab").MeCab(),
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


def _idioms(path: Path) -> list[tuple[re.Pattern[str], str]]:
    lines = (line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines())
    pairs = (line.split("===") for line in lines if "===" in line)
    return [(re.compile(one), other) for one, other in pairs]
