"""Compare an engine's answers with the CPU's on the machine that it was built for.

A graph runs its recorded cases; the decode loop recorded prompts with given tokens, and then tokens
of its own, which the CPU's sampler must draw of its logits too. What was found stands in a file
beside the engine, with the driver: another driver asks for another comparison, not for another
engine. Measuring is not judging: a miss is written down, and the runtime and the report heed it.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from runtime import noise
from runtime.arrays import Logits, Tokens
from runtime.backends import Arrays, GraphRunner, Loop, Threads
from runtime.backends.cpu import open_graph
from runtime.backends.device import Device
from runtime.backends.engine_files import VERIFICATION_FORMAT, EngineFile, read
from runtime.backends.engine_load import Loaded, load
from runtime.backends.engine_run import PREFILL, EngineGraph, EngineLoop
from runtime.backends.engines import gpu, imported
from runtime.backends.ort_loop import OrtLoop
from runtime.backends.sessions import STAND_IN
from runtime.backends.steps import DeviceSteps
from runtime.cli import option, run
from runtime.contract import BLOCK_TOKENS
from runtime.errors import EngineMismatch, GraphError
from runtime.machine import MachineRecord, machine_record, require_gpu
from runtime.t2s.device_loop import LoopDecoder
from runtime.t2s.request import Finish, Limits, Prompt, forced_logits, sampled
from runtime.t2s.sampler import Sampling
from workflow_scripts.engines.arithmetic import ARITHMETICS, Arithmetic
from workflow_scripts.engines.build import LOOP, content_digest
from workflow_scripts.engines.loop import EVERYWHERE, loop_graph
from workflow_scripts.files import atomic, write_json
from workflow_scripts.graphs import answers
from workflow_scripts.variants.distance import relative_rms
from workflow_scripts.variants.precisions import PRECISIONS

TOKENS = 2 * BLOCK_TOKENS  # of the loop, given and own
SAMPLED = "sampled tokens"
WORST_SAMPLED = 0.05  # share of tokens that the CPU draws otherwise of the same logits

Distances = dict[str, float]
Cases = Mapping[str, answers.Answer]


@dataclass(frozen=True)
class Evidence:
    """What an engine is compared on.

    Attributes:
        source: ONNX file that it was built of.
        cases: recorded inputs, by name.
        tables: t2s_tables.npz, for the loop.
    """

    source: Path
    cases: Cases
    tables: Path | None = None


@dataclass(frozen=True)
class Found:
    """What a comparison gave.

    Attributes:
        cases: how many were run.
        distances: output to its worst relative rms, or share of other whole numbers.
        eager_because: of a loop, why its steps are not replayed as a CUDA graph; empty if they are.
    """

    cases: int
    distances: Distances
    eager_because: str = ""


def verified(loaded: Loaded, device: Device, evidence: Evidence) -> dict[str, Any]:
    """Run an engine and the CPU on the same inputs.

    Args:
        loaded: the engine.
        device: where it runs.
        evidence: what it is compared on.

    Returns:
        What belongs into the file beside the engine; `missed` names each output over its bar.

    Raises:
        EngineMismatch: the engine is not of this source.
        GraphError: no case fits into its profiles.
    """
    file = loaded.file
    if file.facts["build"]["onnx_sha256"] != content_digest(evidence.source):
        raise EngineMismatch(f"{file.path}: not built of {evidence.source}; build it again")
    compare = _of_loop if file.facts["graph"] == LOOP else _of_graph
    found = compare(loaded, device, evidence)
    return {
        "format": VERIFICATION_FORMAT,
        "graph": file.facts["graph"],
        "engine_sha256": file.facts["engine"]["sha256"],
        "cases": found.cases,
        "distances": {
            name: value if np.isfinite(value) else None for name, value in found.distances.items()
        },
        "eager_because": found.eager_because,
        "missed": missed(found.distances, arithmetic_of(file)),
    }


def arithmetic_of(file: EngineFile) -> Arithmetic:
    """What an engine computes in, and with it its bars."""
    build = file.facts["build"]
    computed_in: str = build["arithmetic"]
    return ARITHMETICS.get(computed_in, ARITHMETICS[PRECISIONS[build["precision"]].arithmetic])


def missed(distances: Distances, row: Arithmetic) -> list[str]:
    """A phrase for each output that is over its bar; NaN is over every bar."""
    bars = dict.fromkeys(distances, row.worst_rms) | {SAMPLED: WORST_SAMPLED}
    return [
        f"{name} {value:.2g} from the CPU's, bar {bars[name]:.2g}"
        for name, value in distances.items()
        if not value <= bars[name]
    ]


def _of_graph(loaded: Loaded, device: Device, evidence: Evidence) -> Found:
    engine: GraphRunner = EngineGraph(loaded, device)
    exact: GraphRunner = open_graph(evidence.source, Threads())
    names = [tensor["name"] for tensor in loaded.file.io_tensors if tensor["mode"] == "output"]
    worst: Distances = {}
    fitting = [case.inputs for case in evidence.cases.values() if _fits(loaded.file, case.inputs)]
    for inputs in fitting:
        for name, here, there in zip(names, engine.run(inputs), exact.run(inputs), strict=True):
            worst[name] = max(worst.get(name, 0.0), _distance(here, there), key=_nan_last)
    if not fitting:
        raise GraphError(f"{loaded.where}: none of its recorded cases fits into its profiles")
    return Found(len(fitting), worst)


def _nan_last(distance: float) -> float:
    return np.inf if np.isnan(distance) else distance


def _distance(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    if np.issubdtype(wanted.dtype, np.integer):
        return float(np.mean(found != wanted)) if found.shape == wanted.shape else 1.0
    return relative_rms(found, wanted)


def _fits(file: EngineFile, inputs: Arrays) -> bool:
    """Whether some profile of the engine holds inputs of these lengths."""
    profiles = file.facts["build"]["profiles"].values()
    return not profiles or any(
        all(
            low <= size <= high
            for name, ends in profile.items()
            for low, size, high in zip(ends["min"], inputs[name].shape, ends["max"], strict=True)
        )
        for profile in profiles
    )


class _Given:
    """In place of `t2s_embed`: rows and bias of a recorded case.

    Attributes:
        case: the one that is decoded next.
    """

    case: answers.Answer

    def run(self, inputs: Arrays) -> list[NDArray[Any]]:
        """The record, whatever is asked."""
        return [self.case.inputs["rows"], self.case.inputs["bias"]]

    def input_dim(self, name: str, axis: int) -> int:
        """Nothing here is static."""
        raise NotImplementedError


class _Spoken:
    """A loop that decodes recorded prompts."""

    def __init__(self, loop: Loop) -> None:
        self._given, self._loop = _Given(), _Watched(loop)
        self._decoder = LoopDecoder(self._given, self._loop)

    def logits(self, case: answers.Answer) -> Logits:
        """Before given tokens, float32 [T, V]."""
        given = np.random.default_rng(0).integers(0, self._loop.vocabulary - 1, TOKENS)
        return self._before(case, given)

    def oddly_sampled(self, case: answers.Answer) -> float:
        """Share of the loop's own tokens that the CPU's sampler does not draw of its logits."""
        chooser = sampled(Sampling(), partial(noise.exponentials, 0, 0))
        limits = Limits(early_stop_tokens=TOKENS - 1, max_len=self._loop.capacity)
        self._given.case = case
        own = np.array([*self._decoder.tokens(_prompt(case), chooser, limits, Finish())], np.int64)
        used, odd = np.zeros(self._loop.vocabulary, np.bool_), 0
        for step, row in enumerate(self._before(case, own)):
            odd += chooser(row, used, step) != own[step]
            used[own[step]] = True
        return odd / own.size

    def _before(self, case: answers.Answer, tokens: Tokens) -> Logits:
        self._given.case = case
        return forced_logits(self._decoder, _prompt(case), tokens, self._loop.capacity)

    @property
    def eager_because(self) -> str:
        """Why steps are not replayed as a CUDA graph; empty if they are."""
        return self._loop.last.eager_because if self._loop.last else ""


class _Watched:
    """A loop that keeps its last steps."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.capacity, self.vocabulary = loop.capacity, loop.vocabulary
        self.last: DeviceSteps | None = None

    def steps(self) -> DeviceSteps:
        """Buffers for one more utterance."""
        self.last = self._loop.steps()
        return self.last


