"""Measure a voice on a GPU: right answers first, then times, memory and what crosses the bus.

One command on a bare machine with a GPU, torch's CUDA libraries and onnxruntime-gpu. The most
telling rows come first, each is printed and written as soon as it is there, and no row is begun
that would not end within --minutes. Each has a state: measured, missed (a bar), or not measured
(why); the last is never a pass. PyTorch does the same steps on the same card. `--device cpu` does
it all on a CPU stand-in where there is no GPU.
"""

import argparse
import sys
from pathlib import Path

import torch

from runtime import records
from runtime.backends.sessions import preload
from runtime.cli import option, run
from runtime.errors import ProofError
from runtime.files import write_whole
from runtime.processor import cores
from workflow_scripts.engines.arithmetic import ARITHMETICS
from workflow_scripts.proof.gpu.measure import Measurement, measured
from workflow_scripts.proof.gpu.plan import PARTS, Entry, Wanted, listed
from workflow_scripts.proof.gpu.reports import GpuReport, Outcome
from workflow_scripts.proof.gpu.table import line, missed, table
from workflow_scripts.proof.gpu.trials import GpuJob


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workflow_scripts.proof.gpu", description=__doc__, allow_abbrev=False
    )
    option(
        parser,
        "-m",
        "--voice",
        type=Path,
        required=True,
        metavar="DIR",
        help="fp32 bundle, or exported graphs with t2s_tables.npz among them",
    )
    option(parser, "--gpt", type=Path, required=True, metavar="FILE", help="T2S checkpoint")
    option(parser, "--sovits", type=Path, required=True, metavar="FILE", help="SoVITS checkpoint")
    option(parser, "--reference", type=Path, metavar="WAV", help="example, of exported graphs")
    option(parser, "--device", choices=("cuda", "cpu"), default="cuda", help="(default: cuda)")
    option(
        parser,
        "--only",
        nargs="+",
        default=[],
        metavar="WORD",
        help=f"rows with such a word in their name: {', '.join(PARTS)}, or a part of a name",
    )
    option(
        parser,
        "--arithmetic",
        nargs="+",
        choices=ARITHMETICS,
        default=[],
        help="only rows that compute so",
    )
    option(parser, "--minutes", type=float, default=9.0, metavar="N", help="(default: 9)")
    option(parser, "--dry-run", action="store_true", help="print the rows and their minutes")
    option(parser, "--tokens", type=int, default=100, metavar="N", help="(default: 100)")
    option(parser, "--rounds", type=int, default=15, metavar="N", help="(default: 15)")
    option(parser, "--threads", type=int, default=0, metavar="N", help="(default: all cores)")
    option(parser, "--json", type=Path, metavar="FILE", help="write the report there")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Measure, print, write, and fail where a bar is missed."""
    args = _parser().parse_args(argv)
    files = (args.voice, args.gpt, args.sovits)
    job = GpuJob(*files, args.device, args.tokens, args.rounds, args.threads, args.reference)
    wanted = Wanted(tuple(args.only), tuple(args.arithmetic), args.minutes)
    if args.dry_run:
        sys.stdout.write(listed(wanted, wanted.chosen(Measurement.of(job).planned())))
        return
    if job.device == "cuda":
        preload()
    torch.set_num_threads(job.threads or cores())

    def flush(report: GpuReport, entry: Entry, found: Outcome) -> None:
        sys.stdout.write(f"{line(entry.part, entry.name, found)}\n")
        sys.stdout.flush()
        if args.json is not None:
            write_whole(args.json, records.text(report))

    report = measured(job, wanted, flush)
    sys.stdout.write(f"\n{table(report)}")
    if over := missed(report):
        raise ProofError(f"{job.voice} on {job.device}: over a bar: {', '.join(over)}")


if __name__ == "__main__":
    run(main)
