"""Measure the front end: speed on plain text and with numbers, growth, load time, peak memory.

Each language runs in a process of its own, so that nothing is warm and memory is its alone.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from runtime.cli import option, run
from runtime.text.frontend import phonemize
from runtime.text.languages import LANGUAGES, require
from runtime.text.tables import table

HEADS = ("lang", "chars/s plain", "ms/sentence with numbers", "10x longer", "load s", "peak MB")
ROW = "{:<6}{:>14}{:>26}{:>12}{:>9}{:>9}\n"
SHORT = 1000  # characters at least


@dataclass(frozen=True)
class Measure:
    """What one language takes.

    Attributes:
        lang: its code.
        chars_per_s: characters per second of text without digits and signs, warm.
        ms_per_sentence: of a sentence with numbers, dates, money and units, warm.
        growth: time for ten times 1,000 characters of both kinds over time for these; 10 is linear.
        load_s: seconds of the first sentence, less those of a warm one.
        peak_mb: peak memory of the process, MiB; None where the system does not report it.
    """

    lang: str
    chars_per_s: int
    ms_per_sentence: float
    growth: float
    load_s: float
    peak_mb: int | None


def main(argv: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m runtime.text.bench", description=__doc__, allow_abbrev=False
    )
    option(parser, "--lang", nargs="+", choices=LANGUAGES, default=[*LANGUAGES], help="languages")
    option(parser, "--repeats", type=int, default=7, help="warm runs, of which the median counts")
    option(parser, "--json", action="store_true", help="one JSON line instead of a table")
    option(parser, "--here", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    for lang in args.lang:
        require(lang)
    if args.here:
        found = measure(args.lang[0], max(args.repeats, 1))
        sys.stdout.write(json.dumps(asdict(found)) + "\n")
        return
    all_found = [apart(lang, args.repeats) for lang in args.lang]
    as_json = json.dumps([asdict(one) for one in all_found]) + "\n"
    sys.stdout.write(as_json if args.json else "".join(rows(all_found)))


def measure(lang: str, repeats: int) -> Measure:
    """Time one language in this process; the first sentence is the cold one."""
    texts = table("bench")[lang]
    plain, numbers = texts["plain"], texts["numbers"]
    cold = _seconds([plain[0]], lang)
    _seconds([*plain, *numbers], lang)  # loads what these need
    in_plain = _median(plain, lang, repeats)
    in_numbers = _median(numbers, lang, repeats)
    whole = "".join([*plain, *numbers])
    short = [whole * (-(-SHORT // len(whole)))]  # whole, so that ten times it is more of the same
    long = [10 * short[0]]
    return Measure(
        lang=lang,
        chars_per_s=round(sum(map(len, plain)) / in_plain),
        ms_per_sentence=round(1000 * in_numbers / len(numbers), 2),
        growth=round(_median(long, lang, repeats) / _median(short, lang, repeats), 1),
        load_s=round(cold - _seconds([plain[0]], lang), 3),
        peak_mb=_peak_mb(),
    )


def _median(texts: list[str], lang: str, repeats: int) -> float:
    return statistics.median(_seconds(texts, lang) for _ in range(repeats))


def _seconds(texts: list[str], lang: str) -> float:
    start = time.perf_counter()
    for text in texts:
        phonemize(text, lang)
    return time.perf_counter() - start


def apart(lang: str, repeats: int) -> Measure:
    """The measure of one language, from a process of its own."""
    command = [sys.executable, "-m", "runtime.text.bench", "--here", "--lang", lang]
    done = subprocess.run(
        [*command, "--repeats", str(repeats)], capture_output=True, text=True, check=True
    )
    return Measure(**json.loads(done.stdout.splitlines()[-1]))


def rows(found: list[Measure]) -> Iterator[str]:
    """Lines of the table."""
    yield ROW.format(*HEADS)
    for one in found:
        yield ROW.format(*("-" if value is None else value for value in asdict(one).values()))


def _peak_mb() -> int | None:
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20


if __name__ == "__main__":
    run(main)
