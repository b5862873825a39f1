"""English text to words: numbers, times, money, units and signs; the six marks stay."""

import re
import unicodedata

from runtime.text.en.abbreviations import abbreviations, capitals
from runtime.text.en.quantities import numbers, quantities
from runtime.text.en.rules import Family, Spelling
from runtime.text.en.times import times
from runtime.text.imports import once
from runtime.text.letters import GREEK, greek_name, latinised
from runtime.text.tables import table
from runtime.text.width import plain

NUMBERED = r"[0-9²³⁰¹⁴-⁹ⁿ+×÷=*^~<>≥≤≠≈±√#№°%‰]| - "
DECORATED = r"[^A-Za-z0-9 ',.!?\-]|\s[!?,.]|--|\w\.[a-z]"
SHOUTED = "[A-Z]{2}"
UNFINISHED = (
    r"[^A-Za-z '!?,.\-]|[^ ][A-Z]|[ !?,.\-][ !?,.\-]|^ | $|[iIeE]\.[eEgG]\."
    r"|(?<![A-Za-z])'|'(?![A-Za-z])"
)
MARKS = r"!?…,.\-"
FILES = (
    "(?:txt|md|pdf|py|js|ts|json|ya?ml|csv|docx?|xlsx?|zip|exe|jpe?g|png|gif|mp[34]|wav|html?|css"
    "|sh|ini)"
)
TAGS = "a|b|i|u|s|q|p|br|hr|em|strong|div|span|h[1-6]|li|ul|ol|code|pre|img|small|su[bp]|font"
PERIODS = "(?:hour|minute|second|day|week|month|year|person|night|game|page)"
UNIT_SIGNS = "µμΩ"


def normalise(text: str) -> str:
    """English `norm_text`: words and marks, blanks between."""
    text = _plain(text)
    for family in _families():
        text = family.applied(text)
    return text


@once
def _families() -> tuple[Family, ...]:
    return (
        Family.of(DECORATED, _typography()),
        Family.of(SHOUTED, capitals()),
        *abbreviations(),
        Family.of(NUMBERED, (*times(), *quantities(), *numbers())),
        Family.of(UNFINISHED, _last()),
    )


def _plain(text: str) -> str:
    """Full-width letters, digits and signs to ASCII; marks of other scripts to ours."""
    if text.isascii():
        return plain(text)
    for mark, own in table("en")["effective_punctuation_map"].items():
        text = re.sub(rf"{mark}(?=\w)", f"{own} ", text).replace(mark, own)
    return GREEK.sub(_named, plain(text))


def _named(match: re.Match[str]) -> str:
    """A Greek letter by its name; the signs of micro and ohm stay for the rules of units."""
    return match[0] if match[0] in UNIT_SIGNS else f" {greek_name(match[0], 'en') or match[0]} "


