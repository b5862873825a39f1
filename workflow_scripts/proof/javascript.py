"""The program in examples/js beside the Python runtime: load, first sound, speed, memory.

Both speak the same phones with the same seed, each in fresh processes, in turns.
Their tokens have to be equal.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from runtime import records
from runtime.cli import option, run
from runtime.errors import BackendMissing, ProofError
from runtime.files import write_whole
from runtime.measure.fresh_process import rss_bytes
from runtime.processor import is_busy, load_average, processor
from runtime.text import parse_phones
from runtime.text.phonemes import as_json
from runtime.voice import Voice

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "examples/js/speak.js"
PHONES = (
    "IH1 T R EY1 N D IH0 N N OW0 V EH1 M B ER0 , AH0 N D DH AH0 S M AO1 L B ER1 D Z S AE1 NG"
    " IH0 N DH AH0 G AA1 R D AH0 N ."
)
SEED = 7


@dataclass(frozen=True)
class Spoken:
    """What one process cost.

    Attributes:
        load_ms: until the voice can speak.
        first_ms: from then to the first chunk of the stream.
        rtf: time of the whole stream over its length.
        memory_mb: resident memory at most, in MiB.
    """

    load_ms: float
    first_ms: float
    rtf: float
    memory_mb: float


@dataclass(frozen=True)
class JavaScriptReport:
    """Medians of both programs, by precision of the bundle.

    Attributes:
        processor, threads, rounds, date: where, how, when.
        node: its version.
        busy: whether something else took part, by the load before the first process.
        sides: `PRECISION, PROGRAM` → medians.
    """

    processor: str
    threads: int
    rounds: int
    date: str
    node: str
    busy: bool | None
    sides: Mapping[str, Spoken]


def child(folder: Path, pack: Path, threads: int) -> None:
    """Speak in this process and print what speak.js prints."""
    from runtime.reference import pack as packs

    begin = time.perf_counter()
    with Voice.load(folder, provider="cpu", threads=threads) as voice:
        reference = packs.load(pack)[packs.DEFAULT]
        loaded, first, samples, tokens = time.perf_counter(), 0.0, 0, []
        for chunk in voice.stream(PHONES, as_phones=True, seed=SEED, reference=reference):
            first = first or time.perf_counter() - loaded
            samples += chunk.samples.size
            tokens.append(chunk.tokens.tolist())
        took, rate = time.perf_counter() - loaded, voice.rate
    spoken = {
        "tokens": tokens,
        "load_ms": 1e3 * (loaded - begin),
        "first_ms": 1e3 * first,
        "rtf": took * rate / samples,
        "memory_mb": (rss_bytes("VmHWM") or 0) / 2**20,
    }
    sys.stdout.write(json.dumps(spoken) + "\n")


def compared(folders: Sequence[Path], threads: int, rounds: int) -> JavaScriptReport:
    """Run both programs in turns.

    Raises:
        BackendMissing: there is no node.
        ProofError: a process fails, or tokens differ.
    """
    node = shutil.which("node")
    if node is None:
        raise BackendMissing("node: not installed; install Node 20 or newer, then make js")
    busy, sides = is_busy(load_average()), dict[str, Spoken]()
    for folder in folders:
        precision = json.loads((folder / "manifest.json").read_text("utf-8"))["precision"]
        for name, found in _of_bundle(folder, node, threads, rounds).items():
            sides[f"{precision}, {name}"] = _median(found)
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    date = datetime.now(UTC).date().isoformat()
    return JavaScriptReport(processor(), threads, rounds, date, version.stdout.strip(), busy, sides)


def _of_bundle(
    folder: Path, node: str, threads: int, rounds: int
) -> dict[str, list[Mapping[str, float]]]:
    with tempfile.TemporaryDirectory() as scratch:
        pack, phones = Path(scratch) / "styles.zip", Path(scratch) / "phones.json"
        _run([sys.executable, "-m", "runtime.pack", "-m", f"{folder}", "-o", f"{pack}"])
        phones.write_text(json.dumps(as_json(parse_phones(PHONES, "v2"))), "utf-8")
        given = ["-m", f"{folder}", "--pack", f"{pack}", "--threads", f"{threads}"]
        output = f"{Path(scratch) / 'out.wav'}"
        settings = ["-p", f"{phones}", "-f", output, "--seed", f"{SEED}", "--stream", "--json"]
        commands = {
            "Python": [
                sys.executable,
                "-m",
                "workflow_scripts.proof.javascript",
                *given,
                "--child",
            ],
            "Node": [node, f"{PROGRAM}", *given, *settings],
        }
        found: dict[str, list[Mapping[str, float]]] = {name: [] for name in commands}
        for _ in range(rounds):
            tokens = []
            for name, command in commands.items():
                spoken = json.loads(_run(command))
                tokens.append(spoken.pop("tokens"))
                found[name].append(spoken)
            if tokens[0] != tokens[1]:
                raise ProofError(f"{folder}: Python and JavaScript spoke other tokens; report it")
    return found


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ProofError(f"{' '.join(command[:3])} …: exit {done.returncode}: {last}")
    return done.stdout


def _median(found: Sequence[Mapping[str, float]]) -> Spoken:
    names = Spoken.__dataclass_fields__
    return Spoken(**{name: statistics.median(one[name] for one in found) for name in names})


def lines(report: JavaScriptReport) -> Iterator[str]:
    """A line for each side, for people."""
    for name, found in report.sides.items():
        yield (
            f"{name}: load {found.load_ms:.0f} ms, first sound {found.first_ms:.0f} ms, real-time"
            f" factor {found.rtf:.3f}, memory {found.memory_mb:.0f} MiB"
        )


def main(argv: list[str] | None = None) -> None:
    """Compare, print, write."""
    parser = argparse.ArgumentParser(
        prog="python -m workflow_scripts.proof.javascript",
        description=__doc__,
        allow_abbrev=False,
    )
    option(
        parser, "-m", "--voice", type=Path, nargs="+", required=True, metavar="DIR", help="bundles"
    )
    option(parser, "--threads", type=int, default=0, metavar="N", help="of each graph; 0 is all")
    option(parser, "--rounds", type=int, default=5, metavar="N", help="processes of each side")
    option(parser, "--json", type=Path, metavar="FILE", help="where to write the figures")
    option(parser, "--pack", type=Path, metavar="FILE", help=argparse.SUPPRESS)
    option(parser, "--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.child:
        child(args.voice[0], args.pack, args.threads)
        return
    report = compared(args.voice, args.threads, args.rounds)
    sys.stdout.writelines(f"{line}\n" for line in lines(report))
    if args.json:
        write_whole(args.json, records.text(report))


if __name__ == "__main__":
    run(main)
