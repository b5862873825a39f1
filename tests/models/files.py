"""Checkpoints of the goldens as weights and configuration, read the plainest way."""

import io
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.goldens import Case
from workflow_scripts.models.eres2net import SpeakerNetwork, load_eres2net
from workflow_scripts.models.sovits import Sovits, load_sovits


class Bag:
    """Stands for the class whose instance holds a trainer's configuration."""


def plain(value: Any) -> Any:
    found = vars(value) if isinstance(value, Bag) else value
    return {key: plain(item) for key, item in found.items()} if isinstance(found, dict) else found


@cache
def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    content = io.BytesIO(b"PK" + path.read_bytes()[2:])
    with torch.serialization.safe_globals([(Bag, "utils.HParams")]):
        stored = torch.load(content, map_location="cpu", weights_only=True)
    return stored["weight"], plain(stored["config"])


@cache
def sovits(path: Path) -> Sovits:
    weights, config = read(path)
    return load_sovits(weights, config, where=path.name)


@cache
def speaker(path: Path) -> SpeakerNetwork:
    return load_eres2net(torch.load(path, map_location="cpu", weights_only=True), path.name)


def frame_places(frames: int, speed: float) -> tuple[Tensor, Tensor]:
    """The host's side of speed: source frame and fraction of every frame."""
    if speed == 1:
        return torch.arange(frames), torch.zeros(frames)
    count = int(frames / speed) + 1
    source = (torch.arange(count, dtype=torch.float64) + 0.5) * (frames / count) - 0.5
    index = source.clamp(min=0).floor()
    return index.long(), (source.clamp(min=0) - index).float()


def style_inputs(case: Case) -> list[tuple[Tensor, ...]]:
    """Per reference of a decode: spectrogram and, for the Pro families, speaker embedding."""
    bins = sovits(case.model).bins
    spectrograms = [(torch.from_numpy(case[name][:, :bins]),) for name in case.facts["refer"]]
    speakers = [(torch.from_numpy(case[name]),) for name in case.facts["sv_emb"] or []]
    if not speakers:
        return [*spectrograms]
    return [one + other for one, other in zip(spectrograms, speakers, strict=True)]


def prior_inputs(case: Case, style: Tensor) -> tuple[Tensor, ...]:
    """What the prior of a decode takes, in the contract's order."""
    tokens = torch.from_numpy(case[case.facts["codes"]])[0]
    index, fraction = frame_places(2 * tokens.shape[1], case.facts["speed"])
    noise = case.facts["noise"]
    drawn = torch.from_numpy(case[noise]) if noise else torch.zeros(1, 192, len(index))
    phones = torch.from_numpy(case[case.facts["text"]])
    scale = torch.tensor([case.facts["noise_scale"]])
    return tokens, phones, style, drawn, scale, index, fraction
