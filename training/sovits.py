"""Stage 5: teach the acoustic model to speak labels, and write WORK/voice.pth.

One training: the prior learns from tokens and style how loud each waveform is, the
vocoder to make the waveforms. Begins where WORK/sovits/state.pt left off; with more --iterations it
goes on.
"""

import argparse
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from runtime.cli import option, run
from runtime.errors import ArtifactError, CheckpointError
from training import sovits_batch
from training.corpus import SPEAKERS
from training.sovits_data import Lesson, Shelf, lesson, prepare
from training.sovits_latent import PITCH_OF, patterns, sound_of
from training.sovits_loss import latent_loss, sound_loss
from training.sovits_network import Sizes, keep_still, learning, network, write_voice
from training.state import Stateful, asked_to_stop, resume, save
from workflow_scripts.checkpoint.read import read
from workflow_scripts.models.sovits import Sovits, load_sovits

FRAME = 640
MARGIN = 5  # frames at the ends of a crop that do not count: the vocoder lacks their context
JITTER = 0.05  # of channels that the vocoder gets: it learns that little is nothing
VOCODER_SHARE = 0.5  # of the learning rate; at all of it the vocoder can fall apart for good
SAVE_EVERY_S, PRINT_EVERY = 60, 50


@dataclass(frozen=True)
class Plan:
    """How the training runs.

    Attributes:
        iterations: in all.
        crops, tokens: that the prior learns from at once.
        sounded, frames: crops of these that are made to sound, and their length.
        every: how many iterations of the prior there are to one of the vocoder.
        rate: of learning, at its highest; falls as a cosine to nothing.
        warm: iterations until it is reached.
        clip: longest gradient, of the prior and of the vocoder.
        seed: of weights and crops.
    """

    iterations: int = 5000
    crops: int = 12
    tokens: int = 64
    sounded: int = 6
    frames: int = 42
    every: int = 3
    rate: float = 1.5e-3
    warm: int = 100
    clip: float = 5.0
    seed: int = 1

    def rate_at(self, iteration: int) -> float:
        """Learning rate."""
        if iteration < self.warm:
            return self.rate * (iteration + 1) / self.warm
        done = min(1.0, (iteration - self.warm) / max(1, self.iterations - self.warm))
        return self.rate * 0.5 * (1 + math.cos(math.pi * done))


class Training:
    """The model, its optimizer and the number of the next iteration.

    Attributes:
        parts: what a state holds.
        patterns: the waveforms that a latent is made of.
    """

    def __init__(self, work: Path, plan: Plan) -> None:
        self.plan, self.path = plan, work / "sovits" / "state.pt"
        self.sovits: Sovits = network(Sizes(), plan.seed)
        self.pupils = learning(self.sovits)
        self.optimizer = torch.optim.AdamW(self._groups(), plan.rate, (0.8, 0.99))
        self.parts: dict[str, Stateful] = {"networks": self.pupils, "optimizer": self.optimizer}
        self.iteration = resume(self.path, self.parts)
        self.patterns = patterns()

    def _groups(self) -> list[dict[str, Any]]:
        """Prior and vocoder, with the share of the plan's rate that each learns at."""
        vocoder = [*self.sovits.dec.parameters()]
        known = {id(row) for row in vocoder}
        prior = [row for row in self.pupils.parameters() if id(row) not in known]
        return [{"params": prior, "share": 1.0}, {"params": vocoder, "share": VOCODER_SHARE}]

    def begin(self, path: Path) -> None:
        """Take the weights of a voice's file, if nothing has been learned yet.

        Raises:
            CheckpointError: it is no such file, or its sizes are others.
        """
        if self.iteration == 0:
            found = read(path, "sovits")
            weights = load_sovits(found.widened(), found.config, str(path)).state_dict()
            ours = {name: row.shape for name, row in self.sovits.state_dict().items()}
            if ours != {name: row.shape for name, row in weights.items()}:
                raise CheckpointError(
                    f"{path}: not of the sizes that are trained; begin without it"
                )
            self.sovits.load_state_dict(weights)

    def save(self) -> None:
        """Write the state."""
        save(self.path, self.parts, self.iteration)

    def learn(self, shelves: Sequence[Shelf]) -> dict[str, float]:
        """One iteration, whose crops depend on the seed and its number alone; parts of its loss."""
        plan = self.plan
        for group in self.optimizer.param_groups:
            group["lr"] = group["share"] * plan.rate_at(self.iteration)
        rng = np.random.default_rng([plan.seed, self.iteration])
        seen = lesson(shelves, plan.crops, plan.tokens, rng)
        with torch.autocast("cpu", torch.bfloat16):
            said, style = self.said(seen)
        parts = latent_loss(said.float(), seen.usual)
        if self.iteration % plan.every == 0:
            parts |= self._sound(seen, style.detach(), rng)
        costs = self.step(parts)
        keep_still(self.sovits)
        return costs

    def said(self, seen: Lesson) -> tuple[Tensor, Tensor]:
        """What the prior says of crops, float [B, 192, 2T], and their styles."""
        style = sovits_batch.style(self.sovits.ref_enc, seen.references)[seen.speakers]
        rows = self.sovits.codebook(seen.tokens).repeat_interleave(2, dim=1).transpose(1, 2)
        said, _ = sovits_batch.prior(self.sovits.enc_p, rows, style)
        return said, style

    def step(self, parts: Mapping[str, Tensor]) -> dict[str, float]:
        """Move the weights against the sum of a loss's parts; the parts as numbers."""
        self.optimizer.zero_grad()
        torch.autograd.backward(torch.stack(list(parts.values())).sum())
        for group in self.optimizer.param_groups:  # each on its own: the vocoder's may leap
            torch.nn.utils.clip_grad_norm_(group["params"], self.plan.clip)
        self.optimizer.step()
        self.iteration += 1
        return {name: part.item() for name, part in parts.items()}

    def _sound(self, seen: Lesson, style: Tensor, rng: np.random.Generator) -> dict[str, Tensor]:
        """What the vocoder makes of some crops, beside what it should."""
        plan = self.plan
        first = int(rng.integers(0, 2 * plan.tokens - plan.frames + 1))
        places = torch.from_numpy(rng.permutation(plan.crops)[: plan.sounded])
        wanted = seen.latent[places, :, first : first + plan.frames]
        sounded = wanted + JITTER * torch.from_numpy(rng.standard_normal(wanted.shape, np.float32))
        with torch.autocast("cpu", torch.bfloat16):
            made = self.sovits.dec(sounded, style[places]).squeeze(1)
        counts = slice(MARGIN * FRAME, (plan.frames - MARGIN) * FRAME)
        return sound_loss(made.float()[:, counts], sound_of(wanted, self.patterns)[:, counts])