def _typography() -> list[Spelling]:
    """Marks that the six do not hold; one at the end of the text says nothing."""
    return [
        (r"(?<=[A-Za-z])[’‘](?=[A-Za-z])", "'"),
        (rf"(?i)</?(?:{TAGS})(?: [^<>]{{0,200}})?/?>|&nbsp;", " "),
        (r"&amp;", "&"),
        (r"&lt;|&gt;|&quot;", " "),
        (rf"(?<=\w)\.(?={FILES}\b)", " dot "),
        (r"\]\((?=https?://|www\.|/)", " "),
        (r"https?://\S+|\bwww\.\S+|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+", _address),
        (
            r"\b(?:[A-Za-z0-9-]+\.)+(?:com|org|net|io|edu|gov|dev|co\.uk)\b(?:/[\w./?=&%-]*\w)?",
            _address,
        ),
        (r"[\[\](){}<>](?=\s*$)|[\[\](){}]|[|\\`\"“”«»„‹›]|\*{2,}", " "),
        (r"(?<=\w)_+(?=\w)", " "),
        (r"\s*(?:;|，|；|：|、|:(?![0-9]))+(?=\s*$)", ""),
        (r"\s*(?:;|，|；|：|、|:(?![0-9]))(?=\s)", ","),
        (r"\s*(?:;|，|；|：|、|:(?![0-9]))(?=\S)", ", "),
        (r"(?<=[0-9%])\s*[–—]\s*(?=[$£€]?[0-9])", "-"),
        (r"\s*(?:[–—]+|(?<=\s)--+)\s*(?=[^\s!?…,.])", ", "),
        (r"\s+([!?,.])(?=\s|$)", r"\1"),
        (r"…+", "..."),
        (r"\b(w/o)(?=\s)", "without"),
        (r"\bw/(?=\s?\w)", "with "),
        (r"\s*&\s*", " and "),
        (r"\band/or\b", "and or"),
        (r"(?<![A-Za-z])([CF])\+\+", r"\1 plus plus"),
        (r"(?<![A-Za-z])([CFJ])#(?!\w)", r"\1 sharp"),
        (r"#(?=[A-Za-z_])", " hashtag "),
        (r"(?<!\w)@(?=[A-Za-z_])", " at "),
        (r"\s@\s", " at "),
        (r"(?<=[A-Za-z]{2})\s?[=|]\s?(?=[A-Za-z]{2})", " "),
        (rf"(?<=[0-9]) ?([a-z]{{3,}})/(?={PERIODS}\b)", r" \1 per "),
        (r"([0-9] ?)?\b[A-Za-zμ]+(?:/[A-Za-z]+)+[23²³]?", _either),
    ]


def _either(match: re.Match[str]) -> str:
    """`he/she` is one or the other, `AC/DC` one name; units stay for the rules of units."""
    words = match[0][len(match[1] or "") :]
    units = table("quantities")["units"]
    if match[1] and (words in units or all(part in units for part in words.split("/"))):
        return match[0]
    return match[0].replace("/", " " if words.isupper() else " or ")


def _last() -> list[Spelling]:
    return [
        (f"[{UNIT_SIGNS}]", lambda m: f" {greek_name(m[0], 'en')} "),
        (r"[\s\S]+", lambda m: _without_accents(m[0])),
        (r"%", " percent"),
        (r"(?<=[A-Za-z])=(?=[A-Za-z])", " "),
        (r"\s*\n\s*|[^\S ]", " "),
        (rf"(?<=\w)[^A-Za-z0-9 '{MARKS}]+(?=\w)", " "),
        (rf"[^A-Za-z '{MARKS}]", ""),
        (r"(?i)\bi\.e\.", "that is"),
        (r"(?i)\be\.g\.", "for example"),
        (r"\bW[Ii]-?F[Ii]\b", "wifi"),
        (r"(?<=[A-Z]{2})s(?![A-Za-z'])", "'s"),
        (r"(?<=[A-Z]{2})s'", "'s"),
        (r"(?<=[a-z])\s?'n'?\s", " and "),
        (r"(?<![A-Za-z])'([^']+)'(?![A-Za-z])", r"\1"),
        (r"(?<![A-Za-z])'+|(?<![A-Zs])'(?![A-Za-z])", ""),
        (r"(?<=[^ ])(?=[A-Z])", " "),
        (rf"([ {MARKS}])[{MARKS}]+", r"\1"),
        (r" {2,}", " "),
        (r"^ +(?=\S)|(?<=\S) +$", ""),
    ]


def _without_accents(text: str) -> str:
    bare = (c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return "".join(latinised(char) or char for char in bare)


def _address(match: re.Match[str]) -> str:
    """A web or mail address as one says it; a mark at its end is not part of it."""
    body = match[0].rstrip(".,!?;:)]")
    rest = match[0][len(body) :]
    said = re.sub(r"^https?://", "", body)
    for sign, word in ((".", " dot "), ("@", " at "), ("/", " slash "), ("-", " dash ")):
        said = said.replace(sign, word)
    said = re.sub(r"[\W_]+", " ", said).strip()
    return re.sub(r"\b[a-z]\b", lambda letter: letter[0].upper(), said) + rest
