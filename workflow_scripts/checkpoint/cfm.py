"""Sizes and tensors of a v3 or v4 acoustic model: read from its shapes, since no config has them.

Torch-free. Both families have the same tensors.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from runtime.errors import CheckpointError
from workflow_scripts.checkpoint.layout import (
    CODES,
    Named,
    Shape,
    conv,
    encoder,
    linear,
    normed_conv,
    style_encoder,
)

CODEBOOK = "quantizer.vq.layers.0._codebook"
BLOCKS = "cfm.estimator.transformer_blocks"
TEXT_BLOCKS = "cfm.estimator.text_embed.text_blocks"
WAVE_KERNEL = 5
TEXT_KERNEL = 7
PER_BLOCK = 6  # scales, shifts and gates of a block
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")


@dataclass(frozen=True)
class CfmSizes:
    """Sizes of a flow-matching acoustic model.

    Attributes:
        ssl: width of ssl features and of a codebook row.
        symbols: rows of the phone embedding.
        hidden_channels: width of the content encoder.
        filter_channels: inner width of its feed-forwards.
        kernel_size: of their convolutions.
        n_heads: its attention heads.
        n_layers: of its phone encoder; the other two have half as many.
        latent: channels of its last projection, which nothing uses.
        gin_channels: width of the style.
        features: width of the conditioning features.
        wave_layers: gated convolutions behind the content encoder.
        mels: bands of the mel spectrogram.
        width: of the transformer.
        depth: its blocks.
        inner: width of its feed-forwards.
        head: channels of one of its heads.
        text_blocks: ConvNeXt blocks before it.
        text_inner: their inner width.
        position_kernel: kernel of its position convolutions.
        position_groups: groups of these.
        times: frequencies of its time embedding.
    """

    ssl: int
    symbols: int
    hidden_channels: int
    filter_channels: int
    kernel_size: int
    n_heads: int
    n_layers: int
    latent: int
    gin_channels: int
    features: int
    wave_layers: int
    mels: int
    width: int
    depth: int
    inner: int
    head: int
    text_blocks: int
    text_inner: int
    position_kernel: int
    position_groups: int
    times: int


FULL = CfmSizes(
    ssl=768,
    symbols=732,
    hidden_channels=192,
    filter_channels=768,
    kernel_size=3,
    n_heads=2,
    n_layers=6,
    latent=192,
    gin_channels=512,
    features=512,
    wave_layers=8,
    mels=100,
    width=1024,
    depth=22,
    inner=2048,
    head=64,
    text_blocks=4,
    text_inner=1024,
    position_kernel=31,
    position_groups=16,
    times=256,
)


class Shapes:
    """Numbers out of the shapes of a file."""

    def __init__(self, shapes: Mapping[str, Sequence[int]], where: str) -> None:
        self._shapes = shapes
        self._where = where

    def dim(self, name: str, axis: int) -> int:
        """One dim, at least 1."""
        shape = self._shapes.get(name)
        if shape is None:
            raise CheckpointError(
                f"{self._where}: {name} is missing; the file is incomplete, take it anew"
            )
        if axis >= len(shape) or shape[axis] < 1:
            raise CheckpointError(
                f"{self._where}: {name} is {list(shape)}; take the file of a finished training"
            )
        return shape[axis]

    def count(self, stem: str) -> int:
        """How many numbers follow the stem in names."""
        places = [name[len(stem) + 1 :] for name in self._shapes if name.startswith(f"{stem}.")]
        return len({place.split(".")[0] for place in places})


def cfm_sizes(shapes: Mapping[str, Sequence[int]], where: str) -> CfmSizes:
    """Sizes of a v3 or v4 file.

    Args:
        shapes: of its tensors.
        where: opens the error line.

    Raises:
        CheckpointError: a tensor that shows a size is missing or flat.
    """
    of = Shapes(shapes, where)
    estimator, text = "cfm.estimator", f"{TEXT_BLOCKS}.0.pwconv1.weight"
    position = f"{estimator}.input_embed.conv_pos_embed.conv1d.0.weight"
    hidden = of.dim("enc_p.ssl_proj.weight", 0)
    width = of.dim(f"{estimator}.proj_out.weight", 1)
    return CfmSizes(
        ssl=of.dim("ssl_proj.weight", 0),
        symbols=of.dim("enc_p.text_embedding.weight", 0),
        hidden_channels=hidden,
        filter_channels=of.dim("enc_p.encoder_text.ffn_layers.0.conv_1.weight", 0),
        kernel_size=of.dim("enc_p.encoder_text.ffn_layers.0.conv_1.weight", 2),
        n_heads=max(1, hidden // of.dim("enc_p.encoder_text.attn_layers.0.emb_rel_k", 2)),
        n_layers=of.count("enc_p.encoder_text.attn_layers"),
        latent=max(1, of.dim("enc_p.proj.weight", 0) // 2),
        gin_channels=of.dim("enc_p.mrte.c_pre.weight", 0),
        features=of.dim("bridge.0.weight", 0),
        wave_layers=of.count("wns1.enc.in_layers"),
        mels=of.dim(f"{estimator}.proj_out.weight", 0),
        width=width,
        depth=of.count(BLOCKS),
        inner=of.dim(f"{BLOCKS}.0.ff.ff.0.0.weight", 0),
        head=2 * of.dim(f"{estimator}.rotary_embed.inv_freq", 0),
        text_blocks=of.count(TEXT_BLOCKS),
        text_inner=of.dim(text, 0),
        position_kernel=of.dim(position, 2),
        position_groups=max(1, width // of.dim(position, 1)),
        times=of.dim(f"{estimator}.time_embed.time_mlp.0.weight", 1),
    )


def cfm_layout(sizes: CfmSizes) -> dict[str, Shape]:
    """Every tensor of a whole v3 or v4 file.

    Args:
        sizes: of the model.

    Returns:
        Shape by name; weight norms as `weight_g` and `weight_v`.
    """
    layout = dict(_content(sizes))
    layout |= dict(style_encoder(704, sizes.gin_channels))
    layout |= {"ssl_proj.weight": (sizes.ssl, sizes.ssl, 2), "ssl_proj.bias": (sizes.ssl,)}
    layout |= before_estimator(sizes)
    return layout | dict(_estimator(sizes))


def _content(sizes: CfmSizes) -> Iterator[Named]:
    width, style = sizes.hidden_channels, sizes.gin_channels
    yield from conv("enc_p.ssl_proj", width, sizes.ssl).items()
    yield from encoder("enc_p.encoder_ssl", sizes, sizes.n_layers // 2)
    yield from encoder("enc_p.encoder_text", sizes, sizes.n_layers)
    yield "enc_p.text_embedding.weight", (sizes.symbols, width)
    for part in "qkvo":
        yield from conv(f"enc_p.mrte.cross_attention.conv_{part}", style, style).items()
    yield from conv("enc_p.mrte.c_pre", style, width).items()
    yield from conv("enc_p.mrte.text_pre", style, width).items()
    yield from conv("enc_p.mrte.c_post", width, style).items()
    yield from encoder("enc_p.encoder2", sizes, sizes.n_layers // 2)
    yield from conv("enc_p.proj", 2 * sizes.latent, width).items()


class WaveSizes(Protocol):
    """What the layout of the gated convolutions follows from."""

    @property
    def features(self) -> int:
        """Width of a row."""

    @property
    def wave_layers(self) -> int:
        """How many convolutions."""

    @property
    def gin_channels(self) -> int:
        """Width of the style."""


class SharedSizes(WaveSizes, Protocol):
    """What the layout that whole files and LoRA files share follows from."""

    @property
    def ssl(self) -> int:
        """Width of a codebook row."""

    @property
    def hidden_channels(self) -> int:
        """Width of the content encoder."""

    @property
    def mels(self) -> int:
        """Bands of a mel spectrogram."""


def before_estimator(sizes: SharedSizes) -> dict[str, Shape]:
    """The codebook, and what leads from the content encoder to the estimator."""
    layout: dict[str, Shape] = {
        f"{CODEBOOK}.inited": (1,),
        f"{CODEBOOK}.cluster_size": (CODES,),
        f"{CODEBOOK}.embed": (CODES, sizes.ssl),
        f"{CODEBOOK}.embed_avg": (CODES, sizes.ssl),
    }
    layout |= conv("bridge.0", sizes.features, sizes.hidden_channels)
    layout |= dict(waves(sizes)) | conv("linear_mel", sizes.mels, sizes.features)
    return layout


def waves(sizes: WaveSizes) -> Iterator[Named]:
    """The gated convolutions behind the content encoder."""
    width, layers = sizes.features, sizes.wave_layers
    yield from conv("wns1.pre", width, width).items()
    for layer in range(layers):
        name = f"wns1.enc.in_layers.{layer}"
        yield from normed_conv(name, 2 * width, width, WAVE_KERNEL).items()
    for layer in range(layers):
        to = width if layer == layers - 1 else 2 * width
        yield from normed_conv(f"wns1.enc.res_skip_layers.{layer}", to, width, 1).items()
    conditions = 2 * width * layers
    yield from normed_conv("wns1.enc.cond_layer", conditions, sizes.gin_channels, 1).items()
    yield from conv("wns1.proj", width, width).items()


def _estimator(sizes: CfmSizes) -> Iterator[Named]:
    stem, width = "cfm.estimator", sizes.width
    for embedding in ("time_embed", "d_embed"):
        yield from linear(f"{stem}.{embedding}.time_mlp.0", width, sizes.times).items()
        yield from linear(f"{stem}.{embedding}.time_mlp.2", width, width).items()
    for block in range(sizes.text_blocks):
        yield from _text_block(f"{TEXT_BLOCKS}.{block}", sizes)
    inputs = 2 * sizes.mels + sizes.features
    yield from linear(f"{stem}.input_embed.proj", width, inputs).items()
    for place in (0, 2):
        name = f"{stem}.input_embed.conv_pos_embed.conv1d.{place}"
        group = width // sizes.position_groups
        yield from conv(name, width, group, sizes.position_kernel).items()
    yield f"{stem}.rotary_embed.inv_freq", (sizes.head // 2,)
    for block in range(sizes.depth):
        name = f"{BLOCKS}.{block}"
        yield from linear(f"{name}.attn_norm.linear", PER_BLOCK * width, width).items()
        for part in ATTENTION:
            yield from linear(f"{name}.attn.{part}", width, width).items()
        yield from linear(f"{name}.ff.ff.0.0", sizes.inner, width).items()
        yield from linear(f"{name}.ff.ff.2", width, sizes.inner).items()
    yield from linear(f"{stem}.norm_out.linear", 2 * width, width).items()
    yield from linear(f"{stem}.proj_out", sizes.mels, width).items()


def _text_block(name: str, sizes: CfmSizes) -> Iterator[Named]:
    width, inner = sizes.features, sizes.text_inner
    yield from conv(f"{name}.dwconv", width, 1, TEXT_KERNEL).items()
    yield from {f"{name}.norm.weight": (width,), f"{name}.norm.bias": (width,)}.items()
    yield from linear(f"{name}.pwconv1", inner, width).items()
    yield from {f"{name}.grn.{part}": (1, 1, inner) for part in ("gamma", "beta")}.items()
    yield from linear(f"{name}.pwconv2", width, inner).items()
