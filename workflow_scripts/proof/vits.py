"""v1, v2, v2Pro and v2ProPlus in PyTorch as a whole, to be recorded, compared and timed."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from runtime.acoustic.kind import Arrays, Conditioning, SizedWork, share
from runtime.acoustic.vits import whole_window
from runtime.acoustic.vocoder import CONTEXT_FRAMES
from runtime.arrays import Float32, PhoneIds, Samples, Tokens
from runtime.audio import Audio
from runtime.frames import FRAMES_PER_TOKEN, SAMPLES_PER_FRAME
from runtime.reference import features
from workflow_scripts.graphs.wrappers import Prior
from workflow_scripts.models.sovits import Sovits
from workflow_scripts.proof.spoken import Speaker


class VitsInTorch:
    """What `SpokenInTorch` says of these families."""

    def __init__(self, sovits: Sovits, _row: object = None, _vocoder: object = None) -> None:
        self._sovits = sovits
        self.symbols = sovits.symbols

    def quantize(self, ssl: Tensor) -> Tensor:
        """Prompt tokens, int64 [1, P]."""
        return self._sovits.quantize(ssl)

    @torch.inference_mode()
    def primed(self, audio: Audio, speaker: Speaker, _tokens: Tokens, _phones: PhoneIds) -> Arrays:
        """The style."""
        samples = features.normalised_32k(audio)
        spectrogram = torch.from_numpy(features.spectrogram(samples, self._sovits.bins))
        embedding = None
        if speaker is not None:
            bank = features.filter_bank(features.speaker_audio(samples))
            embedding = speaker(torch.from_numpy(bank[None]))
        return {"style": self._sovits.style(spectrogram, embedding).numpy()}

    def made_up(self) -> Arrays:
        """A style that is drawn, always the same."""
        shape = (1, self._sovits.style_width, 1)
        return {"style": np.random.default_rng(0).standard_normal(shape).astype(np.float32)}

    @torch.inference_mode()
    def frames(self, tokens: Tokens, conditioning: Conditioning) -> Float32:
        """Latent frames [1, I, N]."""
        window = whole_window(tokens, conditioning.settings)
        style = torch.from_numpy(conditioning.reference["style"])
        phones = torch.from_numpy(conditioning.phones)[None]
        encoded = self._sovits.encode(torch.from_numpy(tokens)[None], phones, style)
        here = encoded[..., torch.from_numpy(window.index)]
        last = encoded.shape[-1] - 1
        after = encoded[..., torch.from_numpy(np.minimum(window.index + 1, last))]
        encoded = here + torch.from_numpy(window.fraction) * (after - here)
        noise = conditioning.noise(window.first, window.index.size, self._sovits.latent_width)
        scale = torch.tensor([conditioning.settings.noise_scale])
        prior = self._sovits.sample(encoded, torch.from_numpy(noise), scale)
        made: Float32 = self._sovits.flow(prior, style).numpy()
        return made

    @torch.inference_mode()
    def sound(self, frames: Float32, conditioning: Conditioning) -> Samples:
        """Samples, float32 [640 N]."""
        style = torch.from_numpy(conditioning.reference["style"])
        made: Samples = self._sovits.vocode(torch.from_numpy(frames), style)[0].numpy()
        return made

    def beginning(self, tokens: Tokens, conditioning: Conditioning, count: int) -> Samples:
        """The vocoder gets the frames behind them that it needs."""
        wanted = FRAMES_PER_TOKEN * count
        seen = self.frames(tokens, conditioning)[..., : wanted + CONTEXT_FRAMES]
        sound = self.sound(np.ascontiguousarray(seen), conditioning)
        return sound[: wanted * SAMPLES_PER_FRAME]

    def parts(self, tokens: Tokens, conditioning: Conditioning) -> dict[str, SizedWork]:
        """A call of each network."""
        latent = self.frames(tokens, conditioning)
        return {
            "prior": lambda n: self.frames(tokens[:n], conditioning),
            "vocoder": lambda n: self.sound(share(latent, n, tokens), conditioning),
        }

    def on(self, device: str) -> dict[str, Callable[..., Tensor]]:
        """Both networks."""
        there = self._sovits.to(device)
        return {"prior": Prior(there), "vocoder": there.vocode}
