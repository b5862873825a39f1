"""Turn one row of logits into one semantic token, exactly as GPT-SoVITS samples.

Knows nothing of graphs, caches or audio: float32 numpy of one utterance in, a token out.
Source of order and formulas: GPT-SoVITS `AR/models/utils.py`; golden `t2s/sampling.npz`.
"""

from dataclasses import dataclass

import numpy as np

from runtime.arrays import Flags, Float32, Logits
from runtime.model_settings import check_settings, default_of

COLDEST = 1e-5  # the reference divides by no less


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen.

    Attributes:
        top_k: keep the best k and their ties; None keeps all.
        top_p: keep the best whose probabilities sum up to no more; 1 or more keeps all.
        temperature: above 0; lower is steadier, higher more varied.
        repetition_penalty: above 0; 1 switches it off.
    """

    top_k: int | None = default_of("top_k")
    top_p: float = default_of("top_p")
    temperature: float = default_of("temperature")
    repetition_penalty: float = default_of("repetition_penalty")

    def __post_init__(self) -> None:
        check_settings(self)


def penalised(logits: Logits, used: Flags, penalty: float) -> Logits:
    """Make tokens that already occurred less likely.

    Args:
        logits: float32 [V], logits of one step; not changed.
        used: bool [V], True for each token of the prompt and of this utterance; never EOS.
        penalty: above 0; 1 switches it off.

    Returns:
        float32 [V]; a used token's logit times `penalty` if negative, else divided by it.
    """
    if penalty == 1:
        return logits
    factor = np.float32(penalty)
    scaled = np.where(logits < 0, logits * factor, logits / factor)
    return np.where(used, scaled, logits)


def probabilities(logits: Logits, sampling: Sampling) -> Float32:
    """Top-p, temperature, top-k and softmax, in this order.

    Args:
        logits: float32 [V], after the penalty; not changed.
        sampling: the settings.

    Returns:
        float32 [V] that sums to 1; removed entries are 0.
    """
    if sampling.top_p < 1:
        logits = _nucleus(logits, sampling.top_p)
    logits = logits / np.float32(max(sampling.temperature, COLDEST))
    if sampling.top_k is not None and sampling.top_k < logits.size:
        threshold = np.partition(logits, -sampling.top_k)[-sampling.top_k]
        logits = np.where(logits < threshold, np.float32(-np.inf), logits)
    weights = np.exp(logits - logits.max())
    shares: Float32 = weights / weights.sum()
    return shares


def _nucleus(logits: Logits, top_p: float) -> Logits:
    """Remove what lies beyond the share `top_p`; the entry that crosses it goes too."""
    order = np.argsort(-logits, kind="stable")
    weights = np.exp(logits[order] - logits[order[0]])
    beyond = np.cumsum(weights / weights.sum()) > top_p
    beyond[0] = False  # the best always stays
    kept = logits.copy()
    kept[order[beyond]] = -np.inf
    return kept


def draw(shares: Float32, noise: Float32) -> int:
    """An exact categorical draw: the largest share per Exponential(1) number wins.

    Args:
        shares: float32 [V], probabilities.
        noise: float32 [V], Exponential(1) draws, above 0.
    """
    return int(np.argmax(shares / noise))
