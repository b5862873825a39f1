"""Train a tiny network of HuBERT's class to classify phone and voicing of each 40 ms.

Writes WORK/hubert, a folder as `transformers` stores one (fp16), and WORK/ssl/head.npz: the layer
that reads phone and voicing from two frames of it, of which the quantizer is made.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import HubertConfig, HubertModel

from runtime.arrays import Float32, Samples
from runtime.cli import option, run
from training.corpus import PHONES, RATE_HZ, SPEAKERS, utterances
from training.labels import FIELD, HOP, TOKEN, VOICINGS, Labels, read_arrays
from training.state import Stateful, asked_to_stop, resume, save
from workflow_scripts.files import atomic, write_json

WIDTH = 768  # demanded by the codebook
CLASSES = len(PHONES) + VOICINGS
BANDS, PHASES = 64, 3
WINDOW, STEP = 320, 40  # samples that a filter covers, and between its answers
FIELD_STEPS = (FIELD - WINDOW) // STEP + 1  # answers that make a frame
BATCH = 8
SHORTEST_S, LONGEST_S = 2.5, 4.5  # of one example
QUIETER_DB, LOUDER_DB = -12.0, 6.0  # than flite speaks
HISS = 1e-3  # at most, root mean square
TAIL = 0.3  # share of the time that sounds end in silence, as references do
RATE = 1.5e-3  # of learning, at its highest
WARM = 60  # steps
EVERY_S = 60  # the state is saved
Example = tuple[Samples, Labels]


def config() -> HubertConfig:
    """Sizes of the network.

    Two convolutions see as far and step as far as the usual seven: 400 samples, 320 apart. Norms
    are per frame, so that silence behind a sound changes nothing before it.
    """
    return HubertConfig(
        hidden_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=12,
        intermediate_size=256,
        conv_dim=[BANDS * PHASES, BANDS * PHASES],
        conv_kernel=[WINDOW, FIELD_STEPS],
        conv_stride=[STEP, HOP // STEP],
        conv_bias=True,
        feat_extract_norm="layer",
        feat_extract_activation="relu",
        hidden_act="relu",
        num_conv_pos_embeddings=16,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        feat_proj_dropout=0.0,
        layerdrop=0.0,
        mask_time_prob=0.0,
        attn_implementation="eager",
    )


def filters() -> tuple[Float32, Float32]:
    """What the two convolutions start from: a bank of filters, and how loud each is.

    Returns:
        float32 [192, 1, 320]: bands at three phases, so that one of them is positive at any time.
        float32 [64, 192, 3]: sums of a band's phases at three times.
    """
    low = np.arange(60, 1_500, 40)  # close enough to separate harmonics of a voice
    centres = np.concatenate([low, np.geomspace(1_550, 7_600, BANDS - low.size)])
    phases = 2 * np.pi * np.arange(PHASES) / PHASES
    angles = 2 * np.pi * np.arange(WINDOW) / RATE_HZ * centres[:, None, None] + phases[:, None]
    loudness = centres[:, None, None] / centres.mean()  # speech falls off towards the top
    bank = loudness * np.hanning(WINDOW) * np.cos(angles) / np.sqrt(WINDOW)
    sums = np.repeat(np.eye(BANDS), PHASES, axis=1)[:, :, None] / (PHASES * FIELD_STEPS)
    wide = np.repeat(sums, FIELD_STEPS, axis=2)
    return bank.reshape(-1, 1, WINDOW).astype(np.float32), wide.astype(np.float32)


class Listener(nn.Module):
    """Sound to scores of phones and voicing."""

    def __init__(self) -> None:
        super().__init__()
        self.network = HubertModel(config())
        self.head = nn.Conv1d(WIDTH, CLASSES, 2, stride=2)
        bank, sums = (torch.from_numpy(start) for start in filters())
        first, second = (layer.conv for layer in self.network.feature_extractor.conv_layers)
        with torch.no_grad():
            first.weight.copy_(bank)
            second.weight[:BANDS] = sums

    def forward(self, audio: Tensor) -> Tensor:
        """Scores, [B, 43, T]: phones, then unvoiced and voiced, of audio [B, S] at 16 kHz."""
        features = self.network(audio).last_hidden_state
        scores: Tensor = self.head(features.transpose(1, 2))
        return scores


@dataclass(frozen=True)
class Material:
    """Sounds with their labels, by speaker; each fills whole tokens."""

    spoken: dict[str, list[Example]]

    @classmethod
    def read(cls, work: Path, split: str) -> "Material":
        """All that was spoken for one split."""
        spoken = {}
        for speaker in SPEAKERS:
            labels = read_arrays(work / "labels" / f"{speaker}.npz")
            said = utterances(work, speaker, split)
            spoken[speaker] = [filled(one.samples(), labels[one.id]) for one in said]
        return cls(spoken)

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Sounds of one length, float32 [B, S], and their labels, int64 [B, T].

        Each is one speaker's utterances in a row, louder or quieter, perhaps with silence behind.
        """
        tokens = int(rng.uniform(SHORTEST_S, LONGEST_S) * RATE_HZ / TOKEN)
        drawn = [self._chain(tokens, rng) for _ in range(BATCH)]
        audio = torch.from_numpy(np.stack([sound for sound, _ in drawn]))
        labels = torch.from_numpy(np.stack([own for _, own in drawn]).astype(np.int64))
        return audio, labels

    def _chain(self, tokens: int, rng: np.random.Generator) -> Example:
        spoken = self.spoken[SPEAKERS[rng.integers(len(SPEAKERS))]]
        sound = np.zeros(tokens * TOKEN, np.float32)
        labels = np.zeros(tokens, np.int16)
        end = tokens - int(rng.integers(1, 16)) if rng.random() < TAIL else tokens
        start = 0
        while start < end:
            samples, own = spoken[rng.integers(len(spoken))]
            stop = min(end, start + own.size)
            labels[start:stop] = own[: stop - start]
            sound[start * TOKEN : stop * TOKEN] = samples[: (stop - start) * TOKEN]
            start = stop
        level = 10 ** (rng.uniform(QUIETER_DB, LOUDER_DB) / 20)
        spread = rng.uniform(0, HISS) * rng.standard_normal(sound.size, np.float32)
        sound[: end * TOKEN] = level * sound[: end * TOKEN] + spread[: end * TOKEN]
        return sound.astype(np.float32), labels