def _prompt(case: answers.Answer) -> Prompt:
    """So long as the recorded rows; what is in it is recorded too."""
    rows = case.inputs["rows"].shape[0]
    nothing = np.zeros(0, np.int64)
    return Prompt(np.zeros(rows, np.int64), np.zeros((1, rows), np.float32), nothing)


def _of_loop(loaded: Loaded, device: Device, evidence: Evidence) -> Found:
    loop = EngineLoop(loaded, device)
    fitting = [*_prompts(loaded.file, evidence.cases, loop.capacity)]
    if not fitting:
        raise GraphError(f"{loaded.where}: none of its recorded prompts fits into its cache")
    engine, worst = _Spoken(loop), {"logits": 0.0, SAMPLED: 0.0}
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        path = _loop_for_cpu(evidence, loop.capacity, Path(folder))
        exact = _Spoken(OrtLoop(path, Threads(), STAND_IN))
        for case in fitting:
            distance = relative_rms(engine.logits(case), exact.logits(case))
            found = {"logits": distance, SAMPLED: engine.oddly_sampled(case)}
            worst = {name: max(worst[name], found[name], key=_nan_last) for name in worst}
    return Found(len(fitting), worst, engine.eager_because)


def _prompts(file: EngineFile, cases: Cases, capacity: int) -> Iterator[answers.Answer]:
    most = file.facts["build"]["profiles"][PREFILL].get("rows", {}).get("max", [capacity])[0]
    for name, case in cases.items():
        rows = case.inputs["rows"].shape[0]
        if name.startswith(PREFILL) and rows <= most and rows + TOKENS < capacity:
            yield case


