"""HuBERT, the base that turns 16 kHz audio into ssl features."""

from pathlib import Path

from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import HubertConfig, HubertModel

from workflow_scripts.models.bases import read_config, read_tensors
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


def load_hubert(folder: Path) -> Hubert:
    """Read a HuBERT from its folder.

    Args:
        folder: holds `config.json` and the weights, of any float type, weight norm of the
            positional convolution in either spelling.

    Returns:
        The network in float32, ready to answer.

    Raises:
        CheckpointError: a file is missing, can't be read, or does not fit the configuration.
    """
    config = HubertConfig.from_dict(read_config(folder, "hubert"))
    config._attn_implementation = "eager"
    network = HubertModel(config)
    parametrize.remove_parametrizations(network.encoder.pos_conv_embed.conv, "weight")
    if hasattr(network, "masked_spec_embed"):
        del network.masked_spec_embed  # serves training only
    tensors = without(folded(read_tensors(folder), f"{folder}"), ["masked_spec_embed"])
    tensors = {key.removeprefix("hubert."): tensor for key, tensor in tensors.items()}
    fill(network, tensors, f"{folder}")
    return Hubert(network)
