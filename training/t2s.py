"""Stage 6: teach a small T2S to say the tokens of a text after a reference, and write its file.

Begins where WORK/t2s/state.pt left off; with more --steps it goes on. It can begin before
WORK/tokens is there, of which references are made; then stop it and run it again.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from runtime.cli import option, run
from training.labels import LABELS, VOICINGS
from training.state import Stateful, asked_to_stop, resume, save
from training.t2s_examples import Example, Spoken, batches, drawn, load, silence_of
from training.t2s_heard import evaluated, summary
from training.t2s_losses import loss, penalised, used_before
from training.t2s_network import UNUSED, Batch, Network, batch
from workflow_scripts.checkpoint.layout import t2s_layout
from workflow_scripts.checkpoint.sizes import t2s_sizes
from workflow_scripts.checkpoint.write import write_checkpoint
from workflow_scripts.models.t2s import PREFIX, T2S
from workflow_scripts.random_voice.__main__ import TINY, t2s_config

HIDDEN, HEADS, LAYERS = 192, 4, 4
SYMBOLS = "v2"
PENALTIES, PENALTY_SHARES = (1.35, 1.0), (0.75, 0.25)
MISHEARD_VOICING, MISHEARD = 0.03, 0.03  # shares of tokens that are replaced when they are read
SAVE_SECONDS, PRINT_STEPS = 120, 25


@dataclass(frozen=True)
class Plan:
    """How the training runs.

    Attributes:
        steps: in all.
        warm_up: steps until the rate is reached.
        rate: highest learning rate; falls as a cosine to a fiftieth.
        rows: of a batch, padding included.
        clip: longest gradient.
        seed: of everything random.
    """

    steps: int = 3000
    warm_up: int = 150
    rate: float = 1e-3
    rows: int = 3000
    clip: float = 1.0
    seed: int = 0


class Training:
    """Network, optimizer and the number of the next step."""

    def __init__(self, config: Mapping[str, Any], plan: Plan) -> None:
        torch.manual_seed(plan.seed)
        self.config, self.plan = dict(config), plan
        self.network = Network(t2s_sizes(config, "t2s"), LABELS)
        self.step = 0
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), plan.rate, betas=(0.9, 0.98), weight_decay=0.01
        )

    def rate(self) -> float:
        """The learning rate of this step."""
        plan = self.plan
        if self.step < plan.warm_up:
            return plan.rate * (self.step + 1) / plan.warm_up
        done = (self.step - plan.warm_up) / max(plan.steps - plan.warm_up, 1)
        return plan.rate * (0.02 + 0.49 * (1 + math.cos(math.pi * min(done, 1))))

    def learn(self, examples: Sequence[Example], random: np.random.Generator) -> dict[str, float]:
        """One step; what it cost, in parts."""
        seen = misheard(batch(examples, self.network.end), random)
        penalty = float(random.choice(PENALTIES, p=PENALTY_SHARES))
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        self.network.train()
        with torch.autocast("cpu", torch.bfloat16):
            logits, looks = self.network(seen)
        cost, parts = loss(logits, looks, seen, penalty)
        self.optimizer.zero_grad()
        cost.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.plan.clip)
        self.optimizer.step()
        self.step += 1
        return parts

    @property
    def parts(self) -> dict[str, Stateful]:
        """What a state holds."""
        return {"network": self.network, "optimizer": self.optimizer}

    def weights(self, sharpness: float = 1.0) -> dict[str, torch.Tensor]:
        """Tensors by their names in the file, float16; logits times `sharpness`."""
        stored = {PREFIX + name: row for name, row in self.network.stored().items()}
        last = f"{PREFIX}ar_predict_layer.weight"
        stored[last] = stored[last] * sharpness
        return {name: stored[name].half() for name in t2s_layout(self.network.sizes)}

    def model(self, sharpness: float = 1.0) -> T2S:
        """The transformer as the pipeline reads it from the file."""
        return T2S(self.weights(sharpness), self.config)


def misheard(seen: Batch, random: np.random.Generator) -> Batch:
    """The same batch with some tokens replaced by others of it, often of their voicing alone."""
    tokens = seen.tokens
    others = tokens.flatten()[torch.from_numpy(random.permutation(tokens.numel()))].view_as(tokens)
    chance = torch.from_numpy(random.random(tuple(tokens.shape)))
    voiced = tokens - tokens % VOICINGS + others % VOICINGS
    tokens = torch.where(chance < MISHEARD + MISHEARD_VOICING, voiced, tokens)
    return replace(seen, tokens=torch.where(chance < MISHEARD, others, tokens))


def accuracy(network: Network, examples: Sequence[Example]) -> dict[str, float]:
    """How often the best token, and its phone, is the right one when all before it is given."""
    seen = batch(examples, network.end)
    network.eval()
    with torch.no_grad():
        logits, _ = network(seen)
    logits = penalised(logits, used_before(seen.tokens, logits.shape[-1]), PENALTIES[0])
    right = seen.targets != UNUSED
    best, wanted = logits.argmax(-1)[right], seen.targets[right]
    return {
        "token_accuracy": float((best == wanted).float().mean()),
        "phone_accuracy": float((best // VOICINGS == wanted // VOICINGS).float().mean()),
    }


def configuration(hidden: int = HIDDEN, heads: int = HEADS, layers: int = LAYERS) -> dict[str, Any]:
    """What the file states of itself."""
    return t2s_config(SYMBOLS, replace(TINY, hidden=hidden, heads=heads, layers=layers))


def train(training: Training, spoken: Mapping[str, Sequence[Spoken]], state: Path) -> None:
    """Learn until the plan's end, or until the process is asked to end; the state is saved."""
    asked = asked_to_stop()
    random = np.random.default_rng([training.plan.seed, training.step])
    examples = drawn(spoken, silence_of(spoken), random)
    found = batches(examples, training.plan.rows)
    began = saved = time.monotonic()
    while training.step < training.plan.steps and not asked():
        parts = training.learn(next(found), random)
        now = time.monotonic()
        if training.step % PRINT_STEPS == 0:
            means = {name: round(value, 4) for name, value in parts.items()}
            _print({"step": training.step, "s": round(now - began), **means})
        if now - saved > SAVE_SECONDS:
            save(state, training.parts, training.step)
            saved = now
    save(state, training.parts, training.step)


