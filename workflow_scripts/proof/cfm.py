"""v3 and v4 in PyTorch as a whole: what is recorded, compared and timed."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from runtime.acoustic.cfm import Prompt
from runtime.acoustic.cfm_model import MADE_UP_FRAMES, cut
from runtime.acoustic.kind import Arrays, Conditioning, SizedWork, share
from runtime.acoustic.mel import MelFrames, denormalised, mel_grid
from runtime.arrays import Float32, PhoneIds, Samples, Tokens
from runtime.audio import Audio
from runtime.contract import MELS
from runtime.errors import CheckpointError
from runtime.manifest import Acoustic
from runtime.reference import features
from runtime.reference.prompt_mel import prompt_mel
from workflow_scripts.checkpoint.families import Family
from workflow_scripts.checkpoint.source import Source
from workflow_scripts.graphs.cfm_wrappers import Condition, Features, Step
from workflow_scripts.models.cfm import CfmSovits
from workflow_scripts.models.mel_vocoders import MEL_VOCODERS, vocode
from workflow_scripts.proof.spoken import Speaker


def spoken(sovits: CfmSovits, row: Family, vocoder: Path | Source | None) -> "CfmInTorch":
    """The networks as a whole, with the vocoder of a file or folder."""
    if vocoder is None:
        raise CheckpointError(
            f"{row.vocoder}: not given; the vocoder of this family is a file or folder of its own"
        )
    return CfmInTorch(sovits, MEL_VOCODERS[row.vocoder](vocoder), row)


class CfmInTorch:
    """What `SpokenInTorch` says of these families."""

    def __init__(self, sovits: CfmSovits, vocoder: nn.Module, row: Family) -> None:
        self._sovits, self._vocoder = sovits, vocoder
        self._frames, self._vocoder_name = MelFrames.of(Acoustic(**row.acoustic)), row.vocoder
        self.symbols = sovits.symbols

    def quantize(self, ssl: Tensor) -> Tensor:
        """Prompt tokens, int64 [1, P]."""
        return self._sovits.quantize(ssl)

    @torch.inference_mode()
    def primed(self, audio: Audio, _speaker: Speaker, tokens: Tokens, phones: PhoneIds) -> Arrays:
        """Style, and mel and features of the prompt."""
        samples = features.normalised_32k(audio)
        spectrogram = torch.from_numpy(features.spectrogram(samples, self._sovits.bins))
        style = self._sovits.style(spectrogram)
        of_prompt = self._features(tokens, phones, style, 1.0)
        return {
            "style": style.numpy(),
            **cut(prompt_mel(audio, self._frames), of_prompt.numpy(), self._frames),
        }

    def made_up(self) -> Arrays:
        """A style and a prompt that are drawn, always the same."""
        draw, sizes = np.random.default_rng(0).standard_normal, self._sovits.sizes
        shapes = {
            "style": (1, sizes.gin_channels, 1),
            "prompt_mel": (1, MELS, MADE_UP_FRAMES),
            "prompt_features": (1, sizes.features, MADE_UP_FRAMES),
        }
        return {name: draw(shape).astype(np.float32) for name, shape in shapes.items()}

    def frames(self, tokens: Tokens, conditioning: Conditioning) -> Float32:
        """Mel frames [1, 100, N], chunk after chunk."""
        return self._mel(self._of_tokens(tokens, conditioning), conditioning)

    @torch.inference_mode()
    def sound(self, frames: Float32, _conditioning: Conditioning) -> Samples:
        """Samples, float32 [S]."""
        made: Samples = vocode(self._vocoder, torch.from_numpy(denormalised(frames)))[0].numpy()
        return made

    def beginning(self, tokens: Tokens, conditioning: Conditioning, count: int) -> Samples:
        """No chunk is known before all tokens are; the vocoder gets what it needs."""
        frames = self._frames
        mel = self.frames(tokens, conditioning)
        wanted = mel.shape[-1] * count // tokens.size
        seen = np.ascontiguousarray(mel[..., : wanted + frames.context_frames])
        return self.sound(seen, conditioning)[: wanted * frames.samples_per_frame]

    def parts(self, tokens: Tokens, conditioning: Conditioning) -> dict[str, SizedWork]:
        """Features, the sampler with all its steps, and the vocoder."""
        of_tokens = self._of_tokens(tokens, conditioning)
        mel = self._mel(of_tokens, conditioning)
        return {
            "features": lambda n: self._of_tokens(tokens[:n], conditioning),
            "cfm_step": lambda n: self._mel(
                of_tokens[..., : of_tokens.shape[-1] * n // tokens.size], conditioning
            ),
            self._vocoder_name: lambda n: self.sound(share(mel, n, tokens), conditioning),
        }

    def on(self, device: str) -> dict[str, Callable[..., Tensor]]:
        """The networks on a device."""
        there, vocoder = self._sovits.to(device), self._vocoder.to(device)
        step = Step(there).to(device)
        return {
            "features": Features(there),
            "cfm_condition": Condition(there),
            "cfm_step": step,
            self._vocoder_name: partial(vocode, vocoder),
        }

    @torch.inference_mode()
    def _of_tokens(self, tokens: Tokens, conditioning: Conditioning) -> Tensor:
        style = torch.from_numpy(conditioning.reference["style"])
        return self._features(tokens, conditioning.phones, style, conditioning.settings.speed)

    def _features(self, tokens: Tokens, phones: PhoneIds, style: Tensor, speed: float) -> Tensor:
        grid = mel_grid(tokens.size, speed, self._frames)
        encoded = self._sovits.encode(
            torch.from_numpy(tokens)[None], torch.from_numpy(phones)[None], style
        )
        places = torch.from_numpy(grid.index), torch.from_numpy(grid.fraction)
        return self._sovits.features(encoded, style, places, torch.from_numpy(grid.mask))

    @torch.inference_mode()
    def _mel(self, of_tokens: Tensor, conditioning: Conditioning) -> Float32:
        reference, frames = conditioning.reference, self._frames
        prompt = Prompt(reference["prompt_mel"], reference["prompt_features"])
        kept, made, start = prompt.frames, [], 0
        size = frames.chunk_frames - kept
        while start < of_tokens.shape[2]:
            chunk = of_tokens[..., start : start + size]
            noise = conditioning.noise(start, chunk.shape[2], MELS)
            before = np.zeros((1, MELS, prompt.frames), np.float32)
            mel = self._sovits.cfm(
                torch.cat([torch.from_numpy(prompt.features), chunk], dim=2),
                torch.from_numpy(prompt.mel),
                torch.from_numpy(np.concatenate([before, noise], -1)),
                conditioning.settings.sample_steps or frames.steps,
            )[..., prompt.frames :]
            made.append(mel.numpy())
            prompt = Prompt(made[-1], chunk.numpy()).last(kept)
            start += chunk.shape[2]
        return np.concatenate(made, -1)
