"""The acoustic model of families v1, v2, v2Pro and v2ProPlus: tokens, phones, style to samples.

Knows nothing of files: weights and configuration come as they were read. Batch is 1, float32.
Attribute names are the checkpoint's keys.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from runtime.errors import CheckpointError
from workflow_scripts.models.encoders import SSL_WIDTH, EncoderSizes, PriorEncoder
from workflow_scripts.models.flow import Flow
from workflow_scripts.models.style import ReferenceEncoder
from workflow_scripts.models.vocoder import Vocoder, VocoderSizes
from workflow_scripts.models.weights import fill, folded, without

CODEBOOK = 1024
SPEAKER_WIDTH = 20480
BRIDGE_WIDTH = 512  # of the style that the prior encoder takes
_CODEBOOK_KEY = "quantizer.vq.layers.0._codebook.embed"
# the posterior encoder and the codebook's statistics serve training only
_UNUSED = ("enc_q", "_codebook.inited", "_codebook.cluster_size", "_codebook.embed_avg")


class Sovits(nn.Module):
    """All networks of one acoustic checkpoint.

    Attributes:
        bins: rows Y of the spectrogram that the style is made from.
        style_width: G.
        latent_width: I.
        symbols: rows of the phone embedding.
        takes_speaker: whether the style needs a speaker embedding (the Pro families).
    """

    def __init__(
        self, encoder: EncoderSizes, vocoder: VocoderSizes, bins: int, takes_speaker: bool
    ) -> None:
        super().__init__()
        self.bins, self.takes_speaker = bins, takes_speaker
        self.style_width, self.latent_width = vocoder.style, encoder.latent
        self.symbols = encoder.symbols
        self.ssl_proj = nn.Conv1d(SSL_WIDTH, SSL_WIDTH, 2, stride=2)
        self.codebook = nn.Embedding(CODEBOOK, SSL_WIDTH)
        self.ref_enc = ReferenceEncoder(bins, vocoder.style)
        self.enc_p = PriorEncoder(encoder)
        self.flow = Flow(encoder.latent, encoder.hidden, vocoder.style)
        self.dec = Vocoder(vocoder)
        if takes_speaker:
            self.sv_emb = nn.Linear(SPEAKER_WIDTH, vocoder.style)
            self.ge_to512 = nn.Linear(vocoder.style, BRIDGE_WIDTH)
            self.prelu = nn.PReLU(vocoder.style)

    def quantize(self, features: Tensor) -> Tensor:
        """Semantic tokens of reference audio: the nearest row of the codebook for each two frames.

        Args:
            features: float32 [1, 768, F], ssl features at 50 Hz; an odd last frame is dropped.

        Returns:
            int64 [1, F // 2].
        """
        return nearest(self.ssl_proj(features).transpose(1, 2), self.codebook.weight)

    def style(self, spectrogram: Tensor, speaker_embedding: Tensor | None = None) -> Tensor:
        """Style of one reference; of several, take the mean of their styles.

        Args:
            spectrogram: float32 [1, Y, R], the first `bins` rows of the magnitude.
            speaker_embedding: float32 [1, E]; the Pro families alone take it.

        Returns:
            float32 [1, G, 1].
        """
        style: Tensor = self.ref_enc(spectrogram)
        if self.takes_speaker:
            style = self.prelu(style + self.sv_emb(speaker_embedding).unsqueeze(-1))
        return style

    def bridge(self, style: Tensor) -> Tensor:
        """The style [1, G, 1] as the prior encoder takes it, float32 [1, 512, 1]."""
        if not self.takes_speaker:
            return style
        narrowed: Tensor = self.ge_to512(style.squeeze(-1)).unsqueeze(-1)
        return narrowed

    def encode(self, tokens: Tensor, phones: Tensor, style: Tensor) -> Tensor:
        """Encoded frames before speed, float32 [1, D, 2T].

        Args:
            tokens: int64 [1, T], the new semantic tokens alone.
            phones: int64 [1, X], of the text to speak alone.
            style: float32 [1, G, 1].
        """
        rows = self.codebook(tokens)
        twice = torch.stack([rows, rows], dim=2).reshape(1, -1, SSL_WIDTH)  # 25 Hz to 50 Hz
        encoded: Tensor = self.enc_p(twice.transpose(1, 2), phones, self.bridge(style))
        return encoded

    def sample(self, encoded: Tensor, noise: Tensor, noise_scale: Tensor) -> Tensor:
        """A draw from the prior, float32 [1, I, N], of encoded frames [1, D, N].

        Args:
            encoded: float32 [1, D, N], after speed.
            noise: float32 [1, I, N], standard normal.
            noise_scale: float32 [1].
        """
        mean, log_scale = self.enc_p.moments(encoded)
        return mean + noise * torch.exp(log_scale) * noise_scale

    def vocode(self, latent: Tensor, style: Tensor) -> Tensor:
        """Samples, float32 [1, 640*N], of latent [1, I, N] under style [1, G, 1]."""
        audio: Tensor = self.dec(latent, style).squeeze(1)
        return audio


def nearest(rows: Tensor, table: Tensor) -> Tensor:
    """For each of the rows [1, P, 768], the nearest of the table [1024, 768], int64 [1, P]."""
    # |row|^2 is the same for every code and left out
    nearness = 2 * (rows @ table.t()) - table.square().sum(dim=1)
    return nearness.argmax(dim=-1)


def load_sovits(
    weights: Mapping[str, Tensor], config: Mapping[str, Any], where: str = "SoVITS weights"
) -> Sovits:
    """Build the acoustic model that weights and configuration describe.

    Args:
        weights: tensors by the checkpoint's keys, any float type, weight norm in either spelling.
        config: the checkpoint's configuration; only `model` is read.
        where: file, to begin an error with.

    Returns:
        The model in float32, ready to answer.

    Raises:
        CheckpointError: a setting or tensor is missing, left over, or of the wrong shape.
    """
    tensors = without(folded(weights, where), _UNUSED)
    if _CODEBOOK_KEY in tensors:
        tensors["codebook.weight"] = tensors.pop(_CODEBOOK_KEY)
    try:
        model = config["model"]
        encoder = _encoder_sizes(model, tensors["enc_p.text_embedding.weight"].shape[0])
        vocoder = _vocoder_sizes(model)
        bins = tensors["ref_enc.spectral.0.fc.weight"].shape[1]
    except KeyError as missing:
        raise CheckpointError(
            f"{where}: {missing.args[0]} is missing; not v1, v2 or v2Pro"
        ) from None
    with torch.device("meta"):
        sovits = Sovits(encoder, vocoder, bins, takes_speaker="sv_emb.weight" in tensors)
    fill(sovits, tensors, where)
    return sovits


def _encoder_sizes(model: Mapping[str, Any], symbols: int) -> EncoderSizes:
    return EncoderSizes(
        hidden=model["hidden_channels"],
        filters=model["filter_channels"],
        heads=model["n_heads"],
        layers=model["n_layers"],
        kernel=model["kernel_size"],
        latent=model["inter_channels"],
        symbols=symbols,
    )


def _vocoder_sizes(model: Mapping[str, Any]) -> VocoderSizes:
    return VocoderSizes(
        latent=model["inter_channels"],
        style=model["gin_channels"],
        initial=model["upsample_initial_channel"],
        rates=tuple(model["upsample_rates"]),
        kernels=tuple(model["upsample_kernel_sizes"]),
        block_kernels=tuple(model["resblock_kernel_sizes"]),
        block_dilations=tuple(tuple(steps) for steps in model["resblock_dilation_sizes"]),
    )
