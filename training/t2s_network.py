"""The T2S transformer as a network that can be trained, with the file format's names.

The same arithmetic as `workflow_scripts/models/t2s.py`, for batches and without a cache. Two heads
are trained on which phone of the text to look at, which lets the alignment be learned in minutes.
Codes that the voice never uses share one row, which `stored` repeats.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from runtime.arrays import Int64
from training.t2s_examples import Example
from workflow_scripts.checkpoint.layout import TEXT_FEATURES
from workflow_scripts.checkpoint.sizes import T2SSizes
from workflow_scripts.models.t2s import position_frequencies, position_rows

LONGEST = 2048
HIDDEN_AWAY = -1e9
UNUSED = -100  # a target that is not learned


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples side by side, padded behind.

    Attributes:
        phones: int64 [B, X].
        tokens: int64 [B, T], of the audio.
        targets: int64 [B, T], what comes next; the end behind the last token, -100 in padding.
        here, ahead: int64 [B, T], the phone of each token, and of the next one; -100 in padding.
        visible: bool [B, X+T, X+T], row sees column.
    """

    phones: Tensor
    tokens: Tensor
    targets: Tensor
    here: Tensor
    ahead: Tensor
    visible: Tensor


def batch(examples: Sequence[Example], end: int) -> Batch:
    """Pad and stack; `end` is the number of EOS among the scores."""
    rooms = [one.room for one in examples]
    texts, audios = max(room[0] for room in rooms), max(room[1] for room in rooms)

    def stacked(rows: Iterable[Int64], width: int, filler: int) -> Tensor:
        padded = [np.pad(row, (0, width - row.size), constant_values=filler) for row in rows]
        return torch.from_numpy(np.stack(padded))

    targets = [np.append(one.tokens[1:], end) for one in examples]
    ahead = [np.append(one.places[1:], one.phones.size - 1) for one in examples]
    return Batch(
        phones=stacked((one.phones for one in examples), texts, 0),
        tokens=stacked((one.encoded for one in examples), audios, 0),
        targets=stacked(targets, audios, UNUSED),
        here=stacked((one.places for one in examples), audios, UNUSED),
        ahead=stacked(ahead, audios, UNUSED),
        visible=_visible([one.phones.size for one in examples], texts, audios),
    )


def _visible(phones: list[int], width: int, tokens: int) -> Tensor:
    """Text sees all text of its example, audio sees that and earlier audio; bool [B, R, R]."""
    column = torch.arange(width + tokens)
    text = column[None] < torch.tensor(phones)[:, None]
    earlier = (column[:, None] >= width) & (column[None] >= width) & (column <= column[:, None])
    return text[:, None, :] | earlier[None]


class Attention(nn.Module):
    """The weights of one attention."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(3 * hidden, hidden))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * hidden))
        self.out_proj = nn.Linear(hidden, hidden)
        nn.init.xavier_uniform_(self.in_proj_weight)


class Block(nn.Module):
    """One post-norm layer."""

    def __init__(self, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = Attention(hidden)
        self.linear1 = nn.Linear(hidden, 4 * hidden)
        self.linear2 = nn.Linear(4 * hidden, hidden)
        self.norm1, self.norm2 = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.dropout = nn.Dropout(dropout)
        self._heads = heads

    def forward(self, rows: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Rows [B, R, D] through the layer, and where the first head looks, [B, R, R] unscaled.

        Args:
            rows: float [B, R, D].
            bias: float [B, 1, R, R], 0 or very low.
        """
        packed = F.linear(rows, self.self_attn.in_proj_weight, self.self_attn.in_proj_bias)
        query, key, value = (
            part.reshape(*part.shape[:2], self._heads, -1).transpose(1, 2)
            for part in packed.chunk(3, -1)
        )
        scores = (query / query.shape[-1] ** 0.5) @ key.transpose(2, 3) + bias.to(query.dtype)
        mixed = F.softmax(scores, -1).to(value.dtype) @ value
        mixed = self.self_attn.out_proj(mixed.transpose(1, 2).flatten(2))
        rows = self.norm1(rows + self.dropout(mixed))
        inner = self.linear2(F.relu(self.linear1(rows)))
        return self.norm2(rows + self.dropout(inner)), scores[:, 0]