def _print(content: Mapping[str, Any]) -> None:
    """A line for the log."""
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


def write(training: Training, path: Path, sharpness: float) -> None:
    """Write the trainer's file."""
    info = f"GPT-s{training.step}"
    write_checkpoint(path, training.weights(sharpness), training.config, info)


def report(training: Training, held: Mapping[str, Sequence[Spoken]], args: Any) -> dict[str, Any]:
    """What the model makes of held-out sentences."""
    silence = silence_of(held)
    random = np.random.default_rng(0)
    examples = drawn(held, silence, random)
    figures: dict[str, Any] = {"step": training.step, "plan": asdict(training.plan)}
    figures |= accuracy(training.network, [next(examples) for _ in range(24)])
    figures |= summary(evaluated(training.model(args.sharpness), held, silence, args.listen))
    return figures


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    made = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    plan = Plan()
    option(made, "--work", type=Path, required=True, metavar="DIR", help="the work folder")
    option(made, "--seed", type=int, default=plan.seed, metavar="N", help="default: 0")
    option(made, "--steps", type=int, default=plan.steps, metavar="N", help="in all")
    option(made, "--rate", type=float, default=plan.rate, metavar="X", help="learning rate")
    option(made, "--warm-up", type=int, default=plan.warm_up, metavar="N", help="steps")
    option(made, "--layers", type=int, default=LAYERS, metavar="N", help="of the network")
    option(made, "--threads", type=int, default=1, metavar="N", help="default: 1")
    option(made, "--listen", type=int, default=20, metavar="N", help="held-out texts a speaker")
    sharpness = "factor of the logits in the file; above 1 chooses the likeliest more often"
    option(made, "--sharpness", type=float, default=1.0, metavar="X", help=sharpness)
    return made


def main(argv: list[str] | None = None) -> None:
    """Train, write the file, print how it does."""
    args = parser().parse_args(argv)
    torch.set_num_threads(args.threads)
    work: Path = args.work
    plan = Plan(steps=args.steps, warm_up=args.warm_up, rate=args.rate, seed=args.seed)
    training, state = Training(configuration(layers=args.layers), plan), work / "t2s" / "state.pt"
    training.step = resume(state, training.parts)
    if training.step < plan.steps:
        train(training, load(work, "train"), state)
    if training.step < plan.steps:
        _print({"step": training.step, "stopped": "run again to go on"})
        return
    write(training, work / "voice.ckpt", args.sharpness)
    figures = report(training, load(work, "held"), args)
    _print(figures)


if __name__ == "__main__":
    run(main)
