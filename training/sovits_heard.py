"""How well the acoustic model speaks by itself: held-out sentences from their labels.

Word error of flite, of the sound that its latents stand for, of the prior with perfect waveforms,
and of the whole model, one JSON object each.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from runtime.audio import Audio
from runtime.cli import option, run
from runtime.reference.features import OUTPUT_HZ
from training.corpus import SPEAKERS, Utterance, utterances
from training.labels import read_arrays
from training.sovits import Training
from training.sovits_data import Store, prepare, speech_of
from training.sovits_latent import PITCH_OF, WIDTH, latent_of, patterns, sound_of
from training.sovits_polish import PLAN, Polishing
from training.sovits_speech import RATE
from workflow_scripts.proof.words.recogniser import Recogniser, edits, words_of


def sounds(
    training: Training, one: Utterance, tokens: Tensor, reference: Tensor, pulses: int
) -> Iterator[tuple[str, Audio]]:
    """One sentence in each of the ways.

    Args:
        training: whose model speaks.
        one: the utterance by flite.
        tokens: int64 [1, T], its labels.
        reference: float32 [1, 704, R].
        pulses: of its speaker.
    """
    sovits = training.sovits
    yield "flite", Audio(one.samples(), RATE)
    latent = torch.from_numpy(latent_of(speech_of(one), pulses).T)[None]
    table = patterns()
    yield "latent", _audio(sound_of(latent, table))
    style = sovits.style(reference)
    encoded = sovits.encode(tokens, torch.zeros(1, 1, dtype=torch.int64), style)
    said = sovits.sample(encoded, torch.randn(1, WIDTH, encoded.shape[2]), torch.tensor([0.5]))
    yield "prior", _audio(sound_of(said, table))
    yield "whole", _audio(sovits.vocode(said, style))


def _audio(samples: Tensor) -> Audio:
    return Audio(samples[0].numpy(), OUTPUT_HZ)


def report(training: Training, work: Path, stores: list[Store], count: int) -> None:
    """Write a line for each speaker."""
    for speaker, store in zip(SPEAKERS, stores, strict=True):
        said = utterances(work, speaker, "held")
        labels = read_arrays(work / "labels" / f"{speaker}.npz")
        recogniser = Recogniser(word for one in said for word in words_of(one.text))
        reference = torch.from_numpy(store.references[:1].astype(np.float32))
        wrong: dict[str, int] = {}
        words = 0
        for one in said[:count]:
            wanted = [word for word in words_of(one.text) if word in recogniser.known]
            words += len(wanted)
            tokens = torch.from_numpy(labels[one.id].astype(np.int64))[None]
            for way, audio in sounds(training, one, tokens, reference, PITCH_OF[speaker]):
                wrong[way] = wrong.get(way, 0) + edits(recogniser.transcribe(audio), wanted)
        rates = {way: round(count / words, 3) for way, count in wrong.items()}
        line = {"speaker": speaker, "iteration": training.iteration, "words": words, **rates}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def main(argv: list[str] | None = None) -> None:
    """Load the state, speak, listen."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    option(parser, "--work", type=Path, required=True, metavar="DIR", help="training folder")
    option(parser, "--sentences", type=int, default=20, metavar="N", help="of each speaker")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    with torch.inference_mode():
        report(Polishing(args.work, PLAN), args.work, prepare(args.work, 0, 1), args.sentences)


if __name__ == "__main__":
    run(main)
