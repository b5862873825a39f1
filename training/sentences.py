"""Write sentences of plain words by a small grammar, choosing those whose phone pairs are rare.

Every word stands in the dictionary of our English front end and is said in one way only. The
held-out sentences have frames of their own and share no four words in a row with training.
"""

import argparse
import json
import re
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import pairwise
from math import fsum
from pathlib import Path

import numpy as np

from runtime.cli import option, run
from runtime.errors import UsageError
from runtime.text.en.words import dictionary, homographs
from workflow_scripts.files import atomic, write_json

GRAMMAR = Path(__file__).with_name("data") / "grammar.json"
SHORTEST, LONGEST = 4, 14  # words
MOST_MISSES = 50
DRAWS = 24  # of which the sentence with the rarest phone pairs stays
RUN = 4  # words in a row that training and held-out sentences must not share
MAY_REPEAT_LETTERS = 3  # "and", "the", "one"; longer words come once in a sentence
VOWELS = "AEIOU"
Pair = tuple[str, str]


def sentences(frames: str, count: int, seed: int, avoid: Collection[str] = ()) -> list[str]:
    """Different sentences of plain words, as many of each frame.

    Args:
        frames: a list of frames in the grammar, `training` or `held_out`.
        count: how many.
        seed: same seed, same sentences.
        avoid: sentences with which no four words in a row may be shared.

    Returns:
        Sentences of 4 to 14 words with capital, commas and end mark.

    Raises:
        UsageError: a frame of the grammar gives no more sentences that fit.
    """
    grammar = json.loads(GRAMMAR.read_text("utf-8"))
    choices = {slot: words.split("|") for slot, words in grammar["words"].items()}
    rng = np.random.default_rng(seed)
    taken = {run for sentence in avoid for run in runs(sentence)}
    covered: Counter[Pair] = Counter()
    found: dict[str, None] = {}
    misses = 0
    while len(found) < count:
        frame = grammar[frames][len(found) % len(grammar[frames])]
        drawn = [_fill(frame, choices, rng) for _ in range(DRAWS)]
        fit = [s for s in drawn if s not in found and _plain(s) and taken.isdisjoint(runs(s))]
        misses = 0 if fit else misses + 1
        if misses == MOST_MISSES:
            raise UsageError(f"{GRAMMAR.name}: '{frame}' gives no more sentences; change it")
        if fit:
            best = max(fit, key=lambda s: fsum(1 / (1 + covered[pair]) for pair in set(pairs(s))))
            covered.update(pairs(best))
            found[best] = None
    return list(found)


def words_of(sentence: str) -> list[str]:
    """Words in lower case, without marks."""
    return re.findall(r"[a-z']+", sentence.lower())


def runs(sentence: str) -> Iterator[str]:
    """Each four words in a row."""
    words = words_of(sentence)
    return (" ".join(words[i : i + RUN]) for i in range(len(words) - RUN + 1))


def pairs(sentence: str) -> list[Pair]:
    """Neighbouring phones without stress, across words too."""
    phones = [re.sub(r"\d", "", p) for w in words_of(sentence) for p in dictionary()[w].split()]
    return list(pairwise(phones))


def _fill(frame: str, choices: dict[str, list[str]], rng: np.random.Generator) -> str:
    while "{" in frame:
        frame = re.sub(r"{(\w+)}", lambda slot: _drawn(choices[slot[1]], rng), frame)
    frame = re.sub(r"\b([Aa]) (?=([\w']+))", _article, frame)
    return frame[0].upper() + frame[1:]


def _drawn(words: list[str], rng: np.random.Generator) -> str:
    return words[rng.integers(len(words))]


def _article(found: re.Match[str]) -> str:
    said = dictionary().get(found[2].lower(), "")
    return f"{found[1]}n " if said[:1] in VOWELS else f"{found[1]} "


def _plain(sentence: str) -> bool:
    """Whether its length is right, each word is said in one way, and none comes twice."""
    words = words_of(sentence)
    long = [word for word in words if len(word) > MAY_REPEAT_LETTERS]
    known = all(word in dictionary() and word not in homographs() for word in words)
    return SHORTEST <= len(words) <= LONGEST and known and len(long) == len(set(long))


def main(argv: list[str] | None = None) -> None:
    """Write sentences as a JSON list."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    option(parser, "--frames", choices=("training", "held_out"), default="held_out", help="kind")
    option(parser, "--count", type=int, default=100, help="how many (default: %(default)s)")
    option(parser, "--seed", type=int, default=7, help="same seed, same sentences")
    option(parser, "--output", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    with atomic(args.output) as (output,):
        write_json(output, sentences(args.frames, args.count, args.seed))


if __name__ == "__main__":
    run(main)
