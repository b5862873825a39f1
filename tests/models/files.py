"""The goldens' checkpoints as networks, read once per run, and what a decode gives them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from runtime.acoustic.mel import MelFrames
from runtime.frames import frame_grid
from runtime.manifest import Acoustic
from tests import goldens
from tests.goldens import Case
from workflow_scripts.checkpoint.families import FAMILIES
from workflow_scripts.checkpoint.read import read
from workflow_scripts.checkpoint.whole import read_whole
from workflow_scripts.models.cfm import CfmSovits, load_cfm
from workflow_scripts.models.eres2net import SpeakerNetwork, load_eres2net
from workflow_scripts.models.mel_vocoders import load_bigvgan, load_vocoder_v4
from workflow_scripts.models.sovits import Sovits, load_sovits


@cache
def sovits(path: Path) -> Sovits:
    stored = read(path, "sovits")
    return load_sovits(stored.weights, stored.config, path.name)


@cache
def flow_matching(path: Path, base: Path | None = None) -> CfmSovits:
    """A v3 or v4 model; a LoRA merged over its base."""
    stored = read_whole(path, base)
    return load_cfm(stored.weights, stored.config, path.name)


def mel_frames(family: str) -> MelFrames:
    """What a manifest states of a v3 or v4 voice's frames."""
    return MelFrames.of(Acoustic(**FAMILIES[family].acoustic))


@cache
def mel_vocoder(family: str) -> nn.Module:
    """The goldens' vocoder of v3 or v4."""
    path = goldens.flow_matching_file(f"{family} vocoder")
    return load_bigvgan(path.parent) if family == "v3" else load_vocoder_v4(path)


@cache
def speaker(path: Path) -> SpeakerNetwork:
    return load_eres2net(torch.load(path, map_location="cpu", weights_only=True), path.name)


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
    index, fraction = map(torch.from_numpy, frame_grid(2 * tokens.shape[1], case.facts["speed"]))
    noise = case.facts["noise"]
    drawn = torch.from_numpy(case[noise]) if noise else torch.zeros(1, 192, len(index))
    phones = torch.from_numpy(case[case.facts["text"]])
    scale = torch.tensor([case.facts["noise_scale"]])
    return tokens, phones, style, drawn, scale, index, fraction


@contextmanager
def watching(model: nn.Module, case: Case) -> Iterator[dict[str, Tensor]]:
    """Outputs of the modules that a case's `mid_` arrays are named after."""
    modules = {name.replace(".", "_"): module for name, module in model.named_modules()}
    seen: dict[str, Tensor] = {}
    hooks = []
    for array in case.facts["arrays"]:
        wanted = array.removeprefix("mid_")
        found = [name for name in modules if f"_{name}".endswith(f"_{wanted}")]
        if array.startswith("mid_") and found:
            module = modules[min(found, key=len)]
            hooks.append(module.register_forward_hook(keeper(seen, array)))
    yield seen
    for hook in hooks:
        hook.remove()


def keeper(seen: dict[str, Tensor], name: str) -> Callable[..., None]:
    def keep(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
        seen.setdefault(name, output)

    return keep
