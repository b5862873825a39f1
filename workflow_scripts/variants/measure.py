"""Run a graph on recorded inputs in ONNX Runtime on the CPU, and pair its answers with the record.

Knows nothing of bars: what a distance means is decided elsewhere.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as failures

from runtime.errors import GraphError
from workflow_scripts.graphs.answers import Answer
from workflow_scripts.variants.distance import relative_rms
from workflow_scripts.variants.int8_cache import scales_of, to_integers

Array = NDArray[Any]

FAILURES = (
    failures.Fail,
    failures.InvalidArgument,
    failures.InvalidGraph,
    failures.InvalidProtobuf,
    failures.NoSuchFile,
    failures.NotImplemented,
    failures.RuntimeException,
)
QUIET = 3  # errors only


class Running:
    """A graph that can be called with a recorded case."""

    def __init__(self, model: Path | bytes, name: str) -> None:
        """Load it.

        Args:
            model: an ONNX file, or its bytes.
            name: the graph's name, for messages.

        Raises:
            GraphError: ONNX Runtime can't load it.
        """
        options = onnxruntime.SessionOptions()
        options.log_severity_level = QUIET
        source = str(model) if isinstance(model, Path) else model
        self.name = name
        try:
            self.session = onnxruntime.InferenceSession(
                source, options, providers=["CPUExecutionProvider"]
            )
        except FAILURES as error:
            raise GraphError(f"{name}: ONNX Runtime can't load it: {error}") from error
        integers = any(entry.type == "tensor(int8)" for entry in self.session.get_inputs())
        self._scales = scales_of(_structure(model)) if integers else {}

    def __call__(self, case: Answer) -> dict[str, Array]:
        """Every output; float16 and an int8 cache come back as float32.

        Raises:
            GraphError: the case has other inputs than the graph, or the call failed.
        """
        wanted = {entry.name: entry.type for entry in self.session.get_inputs()}
        if set(wanted) != set(case.inputs):
            odd = ", ".join(sorted(set(wanted) ^ set(case.inputs)))
            raise GraphError(
                f"{self.name}: graph and recorded inputs differ in {odd}; export again"
            )
        feeds = {
            name: self._as_type(name, array, wanted[name]) for name, array in case.inputs.items()
        }
        try:
            found = self.session.run(None, feeds)
        except FAILURES as error:
            raise GraphError(f"{self.name}: ONNX Runtime can't run it: {error}") from error
        names = [entry.name for entry in self.session.get_outputs()]
        return {name: self._widened(name, array) for name, array in zip(names, found, strict=True)}

    def _as_type(self, name: str, array: Array, kind: str) -> Array:
        if kind == "tensor(int8)":
            return to_integers(array, self._scales[name.removeprefix("past_")])
        with np.errstate(over="ignore"):  # becomes infinite, and shows in the answer
            return array.astype(np.float16) if kind == "tensor(float16)" else array

    def _widened(self, name: str, array: Array) -> Array:
        if array.dtype == np.int8:
            return array * self._scales[name.removeprefix("present_")]
        return array.astype(np.float32) if array.dtype == np.float16 else array


def pairs(running: Running, case: Answer) -> Iterator[tuple[str, Array, Array]]:
    """Each recorded output with what the graph answers and what PyTorch answered.

    Rows of a KV cache behind the cached ones may hold anything and are left out. Where both are the
    same infinity (a mask), both become 0.

    Yields:
        Name, found, wanted; of one shape.

    Raises:
        GraphError: an output is missing or of another shape, or the call failed.
    """
    found = running(case)
    for name, wanted in case.outputs.items():
        if name not in found:
            raise GraphError(f"{running.name}: output '{name}' is missing; export again")
        here = found[name]
        if here.shape != wanted.shape:
            raise GraphError(
                f"{running.name}: output '{name}' is {list(here.shape)}, PyTorch answered "
                f"{list(wanted.shape)}; export again"
            )
        if name.startswith("present_"):
            cached = case.inputs["bias"].shape[-1]
            here, wanted = here[:, :, :cached], wanted[:, :, :cached]
        yield name, *_without_masks(here, wanted)


def distance(running: Running, cases: dict[str, Answer]) -> float | None:
    """The largest relative rms over all cases and outputs; None if something is not finite.

    Of integers, the share that differs counts on top of 1: tokens are right or wrong.
    """
    worst = 0.0
    for case in cases.values():
        for _, found, wanted in pairs(running, case):
            if not (np.isfinite(found).all() and np.isfinite(wanted).all()):
                return None
            if np.issubdtype(wanted.dtype, np.integer):
                wrong = float(np.mean(found != wanted)) if wanted.size else 0.0
                worst = max(worst, 1 + wrong if wrong else 0.0)
            else:
                worst = max(worst, relative_rms(found, wanted))
    return worst


def _structure(model: Path | bytes) -> onnx.ModelProto:
    if isinstance(model, Path):
        return onnx.load(model)
    return onnx.ModelProto.FromString(model)


def _without_masks(found: Array, wanted: Array) -> tuple[Array, Array]:
    same = np.isinf(wanted) & (found == wanted)
    if not same.any():
        return found, wanted
    return np.where(same, 0, found), np.where(same, 0, wanted)
