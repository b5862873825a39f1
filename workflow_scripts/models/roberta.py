"""RoBERTa, the base that turns Chinese characters into text features.

The features are the output of the third layer from the end, so the last two layers and the
language-model head are not even built.
"""

import re
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from runtime.errors import CheckpointError
from workflow_scripts.models.bases import read_config, read_tensors
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


def load_roberta(folder: Path) -> Roberta:
    """Read a RoBERTa (a BERT for masked language modelling) from its folder.

    Args:
        folder: holds `config.json` and the weights, of any float type.

    Returns:
        The network in float32, without its last two layers, ready to answer.

    Raises:
        CheckpointError: a file is missing, can't be read, or does not fit the configuration.
    """
    config = BertConfig.from_dict(read_config(folder, "bert"))
    config._attn_implementation = "eager"
    config.num_hidden_layers -= UNUSED_LAYERS
    if config.num_hidden_layers < 1:
        raise CheckpointError(f"{folder}: {config.num_hidden_layers + 2} layers; 3 at least needed")
    network = BertModel(config, add_pooling_layer=False)
    tensors = without(folded(read_tensors(folder), f"{folder}"), _UNUSED)
    named = {_present_name(key): tensor for key, tensor in tensors.items()}
    fill(
        network, {k: w for k, w in named.items() if _kept(k, config.num_hidden_layers)}, f"{folder}"
    )
    return Roberta(network)


def _present_name(key: str) -> str:
    """The key without its model's prefix, and a layer norm's oldest spelling made new."""
    key = key.removeprefix("bert.")
    return re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", key).replace(
        "LayerNorm.beta", "LayerNorm.bias"
    )


def _kept(key: str, layers: int) -> bool:
    found = _LAYER.match(key)
    return found is None or int(found[1]) < layers
