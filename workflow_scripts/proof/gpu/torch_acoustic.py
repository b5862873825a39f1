"""The graphs of a voice that make sound, in PyTorch on a device: timed beside built ones."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from runtime.measure.calibration import Calibration, bar_of
from workflow_scripts.proof.gpu.reports import Row
from workflow_scripts.proof.gpu.trials import GpuJob, timed_call
from workflow_scripts.proof.spoken import SpokenInTorch

Model = Callable[..., Tensor]


def acoustic(job: GpuJob, model: SpokenInTorch, calibration: Calibration, name: str) -> Row:
    """One of them, held against the CPU where it is audible, then timed, arrays in and out."""
    work = partial(_answer, model.on(job.device)[name], calibration.inputs[name], job.device)
    distance, bar = calibration.distance(name, work()), bar_of(name)
    return timed_call(name, distance, bar, work, job.rounds)


@torch.inference_mode()
def _answer(model: Model, inputs: Any, device: str) -> NDArray[Any]:
    given = (torch.from_numpy(array).to(device) for array in inputs.values())
    found: NDArray[Any] = model(*given).cpu().numpy()
    return found
