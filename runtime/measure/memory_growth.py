"""Speak on and on in one process, and tell whether its memory stays flat.

A round speaks texts of ten lengths, each whole and streamed; in every other round streams are given
up after their second chunk. Rounds are alike, so what the first quarter leaves behind, buffers of
the longest utterance among it, is warm-up, and what is added later would be added for ever.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from runtime.errors import MachineError, SettingError
from runtime.measure.fresh_process import rss_bytes
from runtime.settings import Settings
from runtime.text.symbols import MARKS, ids_of
from runtime.voice import ROWS_PER_PHONE, Voice

PHONES = (3, 60, 8, 35, 15, 90, 5, 24, 12, 48)  # of the texts of a round
SECONDS = (2, 10, 4, 8, 6)  # of sound after which utterances are stopped, turn by turn
TOKENS_PER_SECOND = 25
ROUND = 2 * len(PHONES)
CHUNKS_BEFORE_GIVING_UP = 2
WARM_UP_SHARE = 0.25
FLAT_SHARE = 0.01  # of the memory after warm-up: what 100 utterances may add
Report = dict[str, Any]


@dataclass(frozen=True)
class Utterance:
    """One thing to say.

    Attributes:
        text: phones with spaces between.
        seconds: of sound, after which it is stopped.
        seed: of its noise.
        streamed: in chunks, or whole.
        given_up: whether its stream is closed early.
    """

    text: str
    seconds: int
    seed: int
    streamed: bool
    given_up: bool


def utterances(table: str, longest: int) -> Iterator[Utterance]:
    """Without end and always the same: rounds of all lengths, no text twice.

    Args:
        table: of symbols.
        longest: phones that a text may have.
    """
    known = [symbol for symbol in ids_of(table) if symbol.isalnum()]
    generator = np.random.default_rng(0)
    number = 0
    while True:
        for streamed in (False, True):
            for place, phones in enumerate(PHONES):
                drawn = generator.choice(known, min(phones, longest) - 1)
                yield Utterance(
                    text=" ".join([*drawn, MARKS[number % len(MARKS)]]),
                    seconds=SECONDS[(place + number // ROUND) % len(SECONDS)],
                    seed=number,
                    streamed=streamed,
                    given_up=streamed and number // ROUND % 2 == 1,
                )
                number += 1


def speak(voice: Voice, said: Utterance) -> float:
    """Say it; seconds of sound."""
    # an utterance is stopped at 50 tokens per second of the longest training example
    longest = max(1, said.seconds * TOKENS_PER_SECOND // 50)
    t2s = voice.manifest.t2s
    voice.manifest = replace(voice.manifest, t2s=replace(t2s, max_sec=longest))
    settings = Settings(as_phones=True, seed=said.seed, pause_ms=0)
    stream = (voice.stream if said.streamed else voice.sentences)(said.text, settings)
    chunks = islice(stream, CHUNKS_BEFORE_GIVING_UP if said.given_up else None)
    return sum(chunk.samples.size for chunk in chunks) / voice.rate


def judged(rss: Sequence[int]) -> Report:
    """What the resident memory after each utterance tells.

    Args:
        rss: bytes; at least two rounds.

    Returns:
        First, after warm-up, last and most, in bytes; growth per 100 utterances by least squares
        from warm-up on, what is allowed of it, and whether it is `flat`.
    """
    begin = max(ROUND, int(WARM_UP_SHARE * len(rss)))
    after = np.array(rss[begin:], np.float64)
    growth = 100 * float(np.polyfit(np.arange(after.size), after, 1)[0])
    allowed = FLAT_SHARE * rss[begin]
    return {
        "first_bytes": rss[0],
        "warm_bytes": rss[begin],
        "warm_after": begin,
        "last_bytes": rss[-1],
        "most_bytes": max(rss),
        "growth_bytes_per_100": growth,
        "allowed_bytes_per_100": allowed,
        "flat": growth <= allowed,
    }


def soak(voice: Voice, count: int) -> Report:
    """Speak so many utterances, and tell what that did to the memory of this process.

    Raises:
        SettingError: fewer than two rounds.
        MachineError: this system does not tell how much memory a process holds.
    """
    if count < 2 * ROUND:
        raise SettingError(f"--utterances: {count} is below {2 * ROUND}, two rounds; give more")
    loaded = _resident()
    longest = max(2, voice.manifest.max_len // ROWS_PER_PHONE)
    rss, seconds = [], 0.0
    for said in islice(utterances(voice.manifest.symbols, longest), count):
        seconds += speak(voice, said)
        rss.append(_resident())
    memory = {"loaded_bytes": loaded} | judged(rss)
    return {"utterances": count, "sound_s": seconds, "memory": memory, "rss_bytes": rss}


def _resident() -> int:
    found = rss_bytes("VmRSS")
    if found is None:
        raise MachineError("soak: this system does not tell a process's memory; soak on Linux")
    return found
