"""Measure the front end: characters per second, cold load time and peak memory per language.

Each language runs in a process of its own, so that nothing is warm and memory is its alone.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from runtime.cli import option, run
from runtime.text.frontend import phonemize
from runtime.text.languages import LANGUAGES, require
from runtime.text.tables import table

Measure = dict[str, float | int | str | None]

ROW = "{:<5}{:>12}{:>14}{:>12}\n"


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
        sys.stdout.write(json.dumps(measure(args.lang[0], max(args.repeats, 1))) + "\n")
        return
    found = [apart(lang, args.repeats) for lang in args.lang]
    sys.stdout.write(json.dumps(found) + "\n" if args.json else "".join(rows(found)))


def measure(lang: str, repeats: int) -> Measure:
    """Time one language in this process; the first run is the cold one.

    Returns:
        `chars_per_s` of the median warm run, `load_s` of the first run less a warm one,
        `peak_mb` of the process, None where the system does not tell.
    """
    text = table("bench")[lang]
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        phonemize(text, lang)
        times.append(time.perf_counter() - start)
    warm = statistics.median(times[1:])
    return {
        "lang": lang,
        "chars_per_s": round(len(text) / warm),
        "load_s": round(times[0] - warm, 3),
        "peak_mb": _peak_mb(),
    }


def apart(lang: str, repeats: int) -> Any:
    """The measure of one language, from a process of its own."""
    command = [sys.executable, "-m", "runtime.text.bench", "--here", "--lang", lang]
    done = subprocess.run(
        [*command, "--repeats", str(repeats)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def rows(found: list[Measure]) -> Iterator[str]:
    """Lines of the table."""
    yield ROW.format("lang", "chars/s", "cold load s", "peak MB")
    for one in found:
        peak = "-" if one["peak_mb"] is None else f"{one['peak_mb']}"
        yield ROW.format(one["lang"], one["chars_per_s"], one["load_s"], peak)


def _peak_mb() -> int | None:
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20


if __name__ == "__main__":
    run(main)
