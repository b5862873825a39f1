"""The flow, in its inverse direction: a sample of the prior to the latent of the vocoder.

Attribute names are the checkpoint's keys.
"""

import torch
from torch import Tensor, nn

LAYERS = 4  # of each coupling
KERNEL = 5
COUPLINGS = 4


class GatedStack(nn.Module):
    """Gated convolutions with skip connections, steered by the style (a WaveNet)."""

    def __init__(self, hidden: int, style_width: int, layers: int = LAYERS) -> None:
        super().__init__()
        self.hidden, self.layers = hidden, layers
        self.cond_layer = nn.Conv1d(style_width, 2 * hidden * layers, 1)
        self.in_layers = nn.ModuleList(
            nn.Conv1d(hidden, 2 * hidden, KERNEL, padding=KERNEL // 2) for _ in range(layers)
        )
        self.res_skip_layers = nn.ModuleList(
            nn.Conv1d(hidden, hidden if layer == layers - 1 else 2 * hidden, 1)
            for layer in range(layers)
        )

    def forward(self, x: Tensor, style: Tensor, mask: Tensor | None = None) -> Tensor:
        """Sum of the skips, float32 [1, D, N], for x [1, D, N] and style [1, G, 1].

        Frames whose `mask`, float32 [1, 1, N], is 0 are shown to no layer.
        """
        conditions = self.cond_layer(style).split(2 * self.hidden, dim=1)
        skips: list[Tensor] = []
        for conv, res_skip, condition in zip(
            self.in_layers, self.res_skip_layers, conditions, strict=True
        ):
            value, gate = (conv(x) + condition).split(self.hidden, dim=1)
            update = res_skip(torch.tanh(value) * torch.sigmoid(gate))
            if len(skips) < self.layers - 1:
                x = x + update[:, : self.hidden]
                x = x if mask is None else x * mask
                update = update[:, self.hidden :]
            skips.append(update)
        return torch.stack(skips).sum(0)


class Coupling(nn.Module):
    """One half of the channels moves the other half."""

    def __init__(self, latent: int, hidden: int, style_width: int) -> None:
        super().__init__()
        self.split = latent // 2
        self.pre = nn.Conv1d(self.split, hidden, 1)
        self.enc = GatedStack(hidden, style_width)
        self.post = nn.Conv1d(hidden, self.split, 1)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Undo the coupling of x [1, I, N] under style [1, G, 1]; float32 [1, I, N]."""
        still, moved = x[:, : self.split], x[:, self.split :]
        return torch.cat([still, moved - self.post(self.enc(self.pre(still), style))], dim=1)


class Flow(nn.Module):
    """All couplings, last first; the channel order is reversed before each."""

    def __init__(self, latent: int, hidden: int, style_width: int) -> None:
        super().__init__()
        self.flows = nn.ModuleDict(  # the odd numbers are the reversals, which have no weights
            {str(2 * i): Coupling(latent, hidden, style_width) for i in range(COUPLINGS)}
        )

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Latent, float32 [1, I, N], of the sample x [1, I, N] under style [1, G, 1]."""
        for coupling in reversed(list(self.flows.values())):
            x = coupling(x.flip(1), style)
        return x
