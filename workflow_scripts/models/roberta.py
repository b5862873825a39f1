"""RoBERTa, the base that turns Chinese characters into text features.

The features are the output of the third layer from the end, so the last two layers and the
language-model head are not even built.
"""

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from runtime.errors import CheckpointError
from workflow_scripts.checkpoint.layout import check_layout
from workflow_scripts.checkpoint.source import Source
from workflow_scripts.models.bases import ACTIVATIONS, BaseConfig, read_tensors, shapes_of
from workflow_scripts.models.weights import fill, folded, without

UNUSED_LAYERS = 2
_UNUSED = ("cls.", "pooler.", "position_ids")
_LAYER = re.compile(r"encoder\.layer\.(\d+)\.")


class Roberta(nn.Module):
    """Token ids of characters to text features."""

    def __init__(self, network: BertModel) -> None:
        super().__init__()
        self.network = network

    def hidden(self, input_ids: Tensor) -> Tensor:
        """Hidden rows, float32 [1, U+2, W], of ids [1, U+2] with [CLS] first and [SEP] last."""
        kinds = torch.zeros_like(input_ids)  # one sentence; left out, both are made by expansion
        positions = torch.arange(input_ids.shape[1]).unsqueeze(0)
        rows: Tensor = self.network(
            input_ids, token_type_ids=kinds, position_ids=positions
        ).last_hidden_state
        return rows

    def forward(self, input_ids: Tensor) -> Tensor:
        """Features, float32 [U, W], one row per character, of ids int64 [1, U+2]."""
        return self.hidden(input_ids)[0, 1:-1]


def load_roberta(folder: Path | Source) -> Roberta:
    """Read a RoBERTa (a BERT for masked language modelling) from its folder.

    Args:
        folder: holds `config.json` and the weights, of any float type.

    Returns:
        The network in float32, without its last two layers, ready to answer.

    Raises:
        CheckpointError: a file is missing, can't be read, or does not fit the configuration.
    """
    base = Source.of(folder)
    where = f"{base.path}"
    sizes = _sizes(BaseConfig(base, "bert"))
    tensors = without(folded(read_tensors(base), where), _UNUSED)
    base.confirm()
    named = {_present_name(key): tensor for key, tensor in tensors.items()}
    check_layout(shapes_of(named), _layout(sizes), where)
    layers = sizes["num_hidden_layers"] - UNUSED_LAYERS
    if layers < 1:
        raise CheckpointError(f"{where}: {layers + UNUSED_LAYERS} layers; 3 at least needed")
    config = BertConfig(**sizes | {"num_hidden_layers": layers})
    config._attn_implementation = "eager"
    network = BertModel(config, add_pooling_layer=False)
    fill(network, {k: w for k, w in named.items() if _kept(k, layers)}, where)
    return Roberta(network)


def _sizes(config: BaseConfig) -> dict[str, Any]:
    """What of the configuration shapes the network."""
    config.must_not("is_decoder", "add_cross_attention")
    config.one_of("position_embedding_type", ("absolute",), "absolute")
    sizes: dict[str, Any] = {
        "hidden_size": config.number("hidden_size"),
        "num_hidden_layers": config.layers("num_hidden_layers"),
        "num_attention_heads": config.number("num_attention_heads"),
        "intermediate_size": config.number("intermediate_size"),
        "hidden_act": config.one_of("hidden_act", ACTIVATIONS, "gelu"),
        "layer_norm_eps": config.epsilon("layer_norm_eps"),
        "vocab_size": config.entries("vocab_size"),
        "max_position_embeddings": config.entries("max_position_embeddings"),
        "type_vocab_size": config.number("type_vocab_size", default=2),
    }
    heads = sizes["num_attention_heads"]
    config.must_divide("num_attention_heads", heads, "hidden_size", sizes["hidden_size"])
    return sizes | {"pad_token_id": None}  # its row is a row like the others


def _layout(sizes: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Shapes of tensors that follow from each size: so that none is built that the file belies."""
    hidden, inner = sizes["hidden_size"], sizes["intermediate_size"]
    layers = range(sizes["num_hidden_layers"])
    return {
        "embeddings.word_embeddings.weight": (sizes["vocab_size"], hidden),
        "embeddings.position_embeddings.weight": (sizes["max_position_embeddings"], hidden),
        "embeddings.token_type_embeddings.weight": (sizes["type_vocab_size"], hidden),
    } | {f"encoder.layer.{n}.intermediate.dense.weight": (inner, hidden) for n in layers}


def _present_name(key: str) -> str:
    """The key without its model's prefix, and a layer norm's oldest spelling made new."""
    key = key.removeprefix("bert.")
    return re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", key).replace(
        "LayerNorm.beta", "LayerNorm.bias"
    )


def _kept(key: str, layers: int) -> bool:
    found = _LAYER.match(key)
    return found is None or int(found[1]) < layers
