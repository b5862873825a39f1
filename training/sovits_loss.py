"""How far latents and sound are from what they should be."""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from runtime.reference.features import OUTPUT_HZ, mel_filters
from training.sovits_latent import GROUP, SOUNDS

PREEMPHASIS = 0.9
EXACT_FFT = 512
MEL_SIZES = ((1024, 80), (512, 40))
FLOOR = 1e-3
MEL_FLOOR = 1e-2
SILENT_WEIGHT = 0.5


def latent_loss(ours: Tensor, theirs: Tensor) -> dict[str, Tensor]:
    """Parts of the loss, of float32 [B, 192, N] each, weighted.

    Returns:
        `sounding`, loudness of noise and of the speaker's pitch; `silent`, that of the others.
    """
    own = theirs.reshape(len(theirs), SOUNDS, -1).sum(2, keepdim=True) > 0
    own = own.repeat_interleave(GROUP, dim=1)
    return {
        "sounding": SOUNDS * ((ours - theirs).abs() * own).mean(),
        "silent": SILENT_WEIGHT * (ours.abs() * ~own).mean(),
    }


def sound_loss(made: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """Parts of the loss.

    Args:
        made: float32 [B, S] at 32 kHz.
        wanted: the same shape.

    Returns:
        `exact`, waveform error in each place of the spectrum, relative to what is loud there;
        `mel`, difference of logarithms.
    """
    mel = [
        (log_mel(made, fft, bands) - log_mel(wanted, fft, bands)).abs().mean()
        for fft, bands in MEL_SIZES
    ]
    return {"exact": _exact(made, wanted), "mel": torch.stack(mel).mean()}


def _exact(made: Tensor, wanted: Tensor) -> Tensor:
    both = torch.cat([made, wanted])
    sharp = both[:, 1:] - PREEMPHASIS * both[:, :-1]
    ours, theirs = _spectrum(sharp, EXACT_FFT).chunk(2)
    error = torch.view_as_real(ours - theirs).square().sum(-1).add(1e-10).sqrt()
    loud = F.avg_pool2d(theirs.abs().unsqueeze(1), (9, 5), 1, (4, 2)).squeeze(1)
    mean: Tensor = (error / (loud + FLOOR * EXACT_FFT**0.5)).mean()
    return mean


def log_mel(samples: Tensor, fft: int, bands: int) -> Tensor:
    """Log mel spectrum, float32 [B, bands, frames], of samples [B, S]."""
    power = torch.view_as_real(_spectrum(samples, fft)).square().sum(-1)
    filters = _filters(fft, bands)
    return 0.5 * torch.log(filters @ power[:, :-1] + MEL_FLOOR**2)


def _spectrum(samples: Tensor, fft: int) -> Tensor:
    return torch.stft(
        samples, fft, fft // 4, window=_window(fft), center=False, return_complex=True
    )


@cache
def _window(fft: int) -> Tensor:
    return torch.hann_window(fft)


@cache
def _filters(fft: int, bands: int) -> Tensor:
    return torch.from_numpy(mel_filters(bands, OUTPUT_HZ, fft)).float()
