"""HuBERT, the base that turns 16 kHz audio into ssl features."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import HubertConfig, HubertModel

from workflow_scripts.checkpoint.layout import check_layout
from workflow_scripts.checkpoint.source import Source
from workflow_scripts.models.bases import ACTIVATIONS, BaseConfig, read_tensors, shapes_of
from workflow_scripts.models.weights import fill, folded, without


class Hubert(nn.Module):
    """Audio to ssl features."""

    def __init__(self, network: HubertModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, audio: Tensor) -> Tensor:
        """Features, float32 [1, W, F] at 50 Hz, of audio [1, S] at 16 kHz as it is (no scaling)."""
        features: Tensor = self.network(audio).last_hidden_state
        return features.transpose(1, 2)


def load_hubert(folder: Path | Source) -> Hubert:
    """Read a HuBERT from its folder.

    Args:
        folder: holds `config.json` and the weights, of any float type, weight norm of the
            positional convolution in either spelling.

    Returns:
        The network in float32, ready to answer.

    Raises:
        CheckpointError: a file is missing, can't be read, or does not fit the configuration.
    """
    base = Source.of(folder)
    where = f"{base.path}"
    sizes = _sizes(BaseConfig(base, "hubert"))
    tensors = without(folded(read_tensors(base), where), ["masked_spec_embed"])
    base.confirm()
    tensors = {key.removeprefix("hubert."): tensor for key, tensor in tensors.items()}
    check_layout(shapes_of(tensors), _layout(sizes), where)
    config = HubertConfig(**sizes)
    config._attn_implementation = "eager"
    network = HubertModel(config)
    parametrize.remove_parametrizations(network.encoder.pos_conv_embed.conv, "weight")
    if hasattr(network, "masked_spec_embed"):
        del network.masked_spec_embed  # serves training only
    fill(network, tensors, where)
    return Hubert(network)


def _sizes(config: BaseConfig) -> dict[str, Any]:
    """What of the configuration shapes the network; the rest serves training."""
    config.must_not("conv_pos_batch_norm", "add_adapter")
    sizes: dict[str, Any] = {
        "hidden_size": config.number("hidden_size"),
        "num_hidden_layers": config.layers("num_hidden_layers"),
        "num_attention_heads": config.number("num_attention_heads"),
        "intermediate_size": config.number("intermediate_size"),
        "hidden_act": config.one_of("hidden_act", ACTIVATIONS, "gelu"),
        "layer_norm_eps": config.epsilon("layer_norm_eps"),
        "conv_dim": config.numbers("conv_dim"),
        "conv_kernel": config.numbers("conv_kernel"),
        "conv_stride": config.numbers("conv_stride"),
        "conv_bias": config.flag("conv_bias", False),
        "feat_extract_norm": config.one_of("feat_extract_norm", ("group", "layer"), "group"),
        "feat_extract_activation": config.one_of("feat_extract_activation", ACTIVATIONS, "gelu"),
        "feat_proj_layer_norm": config.flag("feat_proj_layer_norm", True),
        "do_stable_layer_norm": config.flag("do_stable_layer_norm", False),
        "num_conv_pos_embeddings": config.number("num_conv_pos_embeddings"),
        "num_conv_pos_embedding_groups": config.number("num_conv_pos_embedding_groups"),
    }
    for key in ("num_attention_heads", "num_conv_pos_embedding_groups"):
        config.must_divide(key, sizes[key], "hidden_size", sizes["hidden_size"])
    for key in ("conv_kernel", "conv_stride"):
        if len(sizes[key]) != len(sizes["conv_dim"]):
            raise config.fault(key, f"as long as conv_dim, {len(sizes['conv_dim'])}")
    return sizes | {"num_feat_extract_layers": len(sizes["conv_dim"])}


def _layout(sizes: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Shapes of tensors that follow from each size: so that none is built that the file belies."""
    hidden, inner, dims = sizes["hidden_size"], sizes["intermediate_size"], sizes["conv_dim"]
    groups = sizes["num_conv_pos_embedding_groups"]
    layers = range(sizes["num_hidden_layers"])
    convolutions = zip(dims, [1, *dims], sizes["conv_kernel"], strict=False)
    return {
        "encoder.layer_norm.weight": (hidden,),
        "encoder.pos_conv_embed.conv.weight": (
            hidden, hidden // groups, sizes["num_conv_pos_embeddings"],
        ),
        "feature_projection.projection.weight": (hidden, dims[-1]),
        **{f"encoder.layers.{n}.feed_forward.intermediate_dense.weight": (inner, hidden)
           for n in layers},
        **{f"feature_extractor.conv_layers.{n}.conv.weight": shape
           for n, shape in enumerate(convolutions)},
    }  # fmt: skip