def filled(samples: Samples, labels: Labels) -> Example:
    """The sound with silence to the end of its last token, and labels for all of it."""
    tokens = -(-samples.size // TOKEN)
    samples = np.pad(samples, (0, tokens * TOKEN - samples.size))
    return samples, np.pad(labels, (0, tokens - labels.size))


def loss_of(scores: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of phones plus that of voicing.

    Args:
        scores: [B, 43, T]; the last label of a sound may lack one.
        labels: int64 [B, T].
    """
    labels = labels[:, : scores.shape[2]]
    phones, voicing = torch.split(scores.float(), [len(PHONES), VOICINGS], dim=1)
    phone_cost = functional.cross_entropy(phones, labels // VOICINGS, label_smoothing=0.02)
    return phone_cost + functional.cross_entropy(voicing, labels % VOICINGS, label_smoothing=0.02)


def train(work: Path, steps: int, seed: int) -> Listener:
    """Train to the last step, or until a signal comes.

    Args:
        work: folder of the training.
        steps: all in all, those of earlier runs included.
        seed: of weights and batches; each step's batch depends on it and the step alone.
    """
    torch.manual_seed(seed)
    listener = Listener().train()
    optimiser = torch.optim.AdamW(listener.parameters(), RATE, (0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _pace(step, steps))
    parts: dict[str, Stateful] = {
        "listener": listener,
        "optimiser": optimiser,
        "schedule": schedule,
    }
    path = work / "ssl" / "state.pt"
    step = resume(path, parts)
    material = Material.read(work, "train")
    stop, saved = asked_to_stop(), time.monotonic()
    while step < steps:
        audio, labels = material.batch(np.random.default_rng([seed, step]))
        with torch.autocast("cpu", torch.bfloat16):
            scores = listener(audio)
        loss = loss_of(scores, labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(listener.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        step += 1
        if step % 20 == 0:
            sys.stderr.write(f"step {step}: loss {loss.item():.3f}\n")
        if stop() or time.monotonic() - saved > EVERY_S or step == steps:
            save(path, parts, step)
            saved = time.monotonic()
        if stop():
            sys.exit(f"stopped at step {step}; the same command goes on")
    return listener.eval()


def _pace(step: int, steps: int) -> float:
    rise = (step + 1) / WARM
    fall = 0.5 + 0.5 * np.cos(np.pi * min(1.0, step / steps))
    return float(min(rise, fall))


def write(listener: Listener, work: Path) -> None:
    """Write the folder and the head."""
    folder = work / "hubert"
    tensors = {
        key: value.half().contiguous() for key, value in listener.network.state_dict().items()
    }
    config = json.loads(listener.network.config.to_json_string(use_diff=False))
    head = {name: value.detach().numpy() for name, value in listener.head.named_parameters()}
    weights, settings = folder / "model.safetensors", folder / "config.json"
    with atomic(weights, settings, work / "ssl" / "head.npz") as (one, two, three):
        safetensors.torch.save_file(tensors, one, {"format": "pt"})
        write_json(two, config)
        with three.open("wb") as file:
            np.savez(file, allow_pickle=False, **head)


def main(argv: list[str] | None = None) -> None:
    """Train the network and write its folder."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    option(parser, "--work", type=Path, required=True, help="folder of the training")
    option(parser, "--steps", type=int, default=1500, help="all in all (default: %(default)s)")
    option(parser, "--seed", type=int, default=1, help="of weights and batches")
    option(parser, "--threads", type=int, default=2, help="of PyTorch (default: %(default)s)")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    write(train(args.work, args.steps, args.seed), args.work)


if __name__ == "__main__":
    run(main)
