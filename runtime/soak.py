"""Speak on and on in one process, and report whether its memory stays flat.

A round speaks texts of ten lengths, each whole and streamed, at speeds that do not come again, so
that hardly a length of sound does; in every other round streams are given up after their second
chunk. Rounds are alike, so what the first quarter leaves behind, buffers of the longest utterance
among it, is warm-up, and what is added later would be added for ever. Without --provider each back
end that is installed speaks, in a process of its own.
"""

import argparse
import logging
import subprocess
import sys
from pathlib import Path

from runtime import manifest as manifests
from runtime import records
from runtime.backends import BACKENDS, tuned
from runtime.cli import Parser, option, run
from runtime.errors import ProofError, SettingError
from runtime.files import write_whole
from runtime.measure.memory_growth import Soak, SoakReport, soak
from runtime.voice import Voice


def line(report: Soak) -> str:
    """The report in one line."""
    memory = report.memory
    sizes = ", ".join(
        f"{size / 1e6:.1f} {words}"
        for size, words in (
            (memory.loaded_bytes, "loaded"),
            (memory.first_bytes, "after the first"),
            (memory.warm_bytes, f"after {memory.warm_after}"),
            (memory.last_bytes, "at the end"),
        )
    )
    return (
        f"{report.utterances} utterances, {report.sound_s:.0f} s of sound; resident MB:"
        f" {sizes}; {memory.growth_bytes_per_100 / 1e6:+.2f} per 100 (flat up to"
        f" {memory.allowed_bytes_per_100 / 1e6:.2f}: {'yes' if memory.flat else 'NO'})\n"
    )


def main(argv: list[str] | None = None) -> None:
    """Load, speak, report; exit with the code of a missed proof where memory is not flat."""
    parser = Parser(command="soak", description=__doc__)
    option(parser, "-m", "--voice", type=Path, required=True, metavar="DIR", help="bundle folder")
    option(
        parser, "--utterances", type=int, default=200, metavar="N", help="to speak (default: 200)"
    )
    option(
        parser,
        "--provider",
        metavar="NAME",
        help="as for runtime.tts (default: each that is installed, one after the other)",
    )
    option(
        parser, "--threads", type=int, default=0, metavar="N", help="of each graph; 0: all cores"
    )
    option(parser, "--json", type=Path, metavar="FILE", help="write the report there, - to stdout")
    args = parser.parse_args(argv)
    if args.provider is None:
        _each(args)
        return
    logging.basicConfig(level=logging.ERROR)  # that sentences are cut short is meant
    voice = Voice.load(args.voice, provider=args.provider, threads=args.threads)
    report = SoakReport(
        **vars(soak(voice, args.utterances)),
        machine=tuned.this_machine(),
        bundle=f"{args.voice}",
        manifest_sha256=manifests.digest(args.voice / manifests.NAME),
        backends=dict(voice.provider.backends) if voice.provider else {},
        threads=args.threads,
    )
    _publish(report, args.json)
    if not report.memory.flat:
        raise ProofError(f"{args.voice}: memory grows while it speaks; see growth_bytes_per_100")


def _each(args: argparse.Namespace) -> None:
    """The same for every back end that is installed; all of them, then the first that grew."""
    if args.json is not None:
        raise SettingError("--json: holds the report of one back end; give --provider as well")
    names = [name for name, row in BACKENDS.items() if not row.engines and row.missing() is None]
    grown = []
    for name in names:
        sys.stdout.write(f"{name}: ")
        sys.stdout.flush()
        command = [sys.executable, "-m", "runtime.soak", "-m", f"{args.voice}"]
        command += ["--provider", name, "--utterances", f"{args.utterances}"]
        if subprocess.run([*command, "--threads", f"{args.threads}"], check=False).returncode:
            grown.append(name)
    if grown:
        raise ProofError(f"{args.voice}: failed on {', '.join(grown)}; see above")


def _publish(report: SoakReport, to: Path | None) -> None:
    content = records.text(report)
    if to is not None and str(to) == "-":
        sys.stdout.write(content)
        return
    if to is not None:
        write_whole(to, content)
    sys.stdout.write(line(report))


if __name__ == "__main__":
    run(main)
