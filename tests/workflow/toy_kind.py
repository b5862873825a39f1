"""A kind of acoustic model of a few nodes: each token is a tone, as loud as its reference.

At 12 kHz, one frame a token, 480 samples a frame. Everything that a kind brings is here, once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from runtime.acoustic.kind import (
    Arrays,
    Conditioning,
    Graphs,
    SizedWork,
    SpokenChunk,
    Streaming,
    share,
)
from runtime.arrays import Float32, Int64, Samples
from runtime.audio import Audio
from runtime.contract import Graph
from runtime.contract import Tensor as Port
from workflow_scripts.checkpoint.contents import Contents
from workflow_scripts.checkpoint.families import Family, Kind
from workflow_scripts.models.sovits import nearest

CODES, WIDTH, SAMPLES, RATE = 1024, 768, 480, 12_000
GAIN = 0.5
HERE = frozenset({"toy"})
GRAPHS = {
    "levels": Graph(
        shared=False,
        stage="acoustic",
        kinds=HERE,
        inputs=(Port("tokens", "int64", (1, "T")), Port("noise", "float32", (1, 1, "T"))),
        outputs=(Port("frames", "float32", (1, 1, "T")),),
    ),
    "beeper": Graph(
        shared=False,
        stage="acoustic",
        kinds=HERE,
        inputs=(Port("frames", "float32", (1, 1, "N")), Port("gain", "float32", (1,))),
        outputs=(Port("audio", "float32", (1, "480*N")),),
    ),
}
FAMILY = Family(
    kind="toy",
    vocoder="beeper",
    sampling_rate_hz=RATE,
    frames_per_token=1.0,
    numbers={"gain": GAIN},
)
KIND = Kind(
    sizes=f"{__name__}:sizes_of",
    layout=f"{__name__}:layout_of",
    load=f"{__name__}:load",
    traced=f"{__name__}:traced",
    spoken=f"{__name__}:ToyInTorch",
    shows=("quantizer.toy.",),
)


def weights() -> dict[str, Tensor]:
    """Of a checkpoint."""
    draw = torch.Generator().manual_seed(0)
    return {
        "quantizer.toy.codes": torch.randn(CODES, WIDTH, generator=draw),
        "quantizer.toy.levels": torch.rand(CODES, generator=draw),
    }


@dataclass(frozen=True)
class Sizes:
    """What a file shows."""

    codes: int


def sizes_of(found: Contents, _family: str) -> Sizes:
    return Sizes(found.shapes["quantizer.toy.levels"][0])


def layout_of(_sizes: Sizes, _family: str) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in weights().items()}


class Toy(nn.Module):
    """The network of a checkpoint."""

    def __init__(self, codes: Tensor, levels: Tensor) -> None:
        super().__init__()
        self.codes = nn.Parameter(codes.float(), requires_grad=False)
        self.levels = nn.Parameter(levels.float(), requires_grad=False)


class Quantizer(Toy):
    def forward(self, features: Tensor) -> Tensor:
        pairs = features[:, :, : features.shape[2] // 2 * 2]
        return nearest(pairs.transpose(1, 2)[:, ::2], self.codes)


class Levels(Toy):
    def forward(self, tokens: Tensor, noise: Tensor) -> Tensor:
        return self.levels[tokens].unsqueeze(1) + noise


class Beeper(nn.Module):
    def forward(self, frames: Tensor, gain: Tensor) -> Tensor:
        wave = torch.sin(0.3 * torch.arange(SAMPLES))
        return (frames.transpose(1, 2) * gain * wave).flatten(1)


def load(stored: Mapping[str, Tensor], _config: Mapping[str, Any], _where: str) -> Toy:
    return Toy(stored["quantizer.toy.codes"], stored["quantizer.toy.levels"])


def traced(network: Toy) -> Iterator[tuple[str, nn.Module, dict[str, tuple[Tensor, ...]]]]:
    made, lengths = (network.codes, network.levels), (50, 2, 9, 529)
    yield "quantizer", Quantizer(*made), {f"F{n}": (torch.randn(1, WIDTH, n),) for n in lengths}
    noisy = {f"T{n}": (torch.arange(n)[None] % CODES, torch.randn(1, 1, n)) for n in lengths}
    yield "levels", Levels(*made), noisy
    yield "beeper", Beeper(), {f"N{n}": (torch.randn(1, 1, n), torch.ones(1)) for n in lengths}


class Spoken:
    """What PyTorch and the graphs have in common."""

    frames_name, context_frames, wants = "tones", 0, ("loudness",)
    streams_tokens = True

    def made_up(self) -> Arrays:
        return {"gain": np.ones(1, np.float32)}

    def drawn(self, tokens: Int64, conditioning: Conditioning, first: int = 0) -> Arrays:
        noise = conditioning.noise(first, tokens.size, 1) * conditioning.settings.noise_scale
        return {"tokens": tokens[None], "noise": noise}

    def frames(self, tokens: Int64, conditioning: Conditioning, first: int = 0) -> Float32:
        raise NotImplementedError

    def sound(self, frames: Float32, conditioning: Conditioning) -> Samples:
        raise NotImplementedError

    def parts(self, tokens: Int64, conditioning: Conditioning) -> dict[str, SizedWork]:
        frames = self.frames(tokens, conditioning)
        return {
            "levels": lambda n: self.frames(tokens[:n], conditioning),
            "beeper": lambda n: self.sound(share(frames, n, tokens), conditioning),
        }


class ToyInTorch(Spoken):
    def __init__(self, network: Toy, _row: Family, _vocoder: None) -> None:
        self._made, self.symbols = (network.codes, network.levels), 732

    def quantize(self, features: Tensor) -> Tensor:
        return Quantizer(*self._made)(features)

    def primed(self, audio: Audio, _speaker: None, _tokens: Int64, _phones: Int64) -> Arrays:
        return {"gain": GAIN * loudness(None, [audio])}

    def frames(self, tokens: Int64, conditioning: Conditioning, first: int = 0) -> Float32:
        given = self.drawn(tokens, conditioning, first)
        return Levels(*self._made)(*map(torch.from_numpy, given.values())).numpy()

    def sound(self, frames: Float32, conditioning: Conditioning) -> Samples:
        gain = torch.from_numpy(conditioning.reference["gain"])
        return Beeper()(torch.from_numpy(frames), gain)[0].numpy()


class ToyModel(Spoken):
    """The same by the graphs of a bundle."""

    def __init__(self, graphs: Graphs) -> None:
        self._levels, self._beeper = graphs.open("levels"), graphs.open("beeper")
        self._gain = graphs.acoustic.sizes["gain"]

    def primed(self, sound: Arrays, _tokens: Int64, _phones: Int64) -> Arrays:
        return {"gain": np.float32(self._gain) * sound["loudness"]}

    def frames(self, tokens: Int64, conditioning: Conditioning, first: int = 0) -> Float32:
        return self._levels.run(self.drawn(tokens, conditioning, first))[0]

    def sound(self, frames: Float32, conditioning: Conditioning) -> Samples:
        return self._beeper.run({"frames": frames, "gain": conditioning.reference["gain"]})[0][0]

    def whole(self, tokens: Int64, conditioning: Conditioning) -> SpokenChunk:
        frames = self.frames(tokens, conditioning)
        return SpokenChunk(self.sound(frames, conditioning), frames, tokens, last=True)

    def stream(
        self, tokens: Iterable[int], conditioning: Conditioning, streaming: Streaming
    ) -> Iterator[SpokenChunk]:
        count, first, waiting = streaming.first_chunk_tokens, 0, None
        source = iter(tokens)
        for some in iter(lambda: list(islice(source, count)), []):
            if waiting is not None:
                yield waiting
            made = np.array(some, np.int64)
            frames = self.frames(made, conditioning, first)
            waiting = SpokenChunk(self.sound(frames, conditioning), frames, made, last=False)
            first += count
        if waiting is not None:
            yield SpokenChunk(waiting.samples, waiting.frames, waiting.tokens, last=True)

    def seams(self, ends: Int64) -> Int64:
        return ends


def open_model(graphs: Graphs) -> ToyModel:
    return ToyModel(graphs)


def loudness(_encoder: object, audios: Sequence[Audio]) -> Float32:
    """What it wants of a reference, float32 [1]."""
    return np.array([np.sqrt(np.mean(np.square(audios[0].samples)))], np.float32)
