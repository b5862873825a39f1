"""Train the acoustic model in parts that may run side by side, and write WORK/voice.pth.

`vocoder` learns from latents made by hand out of speech; `prior` learns to say these latents from
tokens, phones and style; `file` joins both. Each part keeps its state and goes on where it was.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from runtime.cli import option, run
from runtime.errors import ArtifactError
from training.sovits_data import SPEAKERS, load
from training.sovits_network import Sizes, network, write_voice
from training.sovits_prior import Lessons, adopt, prior_step, stand_in_codebook
from training.sovits_vocoder import Clock, Course, pattern_weights, vocoder_batch, vocoder_step
from workflow_scripts.files import atomic
from workflow_scripts.models.sovits import Sovits

SAVE_EVERY_S = 60
TELL_EVERY = 50
VOCODER = Course(batch=8, tokens=24, rate=2e-3, warm=100, iterations=5000)
PRIOR = Course(batch=16, rate=1e-3, warm=200, iterations=4000)
Step = Callable[[np.random.Generator], dict[str, float]]


@dataclass(frozen=True, eq=False)
class Pupil:
    """A part that learns.

    Attributes:
        path: of its state.
        networks: what is kept.
        optimizer: over their parameters.
    """

    path: Path
    networks: nn.ModuleDict
    optimizer: torch.optim.Optimizer

    def save(self, iteration: int) -> None:
        """Write the state; it appears whole or not at all."""
        state = {
            "networks": self.networks.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "iteration": iteration,
        }
        with atomic(self.path) as (part,):
            torch.save(state, part)

    def resume(self) -> int:
        """Take up a saved state, if there is one; the iterations done."""
        if not self.path.exists():
            return 0
        state = torch.load(self.path, weights_only=True)
        self.networks.load_state_dict(state["networks"])
        self.optimizer.load_state_dict(state["optimizer"])
        return int(state["iteration"])


def say(line: str) -> None:
    """To the log."""
    print(line, flush=True)  # noqa: T201 - what the log is made of


def vocoder_pupil(work: Path, sovits: Sovits) -> Pupil:
    """The vocoder of a model, to be trained."""
    networks = nn.ModuleDict({"dec": sovits.dec})
    optimizer = torch.optim.AdamW(networks.parameters(), betas=(0.8, 0.99))
    return Pupil(work / "sovits" / "vocoder.pt", networks, optimizer)


def prior_pupil(work: Path, sovits: Sovits) -> Pupil:
    """The prior and the style of a model, to be trained; the codebook is only kept."""
    networks = nn.ModuleDict(
        {"enc_p": sovits.enc_p, "ref_enc": sovits.ref_enc, "codebook": sovits.codebook}
    )
    learning = [*sovits.enc_p.parameters(), *sovits.ref_enc.parameters()]
    optimizer = torch.optim.AdamW(learning, betas=(0.9, 0.98), weight_decay=0.01)
    return Pupil(work / "sovits" / "prior.pt", networks, optimizer)


def learn(pupil: Pupil, course: Course, step: Step, minutes: float) -> None:
    """Train until the time or the course is over, or somebody sends SIGTERM.

    Args:
        pupil: what learns; goes on where its state was.
        course: how.
        step: does an iteration and gives the parts of its loss.
        minutes: to stop after.
    """
    iteration = pupil.resume()
    rng = np.random.default_rng([course.seed, iteration])
    clock, begun, saved = Clock(minutes), time.monotonic(), time.monotonic()
    sums: Counter[str] = Counter()
    while iteration < course.iterations and not clock.up:
        for group in pupil.optimizer.param_groups:
            group["lr"] = course.rate_at(iteration)
        sums.update(step(rng))
        iteration += 1
        if iteration % TELL_EVERY == 0:
            told = " ".join(f"{name} {value / TELL_EVERY:.4f}" for name, value in sums.items())
            say(f"{iteration} {told} {time.monotonic() - begun:.0f}s")
            sums.clear()
        if time.monotonic() - saved > SAVE_EVERY_S:
            saved = time.monotonic()
            pupil.save(iteration)
    pupil.save(iteration)


def vocoder_lessons(work: Path, sovits: Sovits, pupil: Pupil, course: Course) -> Step:
    """Iterations of the vocoder."""
    stores = [load(work, speaker) for speaker in SPEAKERS]
    patterns = pattern_weights()

    def step(rng: np.random.Generator) -> dict[str, float]:
        batch = vocoder_batch(stores, course, rng, patterns)
        return vocoder_step(sovits.dec, pupil.optimizer, batch, course.clip)

    return step


def prior_lessons(work: Path, sovits: Sovits, pupil: Pupil, course: Course) -> Step:
    """Iterations of the prior, from the true tokens once they are there."""
    folder = "tokens" if (work / "tokens").exists() else "labels"
    stores = [load(work, speaker) for speaker in SPEAKERS]
    lessons = Lessons(work, stores, SPEAKERS, folder)

    def step(rng: np.random.Generator) -> dict[str, float]:
        return prior_step(sovits, pupil.optimizer, lessons.draw(course, rng), course.clip)

    return step


def joined(work: Path, sizes: Sizes) -> tuple[Sovits, int]:
    """The model as its parts' states are, with the trained codebook if there is one."""
    sovits = network(sizes, 0)
    pupils = (vocoder_pupil(work, sovits), prior_pupil(work, sovits))
    for pupil in pupils:
        if not pupil.path.exists():
            raise ArtifactError(f"{pupil.path}: no such file; train this part first")
    iterations = sum(pupil.resume() for pupil in pupils)
    quantizer = work / "quantizer.npz"
    if quantizer.exists():
        held = np.load(quantizer)
        adopt(sovits, torch.from_numpy(held["embed"]).float())
        sovits.ssl_proj.load_state_dict(
            {
                name: torch.from_numpy(held[f"ssl_proj.{name}"]).float()
                for name in ("weight", "bias")
            }
        )
    return sovits, iterations


def main(argv: list[str] | None = None) -> None:
    """Do what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("part", choices=("vocoder", "prior", "file"), help="what to do")
    option(parser, "--work", type=Path, required=True, metavar="DIR", help="training folder")
    option(parser, "--minutes", type=float, default=600, help="stop after so long")
    option(parser, "--iterations", type=int, help="of the whole course")
    option(parser, "--threads", type=int, default=2, help="of the CPU (default: 2)")
    option(parser, "--seed", type=int, default=1, metavar="N", help="default: 1")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    if args.part == "file":
        sovits, iterations = joined(args.work, Sizes())
        write_voice(args.work / "voice.pth", sovits, Sizes(), iterations)
        return
    course = VOCODER if args.part == "vocoder" else PRIOR
    course = course.changed(args.iterations, args.seed)
    sovits = network(Sizes(), args.seed)
    sovits.codebook.weight.data.copy_(stand_in_codebook())
    pupil = {"vocoder": vocoder_pupil, "prior": prior_pupil}[args.part](args.work, sovits)
    lessons = {"vocoder": vocoder_lessons, "prior": prior_lessons}[args.part]
    learn(pupil, course, lessons(args.work, sovits, pupil, course), args.minutes)


if __name__ == "__main__":
    run(main)
