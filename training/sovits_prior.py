"""Teach the prior to say, from tokens, phones and a speaker's style, the latent of the speech."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training import sovits_batch
from training.sovits_data import Store
from training.sovits_latent import NOISE, PATTERN, QUIET, VOICE
from training.sovits_vocoder import Course
from workflow_scripts.models.sovits import CODEBOOK, Sovits

CODES = 328  # that labels use
CORRUPTED = 0.06  # share of tokens that are made wrong, for T2S and the codebook err too
QUIET_ROOT = 0.3  # of a voice amplitude: below, errors count no more
PATTERN_WEIGHT = 0.5
NOISE_WEIGHT = 0.1
WIDTH = 768


@dataclass(frozen=True, eq=False)
class Lesson:
    """A batch of whole utterances.

    Attributes:
        tokens: int64 [B, T], 0 behind the end.
        phones: int64 [B, X], -1 behind the end.
        lengths: int64 [B], frames.
        references: float32 [B, 704, R].
        mean, log_scale: float32 [B, 192, N], wanted.
    """

    tokens: Tensor
    phones: Tensor
    lengths: Tensor
    references: Tensor
    mean: Tensor
    log_scale: Tensor


class Lessons:
    """Draws batches of utterances that are about as long as each other."""

    def __init__(self, work: Path, stores: Sequence[Store], speakers: Sequence[str], folder: str):
        said = json.loads((work / "sovits" / "phones.json").read_text("utf-8"))
        self._phones = {int(number): ids for number, ids in said.items()}
        self._stores = stores
        self._tokens = [np.load(work / folder / f"{speaker}.npz") for speaker in speakers]
        self._held: dict[tuple[int, int], NDArray[np.int64]] = {}
        rows = [(s, row) for s, store in enumerate(stores) for row in range(len(store.ids))]
        self._rows = sorted(rows, key=lambda place: self._length(*place))

    def _length(self, speaker: int, row: int) -> int:
        first, behind = self._stores[speaker].span(row)
        return behind - first

    def _said(self, speaker: int, row: int) -> NDArray[np.int64]:
        if (speaker, row) not in self._held:
            number = str(int(self._stores[speaker].ids[row]))
            self._held[speaker, row] = self._tokens[speaker][number].astype(np.int64)
        return self._held[speaker, row]

    def draw(self, course: Course, rng: np.random.Generator) -> Lesson:
        """A batch; its references are of other utterances by the same speakers."""
        start = int(rng.integers(0, len(self._rows) - course.batch))
        picked = self._rows[start : start + course.batch]
        latents = [self._stores[s].latent(*self._stores[s].span(row)) for s, row in picked]
        tokens = [corrupted(self._said(s, row), rng) for s, row in picked]
        phones = [np.array(self._phones[int(self._stores[s].ids[row])]) for s, row in picked]
        references = []
        for s, _ in picked:
            shelf = self._stores[s].references
            references.append(np.array(shelf[rng.integers(len(shelf))], np.float32))
        return Lesson(
            tokens=_stacked(tokens, 0),
            phones=_stacked(phones, -1),
            lengths=torch.tensor([2 * len(row) for row in tokens]),
            references=torch.from_numpy(np.stack(references)),
            mean=_stacked([latent.mean for latent in latents], 0).transpose(1, 2),
            log_scale=_stacked([latent.log_scale for latent in latents], QUIET).transpose(1, 2),
        )


def corrupted(tokens: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Tokens of which a few have been taken from a neighbour, or at random."""
    shifted = np.roll(tokens, int(rng.choice((-1, 1))))
    other = rng.integers(0, CODES, len(tokens))
    lot = rng.random(len(tokens))
    changed = np.where(lot < CORRUPTED, shifted, tokens)
    return np.where(lot < CORRUPTED / 3, other, changed)


def _stacked(rows: Sequence[NDArray[np.generic]], filler: float) -> Tensor:
    longest = max(len(row) for row in rows)
    out = np.full((len(rows), longest, *rows[0].shape[1:]), filler, rows[0].dtype)
    for place, row in zip(out, rows, strict=True):
        place[: len(row)] = row
    return torch.from_numpy(out)


