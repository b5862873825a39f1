"""What the T2S is taught: the next token as the sampler will see its score, and where to look."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from training.t2s_network import UNUSED, Batch

LEVEL, POINTER = 0.01, 0.2  # weights of the two that go beside the tokens'


def used_before(tokens: Tensor, vocabulary: int) -> Tensor:
    """Which tokens occurred up to each row, that row included: bool [B, T, V] of int64 [B, T]."""
    count = tokens.shape[1]
    number = torch.arange(count).expand_as(tokens)
    never = torch.full((tokens.shape[0], vocabulary), count)
    first = never.scatter_reduce(1, tokens, number, "amin")
    return first[:, None] <= torch.arange(count)[None, :, None]


def penalised(logits: Tensor, used: Tensor, penalty: float) -> Tensor:
    """Scores as the sampler's repetition penalty leaves them."""
    return torch.where(used, torch.where(logits < 0, logits * penalty, logits / penalty), logits)


def loss(
    logits: Tensor, looks: Sequence[Tensor], seen: Batch, penalty: float
) -> tuple[Tensor, dict[str, float]]:
    """The sum that is minimised, and its parts for the log.

    Scores are held near log-probabilities: then the best is near 0, and a penalty that multiplies
    logits hardly moves what is certain.

    Args:
        logits: float32 [B, T, V], V as the network has it.
        looks: attention's logits of the first head of each layer, [B, T, X+T].
        seen: the batch.
        penalty: as the sampler would use it.
    """
    vocabulary = logits.shape[-1]
    adjusted = penalised(logits, used_before(seen.tokens, vocabulary), penalty)
    tokens = F.cross_entropy(adjusted.flatten(0, 1), seen.targets.flatten(), ignore_index=UNUSED)
    level = logits.logsumexp(-1)[seen.targets != UNUSED].square().mean()
    middle = len(looks) // 2
    pointer = _missed(looks[middle - 1], seen.here) + _missed(looks[middle], seen.ahead)
    parts = {"tokens": tokens.item(), "level": level.item(), "pointer": pointer.item()}
    return tokens + LEVEL * level + POINTER * pointer, parts


def _missed(look: Tensor, places: Tensor) -> Tensor:
    """How little of a head's attention is where it should be."""
    return F.cross_entropy(look.float().flatten(0, 1), places.flatten(), ignore_index=UNUSED)
