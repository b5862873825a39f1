"""The graphs of v3 and v4, each with the cases that PyTorch answers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from runtime.contract import MELS
from runtime.frames import FRAMES_PER_TOKEN, frame_grid
from workflow_scripts.checkpoint.source import Source
from workflow_scripts.graphs import cases
from workflow_scripts.graphs.cfm_wrappers import Condition, Features, MelVocoder, Step
from workflow_scripts.graphs.wrappers import Quantizer, Style
from workflow_scripts.models.cfm import CfmSovits
from workflow_scripts.models.mel_vocoders import MEL_VOCODERS

Traced = tuple[str, nn.Module, dict[str, cases.Inputs]]

FEATURES_LENGTHS = (  # tokens, phones, speed
    (12, 23, 0.8),
    (1, 1, 1.0),
    (2, 9, 1.5),
    (60, 40, 1.0),
    (250, 100, 1.0),
)
RUNS = (  # frames of a run, those of them that are valid, those of the prompt
    (40, 40, 13),
    (1, 1, 0),
    (64, 50, 20),
    (468, 400, 200),
)
ROWS = (0, 5, 17, 59)  # of the step graph's table
MEL_FRAMES = (20, 1, 4, 100)


def traced(sovits: CfmSovits) -> Iterator[Traced]:
    """Name, module and cases of each graph, in the contract's order."""
    yield "quantizer", Quantizer(sovits), cases.quantizer_inputs(sovits)
    yield "style", Style(sovits), cases.style_inputs(sovits)
    yield "features", Features(sovits), features_inputs(sovits)
    yield "cfm_condition", Condition(sovits), condition_inputs(sovits)
    yield "cfm_step", Step(sovits), step_inputs(sovits)


def traced_vocoder(name: str, source: Path | Source) -> Traced:
    """The same of a vocoder, from its file or folder."""
    return name, MelVocoder(MEL_VOCODERS[name](source)), mel_inputs()


def features_inputs(sovits: CfmSovits, seed: int = 0) -> dict[str, cases.Inputs]:
    """Tokens, phones, style, frame index and fraction, and mask, as the contract states."""
    style = cases.style_of(sovits, seed)
    found: dict[str, cases.Inputs] = {}
    for tokens, phones, speed in FEATURES_LENGTHS:
        index, fraction = frame_grid(FRAMES_PER_TOKEN * tokens, speed)
        twice = np.repeat(np.arange(index.size), 2)
        mask = torch.ones(1, 1, twice.size)
        mask[..., -1] = float(speed == 1)
        found[f"T{tokens}.X{phones}.N{twice.size}"] = (
            cases.integers(seed + tokens, sovits.codebook.num_embeddings, tokens),
            cases.integers(seed + phones, sovits.symbols, phones),
            style,
            torch.from_numpy(index[twice]),
            torch.from_numpy(fraction[twice]),
            mask,
        )
    return found


def condition_inputs(sovits: CfmSovits, seed: int = 0) -> dict[str, cases.Inputs]:
    """Features, prompt and mask."""
    found: dict[str, cases.Inputs] = {}
    for frames, valid, given in RUNS:
        prompt = cases.normal(seed + frames, 1, MELS, frames)
        prompt[..., given:] = 0
        features_of = cases.normal(seed + frames + 1, 1, sovits.sizes.features, frames)
        found[f"N{frames}.{valid}"] = (features_of, prompt, _mask(0, valid, frames))
    return found


def step_inputs(sovits: CfmSovits, seed: int = 0) -> dict[str, cases.Inputs]:
    """Mel, condition, both masks, and the row of a step."""
    found: dict[str, cases.Inputs] = {}
    estimator = sovits.cfm.estimator
    runs = zip(RUNS, ROWS, condition_inputs(sovits, seed).values(), strict=True)
    for (frames, valid, given), row, (features_of, prompt, mask) in runs:
        with torch.inference_mode():
            condition = estimator.condition(features_of, prompt, mask.reshape(1, -1, 1)).clone()
        mel, new = cases.normal(seed + frames, 1, MELS, frames), _mask(given, valid, frames)
        found[f"N{frames}.{valid}.row{row}"] = (
            mel * new,
            condition,
            mask,
            new,
            torch.tensor([row]),
        )
    return found


def mel_inputs(seed: int = 0) -> dict[str, cases.Inputs]:
    """Log-mels, float32 [1, 100, N], about as loud as those of speech."""
    return {f"N{n}": (2 * cases.normal(seed + n, 1, MELS, n) - 5,) for n in MEL_FRAMES}


def _mask(first: int, end: int, frames: int) -> Tensor:
    place = torch.arange(frames)
    return ((place >= first) & (place < end)).float().reshape(1, 1, -1)
