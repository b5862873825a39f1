"""Stage 5, last part: the vocoder learns to sound what the prior really says, then WORK/voice.pth.

Before, the prior's last layer is made to say sharper spectra. Little is made nothing on the way:
what the prior says faintly is its error. Begins where WORK/sovits/polish.pt left off; with more
--iterations it goes on.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from runtime.cli import option, run
from training.corpus import SPEAKERS
from training.sovits import FRAME, MARGIN, Plan, Training, train, write
from training.sovits_data import Shelf, lesson, prepare
from training.sovits_latent import PITCH_OF, sharpening, sound_of
from training.sovits_loss import sound_loss
from training.state import resume
from workflow_scripts.models.sovits import Sovits

FAINT = 0.5  # channels up to here are to be inaudible
PLAN = Plan(iterations=1500, crops=9, tokens=24, rate=4e-4, warm=50, seed=77)


class Polishing(Training):
    """The model as it has been trained, of which the vocoder alone goes on."""

    def __init__(self, work: Path, plan: Plan) -> None:
        super().__init__(work, plan)
        sharpen(self.sovits)
        self.path = work / "sovits" / "polish.pt"
        self.optimizer = torch.optim.AdamW(self.sovits.dec.parameters(), plan.rate, (0.8, 0.99))
        self.parts = {"vocoder": self.sovits.dec, "optimizer": self.optimizer}
        self.iteration = resume(self.path, self.parts)

    def learn(self, shelves: Sequence[Shelf]) -> dict[str, float]:
        """One iteration; the parts of its loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.rate_at(self.iteration)
        rng = np.random.default_rng([self.plan.seed, self.iteration])
        seen = lesson(shelves, self.plan.crops, self.plan.tokens, rng)
        with torch.no_grad():
            said, style = self.said(seen)
            wanted = sound_of(said * (said > FAINT), self.patterns)
        with torch.autocast("cpu", torch.bfloat16):
            made = self.sovits.dec(said, style).squeeze(1)
        counts = slice(MARGIN * FRAME, (2 * self.plan.tokens - MARGIN) * FRAME)
        parts = sound_loss(made.float()[:, counts], wanted[:, counts])
        return self.step(parts)


def sharpen(sovits: Sovits) -> None:
    """Let the prior raise the peaks of what it says."""
    matrix = sharpening()
    with torch.no_grad():
        for name in ("weight", "bias"):
            means = sovits.enc_p.proj.get_parameter(name)[: sovits.latent_width]
            means.copy_(torch.tensordot(matrix, means, 1))


def main(argv: list[str] | None = None) -> None:
    """Train the vocoder, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    option(parser, "--work", type=Path, required=True, metavar="DIR", help="training folder")
    option(parser, "--iterations", type=int, default=PLAN.iterations, metavar="N", help="in all")
    option(parser, "--threads", type=int, default=1, metavar="N", help="default: 1")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    polishing = Polishing(args.work, replace(PLAN, iterations=args.iterations))
    if polishing.iteration < args.iterations:
        stores = prepare(args.work, 0, args.threads)
        pitches = (PITCH_OF[speaker] for speaker in SPEAKERS)
        shelves = [Shelf.of(*row) for row in zip(stores, pitches, strict=True)]
        train(polishing, shelves, minutes=600)
    write(polishing, args.work)


if __name__ == "__main__":
    run(main)
