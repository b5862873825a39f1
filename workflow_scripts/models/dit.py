"""The flow-matching estimator of v3 and v4: a diffusion transformer over mel frames.

It is cut where its parts change at different times: `condition` once per chunk, `modulations` once
per number of steps, `velocity` in every step. Batch is 1, float32. Frames may be padded: `mask`,
float32 [1, T, 1], is 1 for the valid ones, and their results are those without padding.
Attribute names are the checkpoint's keys.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MOST_FRAMES = 1024  # rows of the position tables; a chunk has at most 1000
EPSILON = 1e-6  # of every norm here
DEPTHWISE_KERNEL = 7
TIME_SCALE = 1000.0
HIDDEN_SCORE = -1e4  # of a padded key: its share underflows to exactly 0
PER_BLOCK = 6  # modulations: shift, scale and gate of attention, then of the feed-forward
AT_END = 2  # scale and shift: here the other way round, so does the reference


@dataclass(frozen=True)
class EstimatorSizes:
    """Sizes of the estimator.

    Attributes:
        mels: bands of the mel spectrogram.
        features: width C of the conditioning features.
        width: D.
        depth: blocks of the transformer.
        inner: width of a feed-forward.
        head: channels of one attention head.
        text_blocks: ConvNeXt blocks before it.
        text_inner: their inner width.
        position_kernel: kernel of the two position convolutions.
        position_groups: groups of these.
        times: frequencies of the time embedding, sine and cosine together.
    """

    mels: int
    features: int
    width: int
    depth: int
    inner: int
    head: int
    text_blocks: int
    text_inner: int
    position_kernel: int
    position_groups: int
    times: int


class ResponseNorm(nn.Module):
    """Global response normalisation: each channel weighed by its energy over all valid frames."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, width))
        self.beta = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Norm of [1, T, width] float32; the shape stays."""
        energy = torch.sqrt((x * mask).square().sum(dim=1, keepdim=True))
        share = energy / (energy.mean(dim=-1, keepdim=True) + EPSILON)
        return self.gamma * (x * share) + self.beta + x


class TextBlock(nn.Module):
    """A ConvNeXt-V2 block."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        padding = DEPTHWISE_KERNEL // 2
        self.dwconv = nn.Conv1d(width, width, DEPTHWISE_KERNEL, padding=padding, groups=width)
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.pwconv1 = nn.Linear(width, inner)
        self.grn = ResponseNorm(inner)
        self.pwconv2 = nn.Linear(inner, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map [1, T, C] float32 to the same shape."""
        mixed = self.dwconv((x * mask).transpose(1, 2)).transpose(1, 2)
        wide = F.gelu(self.pwconv1(self.norm(mixed)))
        y: Tensor = x + self.pwconv2(self.grn(wide, mask))
        return y


class TextEmbedding(nn.Module):
    """Features with their place in the chunk, through ConvNeXt blocks."""

    positions: Tensor

    def __init__(self, sizes: EstimatorSizes) -> None:
        super().__init__()
        width = sizes.features
        self.text_blocks = nn.ModuleList(
            TextBlock(width, sizes.text_inner) for _ in range(sizes.text_blocks)
        )
        self.register_buffer("positions", torch.empty(MOST_FRAMES, width), persistent=False)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Embed [1, T, C] float32; the shape stays."""
        x = features + self.positions[: features.shape[1]]
        for block in self.text_blocks:
            x = block(x, mask)
        return x


class PositionConvolutions(nn.Module):
    """Two grouped convolutions, each with a mish behind it."""

    def __init__(self, width: int, kernel: int, groups: int) -> None:
        super().__init__()
        self.conv1d = nn.ModuleDict(  # the checkpoint counts the activations too
            {
                place: nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=groups)
                for place in ("0", "2")
            }
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map [1, T, D] float32 to the same shape."""
        shown = mask.transpose(1, 2)
        x = x.transpose(1, 2)
        for conv in self.conv1d.values():
            x = F.mish(conv(x * shown))
        return x.transpose(1, 2)


class InputEmbedding(nn.Module):
    """Noisy mel, prompt mel and embedded features to the transformer's rows."""

    def __init__(self, sizes: EstimatorSizes) -> None:
        super().__init__()
        self.mels = sizes.mels
        self.proj = nn.Linear(2 * sizes.mels + sizes.features, sizes.width)
        self.conv_pos_embed = PositionConvolutions(
            sizes.width, sizes.position_kernel, sizes.position_groups
        )

    def condition(self, prompt: Tensor, text: Tensor) -> Tensor:
        """What does not change from step to step, float32 [1, T, D]."""
        weight = self.proj.weight[:, self.mels :]
        return F.linear(torch.cat([prompt, text], dim=-1), weight, self.proj.bias)

    def forward(self, x: Tensor, condition: Tensor, mask: Tensor) -> Tensor:
        """Rows, float32 [1, T, D], of a noisy mel [1, T, mels]."""
        rows = F.linear(x, self.proj.weight[:, : self.mels]) + condition
        embedded: Tensor = rows + self.conv_pos_embed(rows, mask)
        return embedded


class StepEmbedding(nn.Module):
    """A number of a step to a row."""

    frequencies: Tensor

    def __init__(self, times: int, width: int) -> None:
        super().__init__()
        self.time_mlp = nn.ModuleDict(
            {"0": nn.Linear(times, width), "2": nn.Linear(width, width)}  # 1 is the SiLU
        )
        self.register_buffer("frequencies", torch.empty(times // 2), persistent=False)

    def forward(self, numbers: Tensor) -> Tensor:
        """Rows, float32 [J, D], of float32 [J]."""
        angles = TIME_SCALE * numbers.unsqueeze(-1) * self.frequencies
        waves = torch.cat([angles.sin(), angles.cos()], dim=-1)
        rows: Tensor = self.time_mlp["2"](F.silu(self.time_mlp["0"](waves)))
        return rows


class Modulation(nn.Module):
    """Scales and shifts of an embedded time."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.count = count
        self.linear = nn.Linear(width, count * width)

    def forward(self, time: Tensor) -> Tensor:
        """Float32 [J, count, D] of an activated time [J, D]."""
        rows: Tensor = self.linear(time)
        return rows.reshape(rows.shape[0], self.count, -1)


class Attention(nn.Module):
    """Full attention in which the first head alone knows places."""

    def __init__(self, width: int, head: int) -> None:
        super().__init__()
        self.head, self.heads, self.width = head, width // head, width
        self.to_q = nn.Linear(width, width)
        self.to_k = nn.Linear(width, width)
        self.to_v = nn.Linear(width, width)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor], bias: Tensor) -> Tensor:
        """Map [1, T, D] float32 to the same shape.

        Args:
            x: rows.
            turns: cosines and sines of the first head's angles, [T, head / 2] each.
            bias: [1, 1, 1, T], added to the scores of each key.
        """
        split = (1, -1, self.heads, self.head)
        query = self._turned(self.to_q(x) / math.sqrt(self.head), turns).reshape(split)
        key = self._turned(self.to_k(x), turns).reshape(split)
        value = self.to_v(x).reshape(split).transpose(1, 2)
        scores = query.transpose(1, 2) @ key.permute(0, 2, 3, 1) + bias
        mixed = (torch.softmax(scores, dim=-1) @ value).transpose(1, 2)
        y: Tensor = self.to_out[0](mixed.reshape(1, -1, self.width))
        return y

    def _turned(self, rows: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        """Rows [1, T, D] with neighbouring pairs of the first head's channels turned."""
        cosine, sine = turns
        even, odd = rows[..., : self.head : 2], rows[..., 1 : self.head : 2]
        pairs = torch.stack([even * cosine - odd * sine, odd * cosine + even * sine], dim=-1)
        return torch.cat([pairs.flatten(-2), rows[..., self.head :]], dim=-1)


class FeedForward(nn.Module):
    """Two linear layers with a GELU (its tanh form) between."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        # the checkpoint counts activation and dropout: ff.0.0 and ff.2
        self.ff = nn.ModuleDict(
            {"0": nn.ModuleDict({"0": nn.Linear(width, inner)}), "2": nn.Linear(inner, width)}
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map [1, T, D] float32 to the same shape."""
        inner = self.ff["0"]["0"](x)  # type: ignore[index] # a ModuleDict in a ModuleDict
        y: Tensor = self.ff["2"](F.gelu(inner, approximate="tanh"))
        return y


class Block(nn.Module):
    """Attention and feed-forward, each shifted, scaled and gated by the time."""

    def __init__(self, sizes: EstimatorSizes) -> None:
        super().__init__()
        self.width = sizes.width
        self.attn_norm = Modulation(sizes.width, PER_BLOCK)
        self.attn = Attention(sizes.width, sizes.head)
        self.ff = FeedForward(sizes.width, sizes.inner)

    def forward(
        self, x: Tensor, by_time: Tensor, turns: tuple[Tensor, Tensor], bias: Tensor
    ) -> Tensor:
        """Map rows [1, T, D] under modulations [1, 6, D]; arguments else as of Attention."""
        shift, scale, gate, feed_shift, feed_scale, feed_gate = rows_of(by_time, PER_BLOCK)
        x = x + gate * self.attn(normed(x, self.width) * (1 + scale) + shift, turns, bias)
        y: Tensor = x + feed_gate * self.ff(normed(x, self.width) * (1 + feed_scale) + feed_shift)
        return y


class Estimator(nn.Module):
    """Noisy mel, prompt mel, features and time to the velocity of the mel."""

    cosines: Tensor
    sines: Tensor

    def __init__(self, sizes: EstimatorSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.time_embed = StepEmbedding(sizes.times, sizes.width)
        self.d_embed = StepEmbedding(sizes.times, sizes.width)
        self.text_embed = TextEmbedding(sizes)
        self.input_embed = InputEmbedding(sizes)
        self.rotary_embed = nn.ParameterDict({"inv_freq": torch.empty(sizes.head // 2)})
        self.transformer_blocks = nn.ModuleList(Block(sizes) for _ in range(sizes.depth))
        self.norm_out = Modulation(sizes.width, AT_END)
        self.proj_out = nn.Linear(sizes.width, sizes.mels)
        for name in ("cosines", "sines"):
            self.register_buffer(name, torch.empty(MOST_FRAMES, sizes.head // 2), persistent=False)

    def tabulate(self) -> None:
        """Compute what follows from sizes and `inv_freq`; call it once the weights are there."""
        angles = torch.outer(torch.arange(MOST_FRAMES).float(), self.rotary_embed["inv_freq"])
        self.cosines, self.sines = angles.cos(), angles.sin()
        self.text_embed.positions = _positions(self.sizes.features)
        half = self.sizes.times // 2
        steps = torch.arange(half).float() * -(math.log(10000) / (half - 1))
        self.time_embed.frequencies = self.d_embed.frequencies = steps.exp()

    def modulations(self, times: Tensor, step_sizes: Tensor) -> Tensor:
        """All scales and shifts, float32 [J, 6 * depth + 2, D], of times and step sizes [J]."""
        active = F.silu(self.time_embed(times) + self.d_embed(step_sizes))
        rows = [block.get_submodule("attn_norm")(active) for block in self.transformer_blocks]
        return torch.cat([*rows, self.norm_out(active)], dim=1)

    def condition(self, features: Tensor, prompt: Tensor, mask: Tensor) -> Tensor:
        """The constant half of the input, float32 [1, T, D].

        Args:
            features: float32 [1, C, T], of prompt and new frames.
            prompt: float32 [1, mels, T], normalised mel; 0 in the new frames.
            mask: float32 [1, T, 1].
        """
        text = self.text_embed(features.transpose(1, 2), mask)
        return self.input_embed.condition(prompt.transpose(1, 2), text)

    def velocity(self, x: Tensor, condition: Tensor, by_time: Tensor, mask: Tensor) -> Tensor:
        """Velocity, float32 [1, mels, T].

        Args:
            x: float32 [1, mels, T], the mel on its way.
            condition: float32 [1, T, D].
            by_time: float32 [1, 6 * depth + 2, D].
            mask: float32 [1, T, 1].
        """
        rows = self.input_embed(x.transpose(1, 2), condition, mask)
        turns = self.cosines[: x.shape[2]], self.sines[: x.shape[2]]
        bias = ((1 - mask) * HIDDEN_SCORE).reshape(1, 1, 1, -1)
        for place, block in enumerate(self.transformer_blocks):
            modulation = by_time[:, place * PER_BLOCK : (place + 1) * PER_BLOCK]
            rows = block(rows, modulation, turns, bias)
        scale, shift = rows_of(by_time[:, -AT_END:], AT_END)
        out: Tensor = self.proj_out(normed(rows, self.sizes.width) * (1 + scale) + shift)
        return out.transpose(1, 2)

    def forward(
        self, x: Tensor, prompt: Tensor, features: Tensor, time: Tensor, step_size: Tensor
    ) -> Tensor:
        """Velocity, float32 [1, mels, T], at one time; all frames are valid.

        Args:
            x: float32 [1, mels, T].
            prompt: float32 [1, mels, T].
            features: float32 [1, C, T].
            time: float32 [1].
            step_size: float32 [1].
        """
        mask = torch.ones(1, x.shape[2], 1)
        condition = self.condition(features, prompt, mask)
        return self.velocity(x, condition, self.modulations(time, step_size), mask)


def rows_of(modulations: Tensor, count: int) -> list[Tensor]:
    """Each row of [1, count, D] as [1, 1, D]."""
    return [modulations[:, row : row + 1] for row in range(count)]


def normed(x: Tensor, width: int) -> Tensor:
    """Layer norm without weights of [1, T, width] float32."""
    return F.layer_norm(x, (width,), eps=EPSILON)


def _positions(width: int) -> Tensor:
    """Cosines, then sines, of each place; in float32, as the reference builds them."""
    frequencies = 1.0 / 10000 ** (torch.arange(0, width, 2)[: width // 2].float() / width)
    angles = torch.outer(torch.arange(MOST_FRAMES).float(), frequencies)
    return torch.cat([angles.cos(), angles.sin()], dim=-1)
