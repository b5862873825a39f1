"""Prior and vocoder of a voice in PyTorch on a device: what built ones are timed beside."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from runtime.measure.rehearsal import BARS, Rehearsal
from runtime.measure.timing import Spread, interleaved
from workflow_scripts.graphs.wrappers import Prior
from workflow_scripts.models.sovits import Sovits
from workflow_scripts.proof.gpu.trials import MISSED, Job, Report, attempt

Model = Callable[..., Tensor]


def acoustic(job: Job, sovits: Sovits, rehearsal: Rehearsal) -> dict[str, Report]:
    """Each held against the CPU where it can be heard, then timed, arrays in and out."""
    there = sovits.to(job.device)
    models: dict[str, Model] = {"prior": Prior(there), "vocoder": there.vocode}
    return {
        f"{name} fp32": attempt(partial(_tried, job, rehearsal, name, model))
        for name, model in models.items()
    }


def _tried(job: Job, rehearsal: Rehearsal, name: str, model: Model) -> Report:
    work = partial(_answer, model, rehearsal.inputs[name], job.device)
    distance, bar = rehearsal.distance(name, work()), BARS[name]
    found = {"metric": bar.metric, "distance": distance, "bar": bar.worst}
    if not distance <= bar.worst:
        return found | {"state": f"{MISSED} ({bar.metric} {distance:.2g}, bar {bar.worst:g})"}
    seconds = interleaved({name: work}, job.rounds).seconds[name]
    return found | {"ms": Spread.of(1e3 * seconds).as_json()}


@torch.inference_mode()
def _answer(model: Model, inputs: Any, device: str) -> NDArray[Any]:
    given = (torch.from_numpy(array).to(device) for array in inputs.values())
    found: NDArray[Any] = model(*given).cpu().numpy()
    return found
