"""ERes2NetV2, the speaker network of the Pro families: filter bank to speaker embedding.

Sizes are read off the weights. Attribute names are the checkpoint's keys.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from runtime.errors import CheckpointError
from workflow_scripts.models.weights import fill, folded, without

SCALE = 4  # groups of a block
STRIDES = (1, 2, 2, 2)  # of the four stages, both axes
BANDS = 80
_UNUSED = ("seg_1.", "num_batches_tracked")  # the head that training had

Shapes = Mapping[str, torch.Size]


def relu20(x: Tensor) -> Tensor:
    """ReLU with a ceiling of 20."""
    return x.clamp(0, 20)


class BatchNorm(nn.Module):
    """A batch norm as inference applies it, so without a count of training steps."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Norm of float32 [1, channels, bands, frames]; the shape stays."""
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias)


class AttentiveSum(nn.Module):
    """A sum of two maps whose shares the maps decide."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.local_att = nn.Sequential(
            nn.Conv2d(2 * channels, inner, 1),
            BatchNorm(inner),
            nn.SiLU(),
            nn.Conv2d(inner, channels, 1),
            BatchNorm(channels),
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Join x and y, float32 [1, channels, bands, frames] each."""
        share = torch.tanh(self.local_att(torch.cat([x, y], dim=1)))
        return x * (1 + share) + y * (1 - share)


class Block(nn.Module):
    """A residual block of four channel groups, each seeing the ones before."""

    def __init__(self, shapes: Shapes, stem: str, stride: int) -> None:
        super().__init__()
        inner, inputs = shapes[f"{stem}conv1.weight"][:2]
        outputs = shapes[f"{stem}conv3.weight"][0]
        self.width = width = inner // SCALE
        self.conv1 = nn.Conv2d(inputs, inner, 1, stride, bias=False)
        self.bn1 = BatchNorm(inner)
        self.convs = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(SCALE)
        )
        self.bns = nn.ModuleList(BatchNorm(width) for _ in range(SCALE))
        fusion = shapes.get(f"{stem}fuse_models.0.local_att.0.weight")
        self.fuses = fusion is not None
        if fusion is not None:
            self.fuse_models = nn.ModuleList(
                AttentiveSum(width, fusion[0]) for _ in range(SCALE - 1)
            )
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn3 = BatchNorm(outputs)
        self.shortcut = nn.Sequential()
        if f"{stem}shortcut.0.weight" in shapes:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), BatchNorm(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map float32 [1, inputs, bands, frames] to [1, outputs, bands/stride, frames/stride]."""
        groups = torch.split(relu20(self.bn1(self.conv1(x))), self.width, dim=1)
        done: list[Tensor] = []
        for i, (group, conv, norm) in enumerate(zip(groups, self.convs, self.bns, strict=True)):
            if not done:
                joined = group
            elif self.fuses:
                joined = self.fuse_models[i - 1](done[-1], group)
            else:
                joined = done[-1] + group
            done.append(relu20(norm(conv(joined))))
        return relu20(self.bn3(self.conv3(torch.cat(done, dim=1))) + self.shortcut(x))


class SpeakerNetwork(nn.Module):
    """Filter bank to speaker embedding."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        stem = shapes["conv1.weight"][0]
        self.conv1 = nn.Conv2d(1, stem, 3, padding=1, bias=False)
        self.bn1 = BatchNorm(stem)
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            _stage(shapes, f"layer{stage}.", stride) for stage, stride in enumerate(STRIDES, 1)
        )
        deep, shallow = shapes["layer3_ds.weight"][:2]
        self.layer3_ds = nn.Conv2d(shallow, deep, 3, stride=2, padding=1, bias=False)
        self.fuse34 = AttentiveSum(deep, shapes["fuse34.local_att.0.weight"][0])
        self.embedding_width = deep * (BANDS // 8)

    def forward(self, filter_bank: Tensor) -> Tensor:
        """Speaker embedding, float32 [1, E], of a filter bank [1, M, 80]."""
        x = filter_bank.transpose(1, 2).unsqueeze(1)
        x = torch.relu(self.bn1(self.conv1(x)))  # no ceiling here
        third: Tensor = self.layer3(self.layer2(self.layer1(x)))
        fused: Tensor = self.fuse34(self.layer4(third), self.layer3_ds(third))
        return fused.mean(dim=-1).reshape(1, self.embedding_width)


def _stage(shapes: Shapes, stem: str, stride: int) -> nn.Sequential:
    count = len({key[len(stem) :].split(".")[0] for key in shapes if key.startswith(stem)})
    return nn.Sequential(
        *(Block(shapes, f"{stem}{i}.", stride if i == 0 else 1) for i in range(count))
    )


def load_eres2net(weights: Mapping[str, Tensor], where: str = "speaker weights") -> SpeakerNetwork:
    """Build the speaker network that the weights describe.

    Args:
        weights: the flat state dict of the file; its pooling and head are not used.
        where: file, to begin an error with.

    Returns:
        The network in float32, ready to answer.

    Raises:
        CheckpointError: a tensor is missing, left over, or of the wrong shape.
    """
    tensors = without(folded(weights, where), _UNUSED)
    shapes = {key: tensor.shape for key, tensor in tensors.items()}
    try:
        with torch.device("meta"):
            network = SpeakerNetwork(shapes)
    except KeyError as missing:
        raise CheckpointError(f"{where}: {missing.args[0]} is missing; not an ERes2NetV2") from None
    except (ValueError, IndexError, TypeError, ZeroDivisionError, RuntimeError) as fault:
        reason = f"{fault}".split("\n")[0]
        raise CheckpointError(f"{where}: shapes of no ERes2NetV2 ({reason:.120})") from None
    fill(network, tensors, where)
    return network
