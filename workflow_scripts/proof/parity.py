"""Measure how far a graph is from PyTorch's recorded answers, in ONNX Runtime on the CPU.

Measuring is not judging: it writes numbers and succeeds whatever they are.
"""

import argparse
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime import records
from runtime.cli import run
from workflow_scripts.files import atomic
from workflow_scripts.graphs import answers
from workflow_scripts.proof.measured import Case, Measured
from workflow_scripts.proof.metrics import METRICS
from workflow_scripts.variants.measure import Running, pairs

Found = dict[str, float | None]


def parity(graph: Path, name: str, cases: dict[str, answers.Answer]) -> Measured:
    """Run every recorded case and measure each output.

    Args:
        graph: ONNX file of any precision.
        name: its name in the contract.
        cases: recorded answers.

    Returns:
        Metrics of each case and over all. A key is `{output}_{metric}`; over all cases a tensor
        that each layer has (`present_keys.3`) counts under its name without the layer. None is
        what can't be measured, since NaN or infinity came out.

    Raises:
        GraphError: the graph can't be run, or has other inputs, outputs or shapes than the record.
    """
    running = Running(graph, name)
    measured: list[Case] = []
    collected: dict[tuple[str, str], list[float | None]] = {}
    for label, case in cases.items():
        values: Found = {}
        finite = True
        for output, found, wanted in pairs(running, case):
            here = _measured(output, found, wanted)
            finite = finite and bool(np.isfinite(found).all())
            for metric, value in here.items():
                values[f"{output}_{metric}"] = value
                collected.setdefault((without_layer(output), metric), []).append(value)
        measured.append(Case(label, values, finite))
    together = {
        f"{output}_{metric}": _together(metric, values)
        for (output, metric), values in collected.items()
    }
    return Measured(name, together, tuple(measured), all(case.finite for case in measured))


def without_layer(output: str) -> str:
    """Name of an output without the number of its layer."""
    return re.sub(r"\.\d+$", "", output)


def _measured(output: str, found: NDArray[Any], wanted: NDArray[Any]) -> Found:
    """Each metric that fits, by name; None where something is not finite."""
    usable = bool(np.isfinite(found).all() and np.isfinite(wanted).all())
    fitting = {
        name: metric
        for name, metric in METRICS.items()
        if metric.fits(without_layer(output), wanted)
    }
    if not usable:
        return dict.fromkeys(fitting)
    values = {name: metric.measure(found, wanted) for name, metric in fitting.items()}
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _together(metric: str, values: list[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return METRICS[metric].together(numbers) if len(numbers) == len(values) else None


def main(argv: list[str] | None = None) -> None:
    """Read the command line, measure, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("graph", type=Path, metavar="GRAPH", help="ONNX file")
    add("--name", required=True, help="the graph's name in the contract")
    add("--answers", type=Path, required=True, metavar="NPZ", help="recorded answers")
    add("--output", type=Path, required=True, metavar="JSON", help="file to write")
    args = parser.parse_args(argv)
    found = parity(args.graph, args.name, answers.load(args.answers))
    with atomic(args.output) as (output,):
        output.write_text(records.text(found), "utf-8")


if __name__ == "__main__":
    run(main)
