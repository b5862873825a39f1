"""Encoders of the acoustic models: tokens, phones and style to a row of every frame.

Batch is 1 everywhere, so there are no masks. Attribute names are the checkpoint's keys.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WINDOW = 4  # the relative tables cover distances of -4 .. 4 rows
MRTE_WIDTH = 512
MRTE_HEADS = 4
SSL_WIDTH = 768


@dataclass(frozen=True)
class EncoderSizes:
    """Sizes of the prior encoder.

    Attributes:
        hidden: width D of the encoders.
        filters: inner width of their feed-forward part.
        heads: attention heads.
        layers: layers of the phone encoder; the other two have half as many.
        kernel: kernel of the feed-forward convolutions.
        latent: width I of the latent; of no account where no latent is drawn.
        symbols: rows of the phone embedding.
        mixer: width of the attention in which frames meet phones, and of the style there.
        ssl: width of a codebook row.
    """

    hidden: int
    filters: int
    heads: int
    layers: int
    kernel: int
    latent: int
    symbols: int
    mixer: int = MRTE_WIDTH
    ssl: int = SSL_WIDTH


class ChannelNorm(nn.Module):
    """Layer norm over the channels of [1, D, N]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))
        self.beta = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Norm of [1, D, N] float32; the shape stays."""
        normed = F.layer_norm(
            x.transpose(1, 2), (self.gamma.shape[0],), self.gamma, self.beta, eps=1e-5
        )
        return normed.transpose(1, 2)


@dataclass(frozen=True)
class Places:
    """Where the relative terms of N rows are found, the same in every layer.

    Attributes:
        of_keys: int64 [1, H, N, N], column of each pair of rows in a table of distances that
            begins and ends with a column of zeros, for pairs farther apart than WINDOW.
        of_values: int64 [1, H, N, 9], the row at each distance of each row, within 0 .. N-1.
        exist: float32 [N, 9], 1 where there is such a row.
    """

    of_keys: Tensor
    of_values: Tensor
    exist: Tensor


def places(like: Tensor, heads: int) -> Places:
    """The places for as many rows as `like` [1, D, N] has; all shapes follow N, 1 included."""
    length = like.shape[2]
    rows = torch.arange(length)
    ends = WINDOW + 1
    distance = rows.unsqueeze(0) - rows.unsqueeze(1)
    others = rows.unsqueeze(1) + torch.arange(-WINDOW, WINDOW + 1)
    within = others.clamp(min=0).minimum(rows[-1:])
    each_head = torch.zeros(1, heads, 1, 1, dtype=torch.int64)
    return Places(
        of_keys=each_head + (distance.clamp(-ends, ends) + ends),
        of_values=each_head + within,
        exist=(within == others).to(like.dtype),
    )


class Projections(nn.Module):
    """What any attention has: heads, and the four projections around them."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.head_width = heads, width // heads
        self.conv_q = nn.Conv1d(width, width, 1)
        self.conv_k = nn.Conv1d(width, width, 1)
        self.conv_v = nn.Conv1d(width, width, 1)
        self.conv_o = nn.Conv1d(width, width, 1)

    def by_head(self, asking: Tensor, asked: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries of [1, D, N], scaled, keys and values of [1, D, M], float32.

        Returns:
            [1, H, N, A], [1, H, A, M] and [1, H, M, A].
        """
        split = (1, self.heads, self.head_width, -1)
        query = self.conv_q(asking).reshape(split).transpose(2, 3) / math.sqrt(self.head_width)
        key = self.conv_k(asked).reshape(split)
        return query, key, self.conv_v(asked).reshape(split).transpose(2, 3)

    def joined(self, mixed: Tensor) -> Tensor:
        """All heads' [1, H, N, A] float32 as [1, D, N]."""
        together = mixed.transpose(2, 3).reshape(1, self.heads * self.head_width, -1)
        out: Tensor = self.conv_o(together)
        return out


class RelativeAttention(Projections):
    """Global self-attention with learned terms for distances up to WINDOW rows."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads)
        self.emb_rel_k = nn.Parameter(torch.zeros(1, 2 * WINDOW + 1, self.head_width))
        self.emb_rel_v = nn.Parameter(torch.zeros(1, 2 * WINDOW + 1, self.head_width))

    def forward(self, x: Tensor, where: Places) -> Tensor:
        """Attend over [1, D, N] float32; the shape stays."""
        query, key, value = self.by_head(x, x)
        by_distance = F.pad(query @ self.emb_rel_k.transpose(1, 2), (1, 1))
        share = torch.softmax(query @ key + by_distance.gather(3, where.of_keys), dim=-1)
        near = share.gather(3, where.of_values) * where.exist
        return self.joined(share @ value + near @ self.emb_rel_v)


class FeedForward(nn.Module):
    """Two convolutions with a ReLU between."""

    def __init__(self, width: int, filters: int, kernel: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv1d(width, filters, kernel, padding=kernel // 2)
        self.conv_2 = nn.Conv1d(filters, width, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Map [1, D, N] float32 to the same shape."""
        y: Tensor = self.conv_2(torch.relu(self.conv_1(x)))
        return y


class Encoder(nn.Module):
    """Post-norm transformer over [1, D, N]."""

    def __init__(self, sizes: EncoderSizes, layers: int) -> None:
        super().__init__()
        self.heads = sizes.heads
        width, count = sizes.hidden, range(layers)
        self.attn_layers = nn.ModuleList(RelativeAttention(width, sizes.heads) for _ in count)
        self.norm_layers_1 = nn.ModuleList(ChannelNorm(width) for _ in count)
        self.ffn_layers = nn.ModuleList(
            FeedForward(width, sizes.filters, sizes.kernel) for _ in count
        )
        self.norm_layers_2 = nn.ModuleList(ChannelNorm(width) for _ in count)

    def forward(self, x: Tensor) -> Tensor:
        """Encode [1, D, N] float32; the shape stays."""
        layers = zip(
            self.attn_layers, self.norm_layers_1, self.ffn_layers, self.norm_layers_2, strict=True
        )
        where = places(x, self.heads)
        for attend, norm_1, feed, norm_2 in layers:
            x = norm_1(x + attend(x, where))
            x = norm_2(x + feed(x))
        return x


class CrossAttention(Projections):
    """Attention of frames over phones."""

    def forward(self, frames: Tensor, phones: Tensor) -> Tensor:
        """Mix phones [1, B, X] for each of frames [1, B, N]; float32 [1, B, N]."""
        query, key, value = self.by_head(frames, phones)
        return self.joined(torch.softmax(query @ key, dim=-1) @ value)


class FramePhoneMixer(nn.Module):
    """Frames meet phones and style (the reference's MRTE)."""

    def __init__(self, hidden: int, width: int) -> None:
        super().__init__()
        self.cross_attention = CrossAttention(width, MRTE_HEADS)
        self.c_pre = nn.Conv1d(hidden, width, 1)
        self.text_pre = nn.Conv1d(hidden, width, 1)
        self.c_post = nn.Conv1d(width, hidden, 1)

    def forward(self, frames: Tensor, phones: Tensor, style: Tensor) -> Tensor:
        """Mix frames [1, D, N] with phones [1, D, X] and style [1, B, 1]; float32 [1, D, N]."""
        content = self.c_pre(frames)
        mixed = self.cross_attention(content, self.text_pre(phones))
        out: Tensor = self.c_post(mixed + content + style)
        return out


def resampled(frames: Tensor, index: Tensor, fraction: Tensor) -> Tensor:
    """Read frames between their places, which is how speed acts.

    Args:
        frames: float32 [1, D, 2T].
        index: int64 [N], the frame at or before each new frame.
        fraction: float32 [N], how far towards the next frame; the last frame has itself as next.

    Returns:
        float32 [1, D, N].
    """
    following = torch.cat([frames[:, :, 1:], frames[:, :, -1:]], dim=2)
    before = frames.index_select(2, index)
    return before + fraction * (following.index_select(2, index) - before)


class ContentEncoder(nn.Module):
    """Semantic tokens' vectors, phones and style to one encoded row of every frame."""

    def __init__(self, sizes: EncoderSizes) -> None:
        super().__init__()
        self.ssl_proj = nn.Conv1d(sizes.ssl, sizes.hidden, 1)
        self.encoder_ssl = Encoder(sizes, sizes.layers // 2)
        self.encoder_text = Encoder(sizes, sizes.layers)
        self.text_embedding = nn.Embedding(sizes.symbols, sizes.hidden)
        self.mrte = FramePhoneMixer(sizes.hidden, sizes.mixer)
        self.encoder2 = Encoder(sizes, sizes.layers // 2)

    def forward(self, vectors: Tensor, phones: Tensor, style: Tensor) -> Tensor:
        """Encode what is said, before speed.

        Args:
            vectors: float32 [1, W, 2T], codebook rows at 50 Hz.
            phones: int64 [1, X].
            style: float32 [1, B, 1].

        Returns:
            float32 [1, D, 2T].
        """
        frames = self.encoder_ssl(self.ssl_proj(vectors))
        text = self.encoder_text(self.text_embedding(phones).transpose(1, 2))
        encoded: Tensor = self.encoder2(self.mrte(frames, text, style))
        return encoded


class PriorEncoder(ContentEncoder):
    """The same, and from it mean and log-scale of every latent frame."""

    def __init__(self, sizes: EncoderSizes) -> None:
        super().__init__(sizes)
        self.latent = sizes.latent
        self.proj = nn.Conv1d(sizes.hidden, 2 * sizes.latent, 1)

    def moments(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-scale, float32 [1, I, N] each, of encoded frames [1, D, N]."""
        mean, log_scale = self.proj(encoded).split(self.latent, dim=1)
        return mean, log_scale
