"""Speak on and on in one process, and report whether its memory stays flat.

A round speaks texts of ten lengths, each whole and streamed, at speeds that do not come again, so
that hardly a length of sound does; in every other round streams are given up after their second
chunk. Rounds are alike, so what the first quarter leaves behind, buffers of the longest utterance
among it, is warm-up, and what is added later would be added for ever.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from runtime.backends.tuned import Machine
from runtime.errors import MachineError, SettingError
from runtime.measure.fresh_process import rss_bytes
from runtime.measure.workload import TOKENS_PER_SECOND
from runtime.preparation import ROWS_PER_PHONE
from runtime.settings import Settings
from runtime.text.symbols import MARKS, ids_of
from runtime.voice import Voice

PHONES = (3, 60, 8, 35, 15, 90, 5, 24, 12, 48)  # of the texts of a round
SECONDS = (2, 10, 4, 8, 6)  # of sound after which utterances are stopped, in rotation
SPEEDS = (0.8, 1.25)
ROUND = 2 * len(PHONES)
CHUNKS_BEFORE_GIVING_UP = 2
WARM_UP_SHARE = 0.25
FLAT_SHARE = 0.01  # of the memory after warm-up: what 100 utterances may add


@dataclass(frozen=True)
class Memory:
    """Resident memory of a process that speaks, in bytes.

    Attributes:
        loaded_bytes: before the first utterance.
        first_bytes, warm_bytes, last_bytes, most_bytes: after the first, after warm-up, after the
            last, and at most.
        warm_after: utterances of the warm-up.
        growth_bytes_per_100: per 100 utterances, by least squares from warm-up on.
        allowed_bytes_per_100: what of it counts as flat.
        flat: whether it is.
    """

    loaded_bytes: int
    first_bytes: int
    warm_bytes: int
    warm_after: int
    last_bytes: int
    most_bytes: int
    growth_bytes_per_100: float
    allowed_bytes_per_100: float
    flat: bool


@dataclass(frozen=True)
class Soak:
    """What speaking on and on did to the memory of a process.

    Attributes:
        utterances: that were spoken.
        sound_s: seconds of sound.
        memory: what it shows.
        rss_bytes: resident memory after each utterance.
    """

    utterances: int
    sound_s: float
    memory: Memory
    rss_bytes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class SoakReport(Soak):
    """The same with machine and bundle.

    Attributes:
        machine: that it ran on.
        bundle, manifest_sha256: what spoke.
        backends: graph → back end.
        threads: of each session; 0 for all cores.
    """

    machine: Machine
    bundle: str
    manifest_sha256: str
    backends: Mapping[str, str]
    threads: int


@dataclass(frozen=True)
class Utterance:
    """One thing to say.

    Attributes:
        text: phones with spaces between.
        seconds: of sound, after which it is stopped.
        seed: of its noise.
        streamed: in chunks, or whole.
        given_up: whether its stream is closed early.
        speed: drawn, so that no length of sound comes again.
    """

    text: str
    seconds: int
    seed: int
    streamed: bool
    given_up: bool
    speed: float = 1.0


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
                    speed=float(generator.uniform(*SPEEDS)),
                )
                number += 1


def speak(voice: Voice, said: Utterance) -> float:
    """Say it; seconds of sound."""
    # an utterance is stopped at 50 tokens per second of the longest training example
    longest = max(1, said.seconds * TOKENS_PER_SECOND // 50)
    voice.limits = replace(voice.limits, early_stop_tokens=50 * longest)
    settings = Settings(as_phones=True, seed=said.seed, pause_ms=0, speed=said.speed)
    stream = (voice.stream if said.streamed else voice.sentences)(said.text, settings)
    chunks = islice(stream, CHUNKS_BEFORE_GIVING_UP if said.given_up else None)
    return sum(chunk.samples.size for chunk in chunks) / voice.rate


def judged(rss: Sequence[int], loaded: int) -> Memory:
    """What the resident memory after each utterance shows.

    Args:
        rss: bytes; at least two rounds.
        loaded: bytes before the first.
    """
    begin = max(ROUND, int(WARM_UP_SHARE * len(rss)))
    after = np.array(rss[begin:], np.float64)
    growth = 100 * float(np.polyfit(np.arange(after.size), after, 1)[0])
    allowed = FLAT_SHARE * rss[begin]
    return Memory(
        loaded_bytes=loaded,
        first_bytes=rss[0],
        warm_bytes=rss[begin],
        warm_after=begin,
        last_bytes=rss[-1],
        most_bytes=max(rss),
        growth_bytes_per_100=growth,
        allowed_bytes_per_100=allowed,
        flat=growth <= allowed,
    )


def soak(voice: Voice, count: int) -> Soak:
    """Speak so many utterances, and watch the memory of this process.

    Raises:
        SettingError: fewer than two rounds.
        MachineError: this system does not report how much memory a process holds.
    """
    if count < 2 * ROUND:
        raise SettingError(f"--utterances: {count} is below {2 * ROUND}, two rounds; give more")
    loaded = _resident()
    longest = max(2, voice.manifest.max_len // ROWS_PER_PHONE)
    rss, seconds = [], 0.0
    for said in islice(utterances(voice.manifest.symbols, longest), count):
        seconds += speak(voice, said)
        rss.append(_resident())
    return Soak(count, seconds, judged(rss, loaded), tuple(rss))


def _resident() -> int:
    found = rss_bytes("VmRSS")
    if found is None:
        raise MachineError("soak: this system does not report a process's memory; soak on Linux")
    return found
