"""When what was said, as subtitles: SRT, WebVTT and JSON.

Times of sentences are exact: samples are counted. Those of words are estimated: a sentence's time
is shared among its words by their length, and every result says so.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from runtime.arrays import Samples
from runtime.errors import SettingError
from runtime.files import write_whole

ALIGNMENT = "estimated"  # of words
WIDE = "\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
WORD = re.compile(rf"[{WIDE}][^\w\s]*|[^\s{WIDE}]+")
LETTER = re.compile(r"\w")
LONGEST_CUE_S = 7.0
LINES = 2
CELLS, WIDE_CELLS = 42, 18  # of a line
WIDE_WEIGHT = 2.5  # a syllable or more, against a letter


class Chunk(Protocol):
    """What is read of a chunk of sound; `runtime.AudioChunk` has it."""

    @property
    def samples(self) -> Samples:
        """Its sound, float32 [S]."""
        ...

    @property
    def rate(self) -> int:
        """Samples per second (Hz)."""
        ...

    @property
    def segment(self) -> int:
        """Number of the piece of text."""
        ...

    @property
    def text(self) -> str:
        """The piece of text; empty for a pause."""
        ...

    @property
    def finish_reason(self) -> str:
        """Not empty where the piece ends with this chunk."""
        ...


@dataclass(frozen=True)
class Word:
    """A word with its time in seconds, estimated."""

    word: str
    start: float
    end: float


@dataclass(frozen=True)
class Caption:
    """A sentence with its time in seconds, exact, and its words."""

    id: int
    start: float
    end: float
    text: str
    words: tuple[Word, ...]


class Timeline:
    """Collects sentences as their chunks go by.

    Attributes:
        captions: what is complete.
        seconds: how long all of it is.
    """

    def __init__(self, pause_ms: int) -> None:
        """Begin; `pause_ms` is the silence behind each sentence, which is no part of it."""
        self.captions: list[Caption] = []
        self.seconds = 0.0
        self._pause_s = pause_ms / 1000
        self._started_s = 0.0
        self._segment = -1

    def add(self, chunk: Chunk) -> Caption | None:
        """Count a chunk; the sentence that ends with it."""
        if chunk.segment != self._segment:
            self._segment, self._started_s = chunk.segment, self.seconds
        self.seconds += chunk.samples.size / chunk.rate
        text = " ".join(chunk.text.split())
        if not text or not chunk.finish_reason:
            return None
        end = max(self._started_s, self.seconds - self._pause_s)
        timed = words(text, self._started_s, end)
        made = Caption(len(self.captions), round(self._started_s, 3), round(end, 3), text, timed)
        self.captions.append(made)
        return made


def words(text: str, start: float, end: float) -> tuple[Word, ...]:
    """Words of a text and their estimated times within `start` .. `end` seconds."""
    found = WORD.findall(text)
    weights = [_weight(word) for word in found]
    whole = sum(weights) or 1.0
    made: list[Word] = []
    done = 0.0
    for word, weight in zip(found, weights, strict=True):
        first, done = done, done + weight
        times = (start + (end - start) * part / whole for part in (first, done))
        made.append(Word(word, *(round(time, 3) for time in times)))
    return tuple(made)


def _weight(word: str) -> float:
    wide = len(re.findall(f"[{WIDE}]", word))
    return max(0.5, len(LETTER.findall(word)) - wide + WIDE_WEIGHT * wide)


def as_json(captions: Sequence[Caption], seconds: float) -> str:
    """Sentences and words as JSON."""
    whole = {"duration": round(seconds, 3), "alignment": ALIGNMENT}
    return json.dumps(whole | {"segments": [asdict(one) for one in captions]}, ensure_ascii=False)


def as_srt(captions: Sequence[Caption]) -> str:
    """Subtitles in SubRip's format."""
    made = [
        f"{number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{text}\n"
        for number, (start, end, text) in enumerate(_cues(captions), 1)
    ]
    return "\n".join(made)


def as_vtt(captions: Sequence[Caption]) -> str:
    """Subtitles in WebVTT's format."""
    made = ["WEBVTT\n"]
    for start, end, text in _cues(captions):
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        made.append(f"{_clock(start, '.')} --> {_clock(end, '.')}\n{escaped}\n")
    return "\n".join(made)


FORMATS = (".srt", ".vtt", ".json")


def check(path: Path) -> None:
    """Refuse a file of no format of subtitles, or of no folder.

    Raises:
        SettingError: the suffix is none of FORMATS, or its folder does not exist.
    """
    if path.suffix.lower() not in FORMATS:
        raise SettingError(f"--subtitles {path}: use a name ending in {', '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise SettingError(f"--subtitles {path}: its folder does not exist")


def save(path: Path, timeline: Timeline) -> None:
    """Write subtitles in the format of the file's name.

    Raises:
        OSError: the file can't be written.
    """
    captions = timeline.captions
    match path.suffix.lower():
        case ".srt":
            content = as_srt(captions)
        case ".vtt":
            content = as_vtt(captions)
        case _:
            content = as_json(captions, timeline.seconds) + "\n"
    write_whole(path, content)


def _cues(captions: Iterable[Caption]) -> list[tuple[int, int, str]]:
    """Start and end in ms and lines of each cue; rising, and none over another."""
    made: list[tuple[int, int, str]] = []
    for caption in captions:
        for group in _groups(caption):
            start = round(group[0].start * 1000)
            start = max(start, made[-1][1]) if made else start
            end = max(start + 1, round(group[-1].end * 1000))
            text = "\n".join(_lines([word.word for word in group])).replace("-->", "→")
            made.append((start, end, text))
    return made


def _groups(caption: Caption) -> list[list[Word]]:
    """Words of a sentence, in groups that fit a cue; it is cut behind a clause where it can be."""
    if not caption.words:
        return []
    groups: list[list[Word]] = [[]]
    for word in caption.words:
        longer = [*groups[-1], word]
        too_long = word.end - longer[0].start > LONGEST_CUE_S
        if groups[-1] and (too_long or len(_lines([one.word for one in longer])) > LINES):
            kept, moved = _at_clause(groups[-1])
            groups[-1] = kept
            groups.append([*moved, word])
        else:
            groups[-1] = longer
    return groups


def _at_clause(group: list[Word]) -> tuple[list[Word], list[Word]]:
    for place in range(len(group), len(group) // 2, -1):
        if not LETTER.match(group[place - 1].word[-1]):
            return group[:place], group[place:]
    return group, []


def _lines(found: Sequence[str]) -> list[str]:
    """Words in lines that fit."""
    lines: list[str] = []
    for word in found:
        joined = _joined(lines[-1], word) if lines else word
        if lines and _cells(joined) <= 1:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


def _joined(before: str, word: str) -> str:
    wide = re.match(f"[{WIDE}]", word) and re.search(rf"[{WIDE}]\W*$", before)
    return before + ("" if wide else " ") + word


def _cells(line: str) -> float:
    """How much of a line is filled."""
    wide = len(re.findall(f"[{WIDE}]", line))
    return wide / WIDE_CELLS + (len(line) - wide) / CELLS


def _clock(milliseconds: int, point: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{rest:03}"
