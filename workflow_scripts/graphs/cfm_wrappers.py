"""One module per traced graph of v3 and v4: exactly the contract's inputs and outputs."""

import copy

import torch
from torch import Tensor, nn

from runtime.contract import OFFERED_STEPS
from workflow_scripts.graphs.wrappers import two_dimensional
from workflow_scripts.models.bigvgan import Upsampling, upsampled
from workflow_scripts.models.cfm import CfmSovits, schedule


class Features(nn.Module):
    """Tokens, phones and style to conditioning features, at any speed."""

    def __init__(self, sovits: CfmSovits) -> None:
        super().__init__()
        self.sovits = sovits

    def forward(
        self,
        tokens: Tensor,
        phones: Tensor,
        style: Tensor,
        frame_index: Tensor,
        frame_fraction: Tensor,
        frame_mask: Tensor,
    ) -> Tensor:
        """Features, float32 [1, C, N].

        Args:
            tokens: int64 [1, T].
            phones: int64 [1, X].
            style: float32 [1, G, 1].
            frame_index: int64 [N], source frame of each mel frame, below 2T.
            frame_fraction: float32 [N], how far towards the next source frame.
            frame_mask: float32 [1, 1, N]; 0 in a last frame that stays empty.
        """
        encoded = self.sovits.encode(tokens, phones, style)
        return self.sovits.features(encoded, style, (frame_index, frame_fraction), frame_mask)


class Condition(nn.Module):
    """Features and prompt to what no step of the sampler changes."""

    def __init__(self, sovits: CfmSovits) -> None:
        super().__init__()
        self.estimator = sovits.cfm.estimator

    def forward(self, features: Tensor, prompt: Tensor, frame_mask: Tensor) -> Tensor:
        """Condition, float32 [1, N, D].

        Args:
            features: float32 [1, C, N], of prompt and new frames; anything where padded.
            prompt: float32 [1, mels, N], normalised mel; 0 in the new frames.
            frame_mask: float32 [1, 1, N], 0 where padded.
        """
        return self.estimator.condition(features, prompt, frame_mask.reshape(1, -1, 1))


class Step(nn.Module):
    """One Euler step of the sampler.

    What depends on time alone is a table here, a row for each step of each number of steps that is
    offered: the layers that made it are 2 of 5 weights of the estimator, and are left out.
    """

    table: Tensor
    sizes: Tensor

    def __init__(self, sovits: CfmSovits) -> None:
        super().__init__()
        self.estimator = sovits.cfm.estimator
        schedules = [schedule(steps) for steps in OFFERED_STEPS]
        times, sizes = (torch.cat(parts) for parts in zip(*schedules, strict=True))
        with torch.inference_mode():
            table = self.estimator.modulations(times, sizes)
        self.register_buffer("table", table.clone())
        self.register_buffer("sizes", sizes)

    def forward(
        self, mel: Tensor, condition: Tensor, frame_mask: Tensor, new_mask: Tensor, row: Tensor
    ) -> Tensor:
        """The mel after the step, float32 [1, mels, N].

        Args:
            mel: float32 [1, mels, N], on its way from noise.
            condition: float32 [1, N, D].
            frame_mask: float32 [1, 1, N], 0 where padded.
            new_mask: float32 [1, 1, N], 1 in the new frames; all others become 0.
            row: int64 [1], of the step, see `first_row`.
        """
        by_time = self.table.index_select(0, row)
        mask = frame_mask.reshape(1, -1, 1)
        velocity = self.estimator.velocity(mel, condition, by_time, mask)
        return (mel + self.sizes.index_select(0, row) * velocity) * new_mask


class MelVocoder(nn.Module):
    """Log-mel to samples, every convolution as a 2-D one of height 1: see `wrappers.Vocoder`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = _flattened(network)

    def forward(self, mel: Tensor) -> Tensor:
        """Samples, float32 [1, samples per frame * N], of float32 [1, mels, N]."""
        audio: Tensor = self.network(mel)
        return audio.squeeze(1)


class _Flat(nn.Module):
    """A 1-D convolution by way of two dimensions."""

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x.unsqueeze(2)).squeeze(2)
        return y


class _FixedUpsampling(nn.Module):
    """An upsampling whose two filters are weights, since an exporter must know their shape."""

    phases: Tensor

    def __init__(self, of: Upsampling) -> None:
        super().__init__()
        self.register_buffer("phases", of.phases().detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        return upsampled(x, self.phases)


def _flattened(network: nn.Module) -> nn.Module:
    flat = copy.deepcopy(network)
    for parent in list(flat.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Conv1d | nn.ConvTranspose1d):
                setattr(parent, name, _Flat(two_dimensional(child)))
            elif isinstance(child, Upsampling):
                setattr(parent, name, _FixedUpsampling(child))
    return flat.eval()
