"""Time built voices beside the PyTorch that they replace, interleaved in one process."""

import argparse
import sys
from functools import partial
from pathlib import Path

import torch

from runtime import bench
from runtime.cli import log_to_stderr, run
from runtime.measure import benchmark
from runtime.measure.candidates import Candidate
from runtime.measure.reports import Facts
from workflow_scripts.checkpoint.acoustic_sources import add_sources, sources_of
from workflow_scripts.proof.speed.pytorch import load

PYTORCH = "PyTorch, cache grown by copying"


def candidate(args: argparse.Namespace) -> Candidate:
    """PyTorch, to be timed beside bundles."""
    given = {name: getattr(args, name) for name in ("gpt", "sovits", "base", "vocoder")}
    files = [word for name, at in given.items() if at for word in (f"--{name}", str(at))]
    module = (sys.executable, "-m", "workflow_scripts.proof.speed.fresh_process", *files)
    size = sum(files_bytes(at) for at in given.values() if at)
    return Candidate(
        works=load(args.gpt, sources_of(args), bench.options_of(args).replay).works(),
        facts=Facts(torch=torch.__version__, disk_bytes=size),
        fresh=(*module, "--threads", str(args.threads)),
    )


def files_bytes(source: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = [source] if source.is_file() else [at for at in source.rglob("*") if at.is_file()]
    return sum(at.stat().st_size for at in files)


def main(argv: list[str] | None = None) -> None:
    """Parse, time, print."""
    parser = bench.parser()
    parser.prog, parser.description = "python -m workflow_scripts.proof.speed", __doc__
    add_sources(parser)
    args = parser.parse_args(argv)
    log_to_stderr()
    torch.set_num_threads(args.threads)
    others = {PYTORCH: partial(candidate, args)}
    report = benchmark.bench(args.voice, args.provider, bench.options_of(args), others)
    bench.publish(report, args.json)


if __name__ == "__main__":
    run(main)