class Embedding(nn.Module):
    """A table of rows."""

    def __init__(self, rows: int, hidden: int) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(rows, hidden)
        nn.init.normal_(self.word_embeddings.weight, std=0.5)


class Position(nn.Module):
    """How loud the sines of positions are."""

    def __init__(self) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1))


class Layers(nn.Module):
    """All blocks, by the name that the format has for them."""

    def __init__(self, sizes: T2SSizes, dropout: float) -> None:
        super().__init__()
        blocks = (Block(sizes.hidden, sizes.heads, dropout) for _ in range(sizes.layers))
        self.layers = nn.ModuleList(blocks)


class Network(nn.Module):
    """The whole transformer. Text features are zero: of their projection only the bias counts.

    Attributes:
        sizes: of the file.
        codes: tokens 0 .. codes - 1 are used.
        end: number of EOS among the scores, behind the one of all unused codes.
    """

    def __init__(self, sizes: T2SSizes, codes: int, dropout: float = 0.0) -> None:
        super().__init__()
        hidden = sizes.hidden
        self.bert_proj = nn.Linear(TEXT_FEATURES, hidden)
        self.ar_text_embedding = Embedding(sizes.phone_rows, hidden)
        self.ar_text_position = Position()
        self.ar_audio_embedding = Embedding(codes, hidden)
        self.ar_audio_position = Position()
        self.h = Layers(sizes, dropout)
        self.ar_predict_layer = nn.Linear(hidden, codes + 2, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.sizes, self.codes, self.end = sizes, codes, codes + 1
        nn.init.zeros_(self.bert_proj.weight)
        sines = position_rows(torch.arange(LONGEST), position_frequencies(hidden))
        shares = torch.zeros(codes + 2)
        shares[codes] = math.log(sizes.end_token - codes)
        self._sines, self._shares = sines, shares

    def stored(self) -> dict[str, Tensor]:
        """Every tensor of the file, float32, by its name without `model.`."""
        found = {name: row.detach() for name, row in self.state_dict().items()}
        audio_rows, head = "ar_audio_embedding.word_embeddings.weight", "ar_predict_layer.weight"
        unused = self.sizes.end_token - self.codes
        found[audio_rows] = F.pad(found[audio_rows], (0, 0, 0, unused + 1))
        rows = found[head]
        other = rows[self.codes].expand(unused, -1)
        found[head] = torch.cat([rows[: self.codes], other, rows[self.end :]])
        return found

    def forward(self, seen: Batch) -> tuple[Tensor, list[Tensor]]:
        """Scores of what comes next, and where the first head of each layer looks.

        Returns:
            float32 [B, T, codes + 2], unused codes together; scores [B, T, X+T] per layer.
        """
        texts = seen.phones.shape[1]
        rows = torch.cat([self._text(seen.phones), self._audio(seen.tokens)], 1)
        bias = torch.where(seen.visible, 0.0, HIDDEN_AWAY)[:, None]
        looks = []
        for layer in self.h.layers:
            rows, look = layer(rows, bias)
            looks.append(look[:, texts:])
        return self.ar_predict_layer(rows[:, texts:]).float() + self._shares, looks

    def _text(self, phones: Tensor) -> Tensor:
        rows: Tensor = self.ar_text_embedding.word_embeddings(phones) + self.bert_proj.bias
        return rows + self.ar_text_position.alpha * self._sines[: phones.shape[1]]

    def _audio(self, tokens: Tensor) -> Tensor:
        rows: Tensor = self.ar_audio_embedding.word_embeddings(tokens)
        return rows + self.ar_audio_position.alpha * self._sines[: tokens.shape[1]]