def train(training: Training, shelves: Sequence[Shelf], minutes: float) -> None:
    """Learn until the plan's end, the time's, or until the process is asked to end."""
    asked = asked_to_stop()
    began = saved = time.monotonic()
    sums: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    while training.iteration < training.plan.iterations and not asked():
        parts = training.learn(shelves)
        sums.update(parts)
        counts.update(parts.keys())
        now = time.monotonic()
        if training.iteration % PRINT_EVERY == 0:
            means = {name: round(value / counts[name], 4) for name, value in sums.items()}
            _print({"iteration": training.iteration, "s": round(now - began), **means})
            sums.clear()
            counts.clear()
        if now - saved > SAVE_EVERY_S:
            training.save()
            saved = now
        if now - began > 60 * minutes:
            break
    training.save()


def _print(content: dict[str, float]) -> None:
    """A line for the log."""
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


def write(training: Training, work: Path) -> None:
    """Write the trainer's file, with the quantizer that the SSL network's training made.

    Raises:
        ArtifactError: there is none yet.
    """
    path = work / "quantizer.npz"
    if not path.exists():
        raise ArtifactError(f"{path}: not there; run python -m training.quantizer, then this again")
    with np.load(path) as held:
        layer = {name: torch.from_numpy(held[name]) for name in ("weight", "bias")}
    training.sovits.ssl_proj.load_state_dict(layer)
    write_voice(work / "voice.pth", training.sovits, Sizes(), training.iteration)


def main(argv: list[str] | None = None) -> None:
    """Train, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    plan = Plan()
    option(parser, "--work", type=Path, required=True, metavar="DIR", help="training folder")
    option(parser, "--iterations", type=int, default=plan.iterations, metavar="N", help="in all")
    begin = "voice whose weights the first iteration starts from, such as voices/flite/sovits.pth"
    option(parser, "--begin", type=Path, metavar="FILE", help=begin)
    option(parser, "--minutes", type=float, default=600, metavar="X", help="stop after so long")
    option(parser, "--sentences", type=int, default=1600, metavar="N", help="of each speaker")
    option(parser, "--seed", type=int, default=plan.seed, metavar="N", help="of weights and crops")
    option(parser, "--threads", type=int, default=1, metavar="N", help="default: 1")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    training = Training(args.work, Plan(iterations=args.iterations, seed=args.seed))
    if args.begin is not None:
        training.begin(args.begin)
    if training.iteration < args.iterations:
        stores = prepare(args.work, args.sentences, args.threads)
        pitches = (PITCH_OF[speaker] for speaker in SPEAKERS)
        train(training, [Shelf.of(*row) for row in zip(stores, pitches, strict=True)], args.minutes)
    write(training, args.work)


if __name__ == "__main__":
    run(main)
