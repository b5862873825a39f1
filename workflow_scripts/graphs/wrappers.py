"""One module per traced graph of the acoustic model: exactly the contract's inputs and outputs.

The bases and the speaker network keep the contract by themselves. Each wrapper has one child, so
that weights are named in the graph as in the checkpoint.
"""

import copy

from torch import Tensor, nn

from workflow_scripts.models.cfm import CfmSovits
from workflow_scripts.models.encoders import resampled
from workflow_scripts.models.sovits import Sovits


class Quantizer(nn.Module):
    """Ssl features to prompt tokens."""

    def __init__(self, sovits: Sovits | CfmSovits) -> None:
        super().__init__()
        self.sovits = sovits

    def forward(self, features: Tensor) -> Tensor:
        """Tokens, int64 [1, P], of features float32 [1, W, F]."""
        return self.sovits.quantize(features)


class Style(nn.Module):
    """Reference spectrogram, and speaker embedding in the Pro families, to style."""

    def __init__(self, sovits: Sovits | CfmSovits) -> None:
        super().__init__()
        self.sovits = sovits

    def forward(self, spectrogram: Tensor, speaker_embedding: Tensor | None = None) -> Tensor:
        """Style, float32 [1, G, 1], of float32 [1, Y, R] and [1, E]."""
        return self.sovits.style(spectrogram, speaker_embedding)


class Prior(nn.Module):
    """Tokens, phones and style to the latent, at any speed; noise is an input, flow included."""

    def __init__(self, sovits: Sovits) -> None:
        super().__init__()
        self.sovits = sovits

    def forward(  # noqa: PLR0913 - the inputs of the contract, in its order
        self,
        tokens: Tensor,
        phones: Tensor,
        style: Tensor,
        noise: Tensor,
        noise_scale: Tensor,
        frame_index: Tensor,
        frame_fraction: Tensor,
    ) -> Tensor:
        """Latent, float32 [1, I, N].

        Args:
            tokens: int64 [1, T].
            phones: int64 [1, X].
            style: float32 [1, G, 1].
            noise: float32 [1, I, N].
            noise_scale: float32 [1].
            frame_index: int64 [N], source frame of each frame, below 2T.
            frame_fraction: float32 [N], how far towards the next source frame.
        """
        encoded = self.sovits.encode(tokens, phones, style)
        at_speed = resampled(encoded, frame_index, frame_fraction)
        latent: Tensor = self.sovits.flow(self.sovits.sample(at_speed, noise, noise_scale), style)
        return latent


class Vocoder(nn.Module):
    """Latent and style to samples, every convolution as a 2-D one of height 1.

    Equal to the 1-D form, neutral in ONNX Runtime, and up to twice as fast in OpenVINO.
    """

    def __init__(self, sovits: Sovits) -> None:
        super().__init__()
        self.dec = in_two_dimensions(sovits.dec)

    def forward(self, latent: Tensor, style: Tensor) -> Tensor:
        """Samples, float32 [1, 640*N], of float32 [1, I, N] and [1, G, 1]."""
        audio: Tensor = self.dec(latent.unsqueeze(2), style.unsqueeze(2))
        return audio.squeeze(2).squeeze(1)


def in_two_dimensions(network: nn.Module) -> nn.Module:
    """A copy in which each 1-D convolution is the equal 2-D one of height 1."""
    flat = copy.deepcopy(network)
    for parent in list(flat.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Conv1d | nn.ConvTranspose1d):
                setattr(parent, name, two_dimensional(child))
    return flat.eval()


def two_dimensional(conv: nn.Conv1d | nn.ConvTranspose1d) -> nn.Conv2d | nn.ConvTranspose2d:
    """The equal convolution over [1, channels, 1, n]."""
    kind = nn.Conv2d if isinstance(conv, nn.Conv1d) else nn.ConvTranspose2d
    flat = kind(
        conv.in_channels,
        conv.out_channels,
        (1, conv.kernel_size[0]),
        stride=(1, conv.stride[0]),
        padding=(0, int(conv.padding[0])),
        dilation=(1, conv.dilation[0]),
        groups=conv.groups,
        bias=conv.bias is not None,
        device="meta",
    )
    flat.weight = nn.Parameter(conv.weight.unsqueeze(2), requires_grad=False)
    flat.bias = conv.bias
    return flat
