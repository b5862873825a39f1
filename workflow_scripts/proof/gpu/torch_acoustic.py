"""Prior and vocoder of a voice in PyTorch on a device: what built ones are timed beside."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from runtime.measure.calibration import BARS, Calibration
from workflow_scripts.graphs.wrappers import Prior
from workflow_scripts.models.sovits import Sovits
from workflow_scripts.proof.gpu.reports import Row, Rows, attempt
from workflow_scripts.proof.gpu.trials import Job, timed_call

Model = Callable[..., Tensor]


def acoustic(job: Job, sovits: Sovits, calibration: Calibration) -> Rows:
    """Each held against the CPU where it is audible, then timed, arrays in and out."""
    there = sovits.to(job.device)
    models: dict[str, Model] = {"prior": Prior(there), "vocoder": there.vocode}
    return {
        f"{name} fp32": attempt(partial(_tried, job, calibration, name, model), Row)
        for name, model in models.items()
    }


def _tried(job: Job, calibration: Calibration, name: str, model: Model) -> Row:
    work = partial(_answer, model, calibration.inputs[name], job.device)
    distance, bar = calibration.distance(name, work()), BARS[name]
    return timed_call(name, distance, bar, work, job.rounds)


@torch.inference_mode()
def _answer(model: Model, inputs: Any, device: str) -> NDArray[Any]:
    given = (torch.from_numpy(array).to(device) for array in inputs.values())
    found: NDArray[Any] = model(*given).cpu().numpy()
    return found
