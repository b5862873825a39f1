"""What a voice costs a fresh process: time to load, time to the first sound, memory.

The child is this module or another that prints the same line: a JSON object as soon as the first
sound is there. The parent's clock begins before Python starts. Files may be in the system's cache.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runtime import records
from runtime.cli import option, run
from runtime.errors import MachineError

if TYPE_CHECKING:
    from runtime.measure.reports import FreshProcess

STATUS = Path("/proc/self/status")


def rss_bytes(kind: str) -> int | None:
    """Resident memory of this process: `VmRSS` now, `VmHWM` at most; None if not known."""
    if not STATUS.exists():
        return None
    for line in STATUS.read_text("utf-8").splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1]) * 1024
    return None


def measured(command: Sequence[str]) -> "FreshProcess":
    """Run a child to its first sound.

    Returns:
        What the child printed, and the time from before its start to its first sound.

    Raises:
        MachineError: it failed; its last line is in the message.
    """
    from runtime.measure.reports import FreshProcess  # late: a child of this module loads less

    begin = time.perf_counter()
    with subprocess.Popen(
        [*command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        seconds = time.perf_counter() - begin
        _, messages = child.communicate()
    if child.returncode or not line:
        last = (messages.strip().splitlines() or ["no message"])[-1]
        raise MachineError(f"{' '.join(command)}: exit {child.returncode}: {last}")
    found = json.loads(line) | {"ttfa_cold_s": seconds}
    return records.parse(FreshProcess, found, " ".join(command), MachineError)


def command(folder: Path, provider: str, threads: int) -> list[str]:
    """The command line that measures a bundle."""
    module = [sys.executable, "-m", "runtime.measure.fresh_process", "-m", str(folder)]
    return [*module, "--provider", provider, "--threads", str(threads)]


def report(load_s: float, loaded_bytes: int | None) -> None:
    """Print the child's line, once the first sound is there."""
    found = {"load_s": load_s, "rss_loaded_bytes": loaded_bytes, "rss_bytes": rss_bytes("VmRSS")}
    sys.stdout.write(json.dumps({**found, "rss_peak_bytes": rss_bytes("VmHWM")}) + "\n")
    sys.stdout.flush()


def main(argv: list[str] | None = None) -> None:
    """Load a voice and its models for replays, sound once, report."""
    parser = argparse.ArgumentParser(
        prog="python -m runtime.measure.fresh_process", description=__doc__, allow_abbrev=False
    )
    option(parser, "-m", "--voice", type=Path, required=True, metavar="DIR", help="bundle folder")
    option(parser, "--provider", default="auto", metavar="NAME", help="as for runtime.tts")
    option(parser, "--threads", type=int, default=0, metavar="N", help="of each graph")
    args = parser.parse_args(argv)
    begin = time.perf_counter()
    # imported here: it is part of what a load costs
    from runtime import manifest as manifests
    from runtime.backends.choices import choose
    from runtime.graphs import VoiceGraphs
    from runtime.measure.workload import FIRST_TOKENS, Replay, Speaker

    manifest = manifests.load(args.voice)
    choice = choose(args.provider, manifest)
    manifests.verify(args.voice, manifest)
    graphs = VoiceGraphs.of_bundle(args.voice, manifest, choice, args.threads)
    speaker = Speaker(graphs, Replay.of(FIRST_TOKENS))
    load_s, loaded = time.perf_counter() - begin, rss_bytes("VmRSS")
    speaker.first_sound()
    report(load_s, loaded)


if __name__ == "__main__":
    run(main)
