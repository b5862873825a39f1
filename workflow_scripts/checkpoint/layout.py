"""Names and shapes of all tensors of a checkpoint, by rule from its sizes.

What a file must hold to be whole, and what a random one is made of. Torch-free.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from runtime.errors import CheckpointError
from workflow_scripts.checkpoint.families import FAMILIES, SYMBOL_TABLES
from workflow_scripts.checkpoint.sizes import RESBLOCK_DILATIONS, SovitsSizes, T2SSizes

_NUMBER = re.compile(r"\d+")

Shape = tuple[int, ...]
Named = tuple[str, Shape]

TEXT_FEATURES = 1024
SSL = 768
CODES = 1024
SPEAKER = 20480
STYLE = 512  # width that the cross attention wants
WINDOW = 4  # of the relative attention
STYLE_ENCODER = 128
FLOWS = (0, 2, 4, 6)  # odd ones only reverse the channels
FLOW_LAYERS = 4


def t2s_layout(sizes: T2SSizes) -> dict[str, Shape]:
    """Every tensor of a T2S file.

    Args:
        sizes: of the transformer.

    Returns:
        Shape by name, in the order of the file.
    """
    hidden = sizes.hidden
    layout: dict[str, Shape] = {
        "model.bert_proj.weight": (hidden, TEXT_FEATURES),
        "model.bert_proj.bias": (hidden,),
        "model.ar_text_embedding.word_embeddings.weight": (sizes.phone_rows, hidden),
        "model.ar_text_position.alpha": (1,),
        "model.ar_audio_embedding.word_embeddings.weight": (sizes.vocabulary, hidden),
        "model.ar_audio_position.alpha": (1,),
    }
    for layer in range(sizes.layers):
        block = f"model.h.layers.{layer}"
        layout |= {
            f"{block}.self_attn.in_proj_weight": (3 * hidden, hidden),
            f"{block}.self_attn.in_proj_bias": (3 * hidden,),
        }
        layout |= linear(f"{block}.self_attn.out_proj", hidden, hidden)
        layout |= linear(f"{block}.linear1", 4 * hidden, hidden)
        layout |= linear(f"{block}.linear2", hidden, 4 * hidden)
        for norm in ("norm1", "norm2"):
            layout |= {f"{block}.{norm}.weight": (hidden,), f"{block}.{norm}.bias": (hidden,)}
    return layout | {"model.ar_predict_layer.weight": (sizes.vocabulary, hidden)}


def sovits_layout(sizes: SovitsSizes, family: str) -> dict[str, Shape]:
    """Every tensor of a SoVITS file that inference needs.

    Args:
        sizes: of the acoustic model.
        family: a key of FAMILIES.

    Returns:
        Shape by name, in the order of the file; weight norms as `weight_g` and `weight_v`.
    """
    row = FAMILIES[family]
    style = sizes.gin_channels
    layout = dict(_prior(sizes, SYMBOL_TABLES[row.symbols].sovits_rows))
    layout |= dict(_vocoder(sizes))
    for flow in FLOWS:
        layout |= dict(_flow(f"flow.flows.{flow}", sizes))
    layout |= dict(style_encoder(row.spectrogram_bins, style))
    layout |= {"ssl_proj.weight": (SSL, SSL, 2), "ssl_proj.bias": (SSL,)}
    codebook = "quantizer.vq.layers.0._codebook"
    layout |= {
        f"{codebook}.inited": (1,),
        f"{codebook}.cluster_size": (CODES,),
        f"{codebook}.embed": (CODES, SSL),
        f"{codebook}.embed_avg": (CODES, SSL),
    }
    if row.needs_speaker:
        layout |= linear("sv_emb", style, SPEAKER) | linear("ge_to512", STYLE, style)
        layout |= {"prelu.weight": (style,)}
    return layout


def check_layout(
    shapes: Mapping[str, Sequence[int]], layout: Mapping[str, Shape], where: str
) -> None:
    """Refuse a file that lacks a tensor or holds one of another shape.

    Args:
        shapes: what the file holds.
        layout: what its config asks for.
        where: opens the error line.

    Raises:
        CheckpointError: the first tensor that is missing, misshapen, or of a layer too many.
    """
    missing = [name for name in layout if name not in shapes]
    if missing:
        raise CheckpointError(
            f"{where}: {missing[0]} is missing (with {len(missing) - 1} more of {len(layout)});"
            " the file is incomplete, take it anew"
        )
    beyond = sorted(_beyond(shapes, layout))
    if beyond:
        raise CheckpointError(
            f"{where}: {beyond[0]} is more than its config asks for; take the file of a finished"
            " training"
        )
    for name, shape in layout.items():
        if tuple(shapes[name]) != shape:
            raise CheckpointError(
                f"{where}: {name} is {list(shapes[name])}, its config asks for {list(shape)};"
                " take the file of a finished training"
            )


def _beyond(shapes: Mapping[str, Sequence[int]], layout: Mapping[str, Shape]) -> Iterator[str]:
    """Tensors of one more layer than the layout has, which would be left out in silence."""
    numbered = {_NUMBER.sub("#", name) for name in layout}
    return (name for name in shapes if name not in layout and _NUMBER.sub("#", name) in numbered)


class EncoderSizes(Protocol):
    """What the layout of a relative encoder follows from."""

    @property
    def hidden_channels(self) -> int:
        """Width of a row."""

    @property
    def filter_channels(self) -> int:
        """Inner width of its feed-forwards."""

    @property
    def n_heads(self) -> int:
        """Attention heads."""

    @property
    def kernel_size(self) -> int:
        """Of the convolutions in its feed-forwards."""


def linear(name: str, to: int, of: int) -> dict[str, Shape]:
    """A linear layer."""
    return {f"{name}.weight": (to, of), f"{name}.bias": (to,)}


def conv(name: str, to: int, of: int, kernel: int = 1) -> dict[str, Shape]:
    """A convolution."""
    return {f"{name}.weight": (to, of, kernel), f"{name}.bias": (to,)}


def normed_conv(name: str, to: int, of: int, kernel: int) -> dict[str, Shape]:
    """A convolution with weight norm."""
    return {
        f"{name}.bias": (to,),
        f"{name}.weight_g": (to, 1, 1),
        f"{name}.weight_v": (to, of, kernel),
    }


def _prior(sizes: SovitsSizes, rows: int) -> Iterator[Named]:
    width = sizes.hidden_channels
    yield from conv("enc_p.ssl_proj", width, SSL).items()
    yield from encoder("enc_p.encoder_ssl", sizes, sizes.n_layers // 2)
    yield from encoder("enc_p.encoder_text", sizes, sizes.n_layers)
    yield "enc_p.text_embedding.weight", (rows, width)
    for part in "qkvo":
        yield from conv(f"enc_p.mrte.cross_attention.conv_{part}", STYLE, STYLE).items()
    yield from conv("enc_p.mrte.c_pre", STYLE, width).items()
    yield from conv("enc_p.mrte.text_pre", STYLE, width).items()
    yield from conv("enc_p.mrte.c_post", width, STYLE).items()
    yield from encoder("enc_p.encoder2", sizes, sizes.n_layers // 2)
    yield from conv("enc_p.proj", 2 * sizes.inter_channels, width).items()


def encoder(name: str, sizes: EncoderSizes, layers: int) -> Iterator[Named]:
    """An encoder of attention with relative places and feed-forwards."""
    width, wide, kernel = sizes.hidden_channels, sizes.filter_channels, sizes.kernel_size
    for layer in range(layers):
        for table in ("emb_rel_k", "emb_rel_v"):
            shape = (1, 2 * WINDOW + 1, width // sizes.n_heads)
            yield f"{name}.attn_layers.{layer}.{table}", shape
        for part in "qkvo":
            yield from conv(f"{name}.attn_layers.{layer}.conv_{part}", width, width).items()
    yield from _norms(f"{name}.norm_layers_1", width, layers)
    for layer in range(layers):
        yield from conv(f"{name}.ffn_layers.{layer}.conv_1", wide, width, kernel).items()
        yield from conv(f"{name}.ffn_layers.{layer}.conv_2", width, wide, kernel).items()
    yield from _norms(f"{name}.norm_layers_2", width, layers)


def _norms(name: str, width: int, layers: int) -> Iterator[Named]:
    for layer in range(layers):
        yield f"{name}.{layer}.gamma", (width,)
        yield f"{name}.{layer}.beta", (width,)


def _vocoder(sizes: SovitsSizes) -> Iterator[Named]:
    first = sizes.upsample_initial_channel
    stages = range(len(sizes.upsample_rates))
    yield from conv("dec.conv_pre", first, sizes.inter_channels, 7).items()
    for stage, kernel in enumerate(sizes.upsample_kernel_sizes):
        width = first >> stage
        yield f"dec.ups.{stage}.bias", (width // 2,)
        yield f"dec.ups.{stage}.weight_g", (width, 1, 1)
        yield f"dec.ups.{stage}.weight_v", (width, width // 2, kernel)
    for stage in stages:
        width = first >> (stage + 1)
        for place, kernel in enumerate(sizes.resblock_kernel_sizes):
            block = f"dec.resblocks.{stage * len(sizes.resblock_kernel_sizes) + place}"
            for pair in ("convs1", "convs2"):
                for dilation in range(RESBLOCK_DILATIONS):
                    name = f"{block}.{pair}.{dilation}"
                    yield from normed_conv(name, width, width, kernel).items()
    yield "dec.conv_post.weight", (1, first >> len(stages), 7)
    yield from conv("dec.cond", first, sizes.gin_channels).items()


def _flow(name: str, sizes: SovitsSizes) -> Iterator[Named]:
    width, half = sizes.hidden_channels, sizes.inter_channels // 2
    yield from conv(f"{name}.pre", width, half).items()
    for layer in range(FLOW_LAYERS):
        yield from normed_conv(f"{name}.enc.in_layers.{layer}", 2 * width, width, 5).items()
    for layer in range(FLOW_LAYERS):
        to = width if layer == FLOW_LAYERS - 1 else 2 * width
        yield from normed_conv(f"{name}.enc.res_skip_layers.{layer}", to, width, 1).items()
    conditions = 2 * width * FLOW_LAYERS
    yield from normed_conv(f"{name}.enc.cond_layer", conditions, sizes.gin_channels, 1).items()
    yield from conv(f"{name}.post", half, width).items()


def style_encoder(bins: int, style: int) -> Iterator[Named]:
    """What makes a style of a spectrogram."""
    width = STYLE_ENCODER
    yield from linear("ref_enc.spectral.0.fc", width, bins).items()
    yield from linear("ref_enc.spectral.3.fc", width, width).items()
    for layer in (0, 1):
        yield from conv(f"ref_enc.temporal.{layer}.conv1.conv", 2 * width, width, 5).items()
    for part in ("w_qs", "w_ks", "w_vs", "fc"):
        yield from linear(f"ref_enc.slf_attn.{part}", width, width).items()
    yield from linear("ref_enc.fc.fc", style, width).items()
