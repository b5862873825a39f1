"""Time built voices beside the PyTorch that they replace, interleaved in one process."""

import argparse
import sys
from functools import partial
from pathlib import Path

import torch

from runtime import bench
from runtime.cli import log_to_stderr, option, run
from runtime.measure import benchmark
from runtime.measure.candidates import Candidate
from runtime.measure.reports import Facts
from workflow_scripts.proof.speed.pytorch import load

PYTORCH = "PyTorch, cache grown by copying"


def candidate(args: argparse.Namespace) -> Candidate:
    """PyTorch, to be timed beside bundles."""
    files = ("--gpt", str(args.gpt), "--sovits", str(args.sovits))
    module = (sys.executable, "-m", "workflow_scripts.proof.speed.fresh_process", *files)
    size = args.gpt.stat().st_size + args.sovits.stat().st_size
    return Candidate(
        works=load(args.gpt, args.sovits, args.tokens).works(),
        facts=Facts(torch=torch.__version__, disk_bytes=size),
        fresh=(*module, "--threads", str(args.threads)),
    )


def main(argv: list[str] | None = None) -> None:
    """Parse, time, print."""
    parser = bench.parser()
    parser.prog, parser.description = "python -m workflow_scripts.proof.speed", __doc__
    option(parser, "--gpt", type=Path, required=True, metavar="FILE", help="T2S checkpoint")
    option(parser, "--sovits", type=Path, required=True, metavar="FILE", help="SoVITS checkpoint")
    args = parser.parse_args(argv)
    log_to_stderr()
    torch.set_num_threads(args.threads)
    others = {PYTORCH: partial(candidate, args)}
    report = benchmark.bench(args.voice, args.provider, bench.job_of(args), others)
    bench.publish(report, args.json)


if __name__ == "__main__":
    run(main)
