"""Names and shapes of all tensors of the three bases that voices share, by rule. Torch-free."""

from collections.abc import Iterator
from dataclasses import dataclass

from workflow_scripts.checkpoint.layout import SSL, TEXT_FEATURES, Named, Shape

SSL_KERNELS = (10, 3, 3, 3, 3, 2, 2)
SSL_STRIDES = (5, 2, 2, 2, 2, 2, 2)
SSL_GROUPS = 16
CHARACTERS = 21128
POSITIONS = 512
BINS = 80
STEM = 64  # channels; fixed by the width of the embedding
EXPANSION = SCALE = 4
FUSED = (3, 4)  # stages whose blocks weigh their groups
EMBEDDING = 192


@dataclass(frozen=True)
class HubertSizes:
    """Sizes of an SSL network; its width is fixed.

    Attributes:
        channels: of the convolutions.
        layers: of the encoder.
        inner: width of a feed-forward.
        position_kernel: of the position convolution.
    """

    channels: int = 512
    layers: int = 12
    inner: int = 3072
    position_kernel: int = 128


@dataclass(frozen=True)
class RobertaSizes:
    """Sizes of a text-feature network; width and vocabulary are fixed.

    Attributes:
        layers: of the encoder; the last two are not used.
        inner: width of a feed-forward.
    """

    layers: int = 24
    inner: int = 4096


@dataclass(frozen=True)
class SpeakerSizes:
    """Sizes of a speaker network.

    Attributes:
        blocks: of each stage.
        base_width: of 64 channels, those in one group.
    """

    blocks: tuple[int, int, int, int] = (3, 4, 6, 3)
    base_width: int = 24


def hubert_layout(sizes: HubertSizes) -> dict[str, Shape]:
    """Every tensor of a HuBERT folder, in the spelling of older PyTorch.

    Args:
        sizes: of the network.

    Returns:
        Shape by name.
    """
    layout: dict[str, Shape] = {"masked_spec_embed": (SSL,)}
    for layer, kernel in enumerate(SSL_KERNELS):
        stem = f"feature_extractor.conv_layers.{layer}"
        layout[f"{stem}.conv.weight"] = (sizes.channels, sizes.channels if layer else 1, kernel)
        if layer == 0:
            layout |= _norm(f"{stem}.layer_norm", sizes.channels)
    layout |= _norm("feature_projection.layer_norm", sizes.channels)
    layout |= _dense("feature_projection.projection", SSL, sizes.channels)
    position, kernel = "encoder.pos_conv_embed.conv", sizes.position_kernel
    layout |= {
        f"{position}.bias": (SSL,),
        f"{position}.weight_g": (1, 1, kernel),
        f"{position}.weight_v": (SSL, SSL // SSL_GROUPS, kernel),
    }
    layout |= _norm("encoder.layer_norm", SSL)
    for layer in range(sizes.layers):
        stem = f"encoder.layers.{layer}"
        for part in ("k_proj", "v_proj", "q_proj", "out_proj"):
            layout |= _dense(f"{stem}.attention.{part}", SSL, SSL)
        layout |= _norm(f"{stem}.layer_norm", SSL)
        layout |= _dense(f"{stem}.feed_forward.intermediate_dense", sizes.inner, SSL)
        layout |= _dense(f"{stem}.feed_forward.output_dense", SSL, sizes.inner)
        layout |= _norm(f"{stem}.final_layer_norm", SSL)
    return layout


def roberta_layout(sizes: RobertaSizes) -> dict[str, Shape]:
    """Every tensor of a RoBERTa folder, the head for masked words included.

    Args:
        sizes: of the network.

    Returns:
        Shape by name.
    """
    width = TEXT_FEATURES
    layout: dict[str, Shape] = {
        "bert.embeddings.word_embeddings.weight": (CHARACTERS, width),
        "bert.embeddings.position_embeddings.weight": (POSITIONS, width),
        "bert.embeddings.token_type_embeddings.weight": (2, width),
    }
    layout |= _norm("bert.embeddings.LayerNorm", width)
    for layer in range(sizes.layers):
        stem = f"bert.encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            layout |= _dense(f"{stem}.attention.{part}", width, width)
        layout |= _norm(f"{stem}.attention.output.LayerNorm", width)
        layout |= _dense(f"{stem}.intermediate.dense", sizes.inner, width)
        layout |= _dense(f"{stem}.output.dense", width, sizes.inner)
        layout |= _norm(f"{stem}.output.LayerNorm", width)
    layout["cls.predictions.bias"] = (CHARACTERS,)
    layout |= _dense("cls.predictions.transform.dense", width, width)
    layout |= _norm("cls.predictions.transform.LayerNorm", width)
    return layout | _dense("cls.predictions.decoder", CHARACTERS, width)


def speaker_layout(sizes: SpeakerSizes) -> dict[str, Shape]:
    """Every tensor of an ERes2NetV2 file.

    Args:
        sizes: of the network.

    Returns:
        Shape by name, in the order of the file.
    """
    layout: dict[str, Shape] = {"conv1.weight": (STEM, 1, 3, 3)}
    layout |= _batch_norm("bn1", STEM)
    channels = STEM
    for stage, blocks in enumerate(sizes.blocks, start=1):
        planes = STEM << (stage - 1)
        for block in range(blocks):
            width = planes * sizes.base_width // STEM
            layout |= dict(_block(f"layer{stage}.{block}", channels, planes, width))
            channels = planes * EXPANSION
    layout["layer3_ds.weight"] = (channels, channels // 2, 3, 3)
    layout |= _weighing("fuse34", channels)
    return layout | _dense("seg_1", EMBEDDING, 2 * channels * BINS // 8)


def _dense(name: str, to: int, of: int) -> dict[str, Shape]:
    return {f"{name}.weight": (to, of), f"{name}.bias": (to,)}


def _norm(name: str, width: int) -> dict[str, Shape]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _batch_norm(name: str, width: int) -> dict[str, Shape]:
    counted = {f"{name}.{part}": (width,) for part in ("running_mean", "running_var")}
    return _norm(name, width) | counted | {f"{name}.num_batches_tracked": ()}


def _block(name: str, channels: int, planes: int, width: int) -> Iterator[Named]:
    yield f"{name}.conv1.weight", (SCALE * width, channels, 1, 1)
    yield from _batch_norm(f"{name}.bn1", SCALE * width).items()
    for group in range(SCALE):
        yield f"{name}.convs.{group}.weight", (width, width, 3, 3)
    for group in range(SCALE):
        yield from _batch_norm(f"{name}.bns.{group}", width).items()
    if name.startswith(tuple(f"layer{stage}." for stage in FUSED)):
        for group in range(SCALE - 1):
            yield from _weighing(f"{name}.fuse_models.{group}", width).items()
    yield f"{name}.conv3.weight", (EXPANSION * planes, SCALE * width, 1, 1)
    yield from _batch_norm(f"{name}.bn3", EXPANSION * planes).items()
    if name.endswith(".0"):
        yield f"{name}.shortcut.0.weight", (EXPANSION * planes, channels, 1, 1)
        yield from _batch_norm(f"{name}.shortcut.1", EXPANSION * planes).items()


def _weighing(name: str, width: int) -> dict[str, Shape]:
    inner = width // 4
    stem = f"{name}.local_att"
    return (
        {f"{stem}.0.weight": (inner, 2 * width, 1, 1), f"{stem}.0.bias": (inner,)}
        | _batch_norm(f"{stem}.1", inner)
        | {f"{stem}.3.weight": (width, inner, 1, 1), f"{stem}.3.bias": (width,)}
        | _batch_norm(f"{stem}.4", width)
    )