def _loop_for_cpu(evidence: Evidence, max_len: int, folder: Path) -> Path:
    """The same decoder as a loop for ONNX Runtime, at fp32."""
    if evidence.tables is None:
        raise GraphError(f"{evidence.source.name}: {LOOP} needs t2s_tables.npz; give --tables")
    with np.load(evidence.tables, allow_pickle=False) as stored:
        tables = dict(stored)
    path = folder / f"{LOOP}.onnx"
    onnx.save(loop_graph(onnx.load(evidence.source), tables, max_len, EVERYWHERE), path)
    return path


def on_this_machine(file: EngineFile, evidence: Evidence) -> dict[str, Any]:
    """Load an engine on the GPU of this machine and compare it.

    Raises:
        BackendMissing: there is no GPU, driver or library here.
        EngineMismatch: the engine is not for this machine, or not the one of its sidecar.
    """
    library = str(file.machine.hard.get("trt_flavour"))
    here = machine_record(library)
    require_gpu(here, "verify")
    found = verified(load(imported(library), file, here), gpu(), evidence)
    return found | facts_of(here)


def facts_of(here: MachineRecord) -> dict[str, Any]:
    """Where and when it was compared."""
    return {
        "gpu": here.gpu_name,
        "machine": here.id,
        "soft": dict(here.soft),
        "compared": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def main(argv: list[str] | None = None) -> None:
    """Compare what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("engine", type=Path, help="engine, with its sidecar beside it")
    option(parser, "--source", type=Path, required=True, metavar="ONNX", help="what it is built of")
    option(parser, "--answers", type=Path, required=True, metavar="NPZ", help="recorded cases")
    option(parser, "--tables", type=Path, metavar="NPZ", help=f"t2s_tables.npz, for {LOOP}")
    option(parser, "--output", type=Path, required=True, metavar="JSON", help="file to write")
    args = parser.parse_args(argv)
    evidence = Evidence(args.source, answers.load(args.answers), args.tables)
    found = on_this_machine(read(args.engine), evidence)
    with atomic(args.output) as (part,):
        write_json(part, found)


if __name__ == "__main__":
    run(main)