def stand_in_codebook() -> Tensor:
    """Rows as different as can be, float32 [1024, 768], until a codebook has been trained."""
    generator = torch.Generator().manual_seed(5)
    square = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=generator)).Q
    rows = torch.zeros(CODEBOOK, WIDTH)
    rows[:WIDTH] = square * WIDTH**0.5
    return rows


def adopt(sovits: Sovits, embed: Tensor) -> None:
    """Change the codebook and keep what the prior hears of each code, by least squares.

    Args:
        sovits: the model; its `codebook` and `enc_p.ssl_proj` change.
        embed: float32 [1024, 768], the new rows.
    """
    layer: nn.Conv1d = sovits.enc_p.ssl_proj
    with torch.no_grad():
        heard = sovits.codebook.weight[:CODES] @ layer.weight[:, :, 0].t()
        rows = embed[:CODES].double()
        middle = rows.mean(0)
        centred = rows - middle
        ridge = 1e-6 * centred.square().sum(1).mean() * torch.eye(CODES, dtype=torch.float64)
        weight = centred.t() @ torch.linalg.solve(centred @ centred.t() + ridge, heard.double())
        layer.bias += (heard.double() - rows @ weight).mean(0).float()
        layer.weight.copy_(weight.t().float().unsqueeze(2))
        sovits.codebook.weight.copy_(embed)


def said(sovits: Sovits, lesson: Lesson) -> tuple[Tensor, Tensor]:
    """Mean and log-scale that the model gives for a batch, float32 [B, 192, N] each."""
    rows = sovits.codebook(lesson.tokens).repeat_interleave(2, dim=1).transpose(1, 2)
    style = sovits_batch.style(sovits.ref_enc, lesson.references)
    return sovits_batch.prior(sovits.enc_p, rows, lesson.phones, style, lesson.lengths)


def prior_loss(mean: Tensor, log_scale: Tensor, lesson: Lesson) -> dict[str, Tensor]:
    """Parts of the loss, each weighted: amplitudes of the voice, pulses, noise, channels unused."""
    exist = torch.arange(mean.shape[2]) < lesson.lengths.unsqueeze(1)
    share = exist.unsqueeze(1) / exist.sum()
    wanted = lesson.mean[:, VOICE]
    voice = (mean[:, VOICE] - wanted).abs() / (wanted + QUIET_ROOT)
    pattern = (mean[:, PATTERN] - lesson.mean[:, PATTERN]).abs()
    noise = (log_scale[:, NOISE] - lesson.log_scale[:, NOISE]).abs()
    rest = mean[:, PATTERN.stop :].square().sum(1, keepdim=True)
    other = torch.cat([log_scale[:, : NOISE.start], log_scale[:, NOISE.stop :]], dim=1)
    return {
        "voice": (voice * share).sum() / wanted.shape[1],
        "pattern": PATTERN_WEIGHT * (pattern * share).sum(),
        "noise": NOISE_WEIGHT * (noise * share).sum() / noise.shape[1],
        "rest": 0.01 * ((rest + (other - QUIET).square().sum(1, keepdim=True)) * share).sum(),
    }


def prior_step(
    sovits: Sovits, optimizer: torch.optim.Optimizer, lesson: Lesson, clip: float
) -> dict[str, float]:
    """One iteration; the parts of the loss."""
    with torch.autocast("cpu", torch.bfloat16):
        mean, log_scale = said(sovits, lesson)
    parts = prior_loss(mean.float(), log_scale.float(), lesson)
    optimizer.zero_grad()
    torch.autograd.backward(torch.stack(list(parts.values())).sum())
    learning = [p for group in optimizer.param_groups for p in group["params"]]
    torch.nn.utils.clip_grad_norm_(learning, clip)
    optimizer.step()
    return {name: part.item() for name, part in parts.items()}
