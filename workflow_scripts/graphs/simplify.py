"""Simplify one exported graph, and prove that it still answers as the raw one."""

import argparse
import importlib
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from runtime.backends import GraphRunner, Threads
from runtime.backends.cpu import open_graph
from runtime.cli import option, run
from runtime.errors import GraphError
from workflow_scripts.files import atomic, write_json
from workflow_scripts.graphs import answers
from workflow_scripts.graphs.answers import Answer
from workflow_scripts.graphs.check import check_graph, load_structure

TOLERANCE = 1e-5  # of an output's largest value, or of 1 where that is smaller
_STANDARD = ("", "ai.onnx")
_SKIPPED = [
    "fuse_attention",  # makes an operator that only ONNX Runtime knows
    "fuse_matmul_add_bias_into_gemm",  # puts a Gemm between two Reshapes for a MatMul
    "fuse_matmul_add_bias_into_gemm_batched",
]

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Record:
    """How a graph was simplified.

    Attributes:
        graph: name in the contract.
        simplified: whether the graph was changed; if not, it is the raw one.
        reason: why it was not; empty if it was.
        nodes_before: nodes of the raw graph.
        nodes_after: nodes of the written graph.
        cases: the recorded cases that both were run on.
        largest_difference: between the two, over all outputs of all cases.
    """

    graph: str
    simplified: bool
    reason: str
    nodes_before: int
    nodes_after: int
    cases: tuple[str, ...]
    largest_difference: float


def simplify_file(raw: Path, name: str, recorded: Mapping[str, Answer], output: Path) -> Record:
    """Write the simplified graph.

    Args:
        raw: exported ONNX file.
        name: its name in the contract.
        recorded: cases to run both graphs on.
        output: ONNX file to write.

    Returns:
        What was done.

    Raises:
        GraphError: a graph does not keep the contract, or the two differ.
    """
    check_graph(raw, name)
    model = onnx.load(raw)
    before = len(model.graph.node)
    model, reason = _simplified(model)
    onnx.save(model, output)
    after = len(model.graph.node)
    del model  # large bases would stand in memory three times
    check_graph(output, name)
    difference = largest_difference(raw, output, name, recorded)
    return Record(name, not reason, reason, before, after, tuple(recorded), difference)


def simplifier() -> Any:
    """The module `onnxsim`, imported without torch, which it wants for an option that we don't use.

    Loading torch would take most of the time of a job.
    """
    if "torch" in sys.modules:
        return importlib.import_module("onnxsim")
    sys.modules["torch"] = None  # type: ignore[assignment]  # an import of it then fails
    try:
        return importlib.import_module("onnxsim")
    finally:
        del sys.modules["torch"]


def _simplified(model: onnx.ModelProto) -> tuple[onnx.ModelProto, str]:
    """The simplified graph and "", or the graph as it is and the reason."""
    special = _special_operators(model)
    try:
        smaller, _ = simplifier().simplify(model, skipped_optimizers=_SKIPPED)
    except Exception as fault:  # the library names no errors of its own
        if not special:
            raise GraphError(f"{model.graph.name}: onnxsim fails: {fault}; export again") from fault
        return model, f"onnxsim does not take {', '.join(sorted(special))}"
    if new := _special_operators(smaller) - special:
        return model, f"onnxsim brings in {', '.join(sorted(new))}, which not all back ends know"
    del smaller.metadata_props[:]  # onnxsim notes its settings there, the record has the rest
    return smaller, ""


def _special_operators(model: onnx.ModelProto) -> set[str]:
    return {
        f"{node.domain}.{node.op_type}" for node in model.graph.node if node.domain not in _STANDARD
    }


def largest_difference(raw: Path, output: Path, name: str, recorded: Mapping[str, Answer]) -> float:
    """How far the answers of two graphs are apart; one is open at a time.

    Args:
        raw: graph as it was.
        output: graph to compare with it.
        name: their name in the contract.
        recorded: cases to run both on.

    Returns:
        The largest difference over all outputs of all cases.

    Raises:
        GraphError: a graph can't be run, or the difference is over TOLERANCE.
    """
    answered = [[*_answers(path, recorded)] for path in (raw, output)]
    largest = 0.0
    for case, before, after in zip(recorded, *answered, strict=True):
        for tensor, wanted in before.items():
            difference, allowed = _distance(after[tensor], wanted)
            if not difference <= allowed:  # NaN is no match either
                raise GraphError(
                    f"{output.name}: {name}: '{tensor}' differs from the raw graph's by"
                    f" {difference:.3g} in case {case}, {allowed:.3g} is allowed; don't use it"
                )
            largest = max(largest, difference)
    return largest


def _answers(path: Path, recorded: Mapping[str, Answer]) -> list[Arrays]:
    graph: GraphRunner = open_graph(path, Threads())
    declared = load_structure(path).graph
    inputs, names = ([value.name for value in side] for side in (declared.input, declared.output))
    found: list[Arrays] = []
    for label, case in recorded.items():
        if odd := {*inputs} ^ {*case.inputs} | {*case.outputs} - {*names}:
            raise GraphError(
                f"{path.name}: case {label} of the recorded answers differs from the graph in"
                f" '{min(odd)}'; export both again"
            )
        outputs = dict(zip(names, graph.run(case.inputs), strict=True))
        found.append({name: _live(name, array, case) for name, array in outputs.items()})
    return found


def _live(name: str, array: NDArray[Any], case: Answer) -> NDArray[Any]:
    """The rows of a KV cache that mean something; any other array whole."""
    return array[:, :, : case.inputs["bias"].shape[-1]] if name.startswith("present_") else array


def _distance(found: NDArray[Any], wanted: NDArray[Any]) -> tuple[float, float]:
    """Largest difference and how much is allowed."""
    if found.shape != wanted.shape:
        return float("inf"), 0.0
    if found.size == 0 or np.array_equal(found, wanted):
        return 0.0, 0.0
    if np.issubdtype(wanted.dtype, np.integer):
        return float(np.abs(found - wanted).max()), 0.0
    finite = np.where(found == wanted, 0, wanted)  # equal infinities of a mask
    difference = float(np.abs(np.where(found == wanted, 0, found) - finite).max())
    return difference, TOLERANCE * max(1.0, float(np.abs(finite).max()))


def main(argv: list[str] | None = None) -> None:
    """Simplify the graph of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("raw", type=Path, help="exported ONNX file")
    option(parser, "--graph", required=True, help="its name in the contract")
    option(parser, "--answers", type=Path, required=True, metavar="NPZ", help="recorded answers")
    option(parser, "--output", type=Path, required=True, metavar="ONNX", help="file to write")
    option(parser, "--record", type=Path, required=True, metavar="JSON", help="file to write")
    args = parser.parse_args(argv)
    with atomic(args.output, args.record) as (output, record):
        done = simplify_file(args.raw, args.graph, answers.load(args.answers), output)
        write_json(record, asdict(done))


if __name__ == "__main__":
    run(main)
