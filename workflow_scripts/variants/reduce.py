"""Write one fp32 graph at another precision, with a record of what was kept and why."""

import argparse
from pathlib import Path
from typing import Any

from runtime.cli import option, run
from workflow_scripts.files import atomic
from workflow_scripts.graphs import answers
from workflow_scripts.variants.job import ACTIVATIONS, AIM, ReductionJob
from workflow_scripts.variants.precisions import PRECISIONS, reduce_file


def main(argv: list[str] | None = None) -> None:
    """Read the command line and write the variant."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("source", type=Path, metavar="FP32", help="fp32 ONNX file")
    add("--graph", required=True, metavar="NAME", help="its name in the contract")
    add("--to", choices=list(PRECISIONS), required=True, help=_notes())
    add("--answers", type=Path, required=True, metavar="NPZ", help="recorded answers")
    add("--output", type=Path, required=True, metavar="ONNX", help="file to write")
    add("--record", type=Path, required=True, metavar="JSON", help="file to write")
    pattern: dict[str, Any] = {"nargs": "*", "default": [], "metavar": "NODE"}
    option(parser, "--keep-fp32", help="nodes or weights left in fp32; * is any text", **pattern)
    option(parser, "--keep-int8", help="nodes or weights with 8 bits at least", **pattern)
    add(
        "--aim",
        type=float,
        default=AIM,
        help="relative rms that fp16 must reach (default: %(default)s)",
    )
    add("--block", type=int, choices=[16, 32, 64, 128, 256], help="weights per scale")
    add(
        "--activations",
        choices=list(ACTIVATIONS),
        default="int8",
        help="what integer weights are multiplied with (default: %(default)s)",
    )
    args = parser.parse_args(argv)
    job = ReductionJob(
        args.graph,
        answers.load(args.answers),
        tuple(args.keep_fp32),
        tuple(args.keep_int8),
        args.aim,
        args.block,
        args.activations,
    )
    with atomic(args.output, args.record) as (graph, record):
        reduce_file(args.source, graph, record, to=args.to, job=job)


def _notes() -> str:
    return "; ".join(f"{name}: {precision.note}" for name, precision in PRECISIONS.items())


if __name__ == "__main__":
    run(main)
