"""The inputs that PyTorch answers at export: short, usual and long, from fixed seeds.

The first case of each graph is the one that is traced; the others prove that nothing of its
lengths is left in the graph.
"""

import torch
from torch import Tensor

from runtime.frames import FRAMES_PER_TOKEN, frame_grid
from workflow_scripts.models.cfm import CfmSovits
from workflow_scripts.models.sovits import SPEAKER_WIDTH, Sovits

Inputs = tuple[Tensor, ...]

HUBERT_SAMPLES = (16_000, 400, 1_680, 169_600)  # 1 s, one frame, five frames, 10 s with its tail
ROBERTA_CHARACTERS = (12, 1, 2, 510)
SPEAKER_FRAMES = (100, 1, 9, 500)  # of 10 ms
QUANTIZER_FRAMES = (50, 2, 9, 529)  # an odd last frame is dropped
STYLE_FRAMES = (60, 1, 4, 500)
PRIOR_LENGTHS = (  # tokens, phones, speed
    (12, 23, 0.8),
    (1, 1, 1.0),
    (2, 3, 1.0),
    (2, 9, 1.5),
    (60, 40, 1.0),
    (60, 40, 1.3),
    (500, 200, 1.0),
)
NOISE_SCALE = 0.5
VOCODER_FRAMES = (20, 1, 4, 150)


def hubert_inputs(seed: int = 0) -> dict[str, Inputs]:
    """Audio at 16 kHz, float32 [1, S]."""
    return {f"S{n}": (0.1 * normal(seed + n, 1, n),) for n in HUBERT_SAMPLES}


def roberta_inputs(vocabulary: int, positions: int, seed: int = 0) -> dict[str, Inputs]:
    """Token ids, int64 [1, U+2], as long as the network's positions allow."""
    lengths = dict.fromkeys(min(n, positions - 2) for n in ROBERTA_CHARACTERS)
    return {f"U{n}": (integers(seed + n, vocabulary, n + 2),) for n in lengths}


def speaker_inputs(seed: int = 0) -> dict[str, Inputs]:
    """Filter banks, float32 [1, M, 80].

    Flatter than of real audio: a network of random weights multiplies float32's rounding by
    thousands where the bands spread as much as those of speech.
    """
    return {f"M{n}": (normal(seed + n, 1, n, 80) - 6,) for n in SPEAKER_FRAMES}


def quantizer_inputs(sovits: Sovits | CfmSovits, seed: int = 0) -> dict[str, Inputs]:
    """Ssl features, float32 [1, W, F]."""
    width = sovits.ssl_proj.in_channels
    return {f"F{n}": (normal(seed + n, 1, width, n),) for n in QUANTIZER_FRAMES}


def style_inputs(sovits: Sovits | CfmSovits, seed: int = 0) -> dict[str, Inputs]:
    """Magnitudes, float32 [1, Y, R], and for the Pro families speaker embeddings [1, E]."""
    cases: dict[str, Inputs] = {}
    for n in STYLE_FRAMES:
        spectrogram = normal(seed + n, 1, sovits.bins, n).abs()
        speaker = (normal(seed + n, 1, SPEAKER_WIDTH),) if sovits.takes_speaker else ()
        cases[f"R{n}"] = (spectrogram, *speaker)
    return cases


def prior_inputs(sovits: Sovits, seed: int = 0) -> dict[str, Inputs]:
    """Tokens, phones, style, noise, noise scale, frame index and fraction, as in the contract."""
    style = style_of(sovits, seed)
    cases: dict[str, Inputs] = {}
    for tokens, phones, speed in PRIOR_LENGTHS:
        index, fraction = frame_grid(FRAMES_PER_TOKEN * tokens, speed)
        frames = index.size
        cases[f"T{tokens}.X{phones}.N{frames}"] = (
            integers(seed + tokens, sovits.codebook.num_embeddings, tokens),
            integers(seed + phones, sovits.symbols, phones),
            style,
            normal(seed + frames, 1, sovits.latent_width, frames),
            torch.tensor([NOISE_SCALE]),
            torch.from_numpy(index),
            torch.from_numpy(fraction),
        )
    return cases


def vocoder_inputs(sovits: Sovits, seed: int = 0) -> dict[str, Inputs]:
    """Latent, float32 [1, I, N], and style [1, G, 1]."""
    style = style_of(sovits, seed)
    return {f"N{n}": (normal(seed + n, 1, sovits.latent_width, n), style) for n in VOCODER_FRAMES}


def style_of(sovits: Sovits | CfmSovits, seed: int) -> Tensor:
    """A style of this voice, of made-up reference audio."""
    inputs = next(iter(style_inputs(sovits, seed).values()))
    with torch.inference_mode():
        return sovits.style(*inputs).clone()


def normal(seed: int, *shape: int) -> Tensor:
    """Standard normal numbers, float32."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def integers(seed: int, below: int, count: int) -> Tensor:
    """Whole numbers from 0 to `below` - 1, int64 [1, count]."""
    return torch.randint(below, (1, count), generator=torch.Generator().manual_seed(seed))
