"""What the acoustic model learns from: all utterances taken apart, on disk, and batches of them."""

import argparse
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from runtime.audio import resample_sinc
from runtime.cli import option, run
from runtime.features import OUTPUT_HZ, spectrogram
from runtime.text import phonemize
from training.sovits_latent import Latent, latent_of
from training.sovits_speech import RATE, TOKEN_STEPS, Floats, Speech, take_apart, voice_of
from workflow_scripts.files import atomic, write_json

SPEAKERS = ("slt", "rms", "awb")
BINS = 704  # of a reference's spectrogram
REFERENCES = 60  # per speaker
TOKEN_SAMPLES = OUTPUT_HZ // 25
LOUDEST = 16384.0  # int16 of a full-scale sample: voices may pass 1
WHOLE = "whole.json"


def tokens_of(samples: int) -> int:
    """How many tokens the pipeline makes of samples at 16 kHz."""
    return ((samples - 400) // 320 + 1) // 2


@dataclass(frozen=True, eq=False)
class Store:
    """One speaker's utterances behind one another.

    Attributes:
        ids: int64 [U], number of each utterance's sentence.
        ends: int64 [U], tokens up to the end of each.
        bands: float16 [4T, 48].
        voiced: bool [4T].
        pulses: int8 [T].
        voice: int16 [1280 T], the voiced part at 32 kHz.
        references: float16 [60, 704, 150], spectrograms.
    """

    ids: NDArray[np.int64]
    ends: NDArray[np.int64]
    bands: NDArray[np.float16]
    voiced: NDArray[np.bool_]
    pulses: NDArray[np.int8]
    voice: NDArray[np.int16]
    references: NDArray[np.float16]

    def span(self, row: int) -> tuple[int, int]:
        """First token of an utterance and the one behind its last."""
        return (int(self.ends[row - 1]) if row else 0), int(self.ends[row])

    def speech(self, first: int, behind: int) -> Speech:
        """Tokens `first` up to `behind`."""
        steps = slice(TOKEN_STEPS * first, TOKEN_STEPS * behind)
        return Speech(
            bands=self.bands[steps].astype(np.float32),
            voiced=self.voiced[steps],
            pulses=self.pulses[first:behind].astype(np.int64),
        )

    def latent(self, first: int, behind: int) -> Latent:
        """What the prior should say of them."""
        return latent_of(self.speech(first, behind))

    def sound(self, first: int, behind: int) -> Floats:
        """Their voiced part, float32 at 32 kHz."""
        cut = self.voice[TOKEN_SAMPLES * first : TOKEN_SAMPLES * behind]
        return cut.astype(np.float32) / np.float32(LOUDEST)


def folder_of(work: Path, speaker: str) -> Path:
    """Where a speaker's store lies."""
    return work / "sovits" / "speech" / speaker


def load(work: Path, speaker: str) -> Store:
    """Open a store; the large arrays stay on disk."""
    folder = folder_of(work, speaker)
    arrays = {
        name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in Store.__dataclass_fields__
    }
    return Store(**arrays)


def sentences(work: Path, split: str) -> dict[int, str]:
    """Text of each sentence of a split by its number."""
    lines = (work / "corpus" / "sentences.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return {int(row["id"]): row["text"] for row in rows if row["split"] == split}


def phones_of(texts: dict[int, str]) -> dict[int, list[int]]:
    """Phone ids of each text as the runtime reads it."""
    return {
        number: [int(phone) for phone in phonemize(text, "en").ids]
        for number, text in texts.items()
    }


def prepare(work: Path, workers: int) -> None:
    """Take the training corpus apart and write a store for each speaker that has none.

    Raises:
        OSError: the corpus is missing or the disk is full.
    """
    texts = sentences(work, "train")
    phones = work / "sovits" / "phones.json"
    if not phones.exists():
        both = texts | sentences(work, "held")
        with atomic(phones) as (part,):
            write_json(part, phones_of(both))
    for speaker in SPEAKERS:
        if (folder_of(work, speaker) / WHOLE).exists():
            continue
        paths = [work / "corpus" / speaker / f"{number:05d}.wav" for number in texts]
        with ProcessPoolExecutor(workers) as pool:
            parts = list(pool.map(_taken_apart, paths, chunksize=16))
        _save(folder_of(work, speaker), np.array(list(texts)), parts, paths)


@dataclass(frozen=True, eq=False)
class _Part:
    speech: Speech
    voice: NDArray[np.int16]


def _taken_apart(path: Path) -> _Part:
    samples, _ = soundfile.read(path, dtype="float32")
    speech = take_apart(samples, tokens_of(samples.size))
    voice = voice_of(speech.bands, speech.voiced, speech.pulses)
    whole = np.clip(np.rint(voice * LOUDEST), -32768, 32767).astype(np.int16)
    return _Part(speech, whole)


def _save(folder: Path, ids: NDArray[np.int64], parts: list[_Part], paths: list[Path]) -> None:
    arrays = {
        "ids": ids,
        "ends": np.cumsum([len(part.speech.pulses) for part in parts]),
        "bands": np.concatenate([part.speech.bands for part in parts]).astype(np.float16),
        "voiced": np.concatenate([part.speech.voiced for part in parts]),
        "pulses": np.concatenate([part.speech.pulses for part in parts]).astype(np.int8),
        "voice": np.concatenate([part.voice for part in parts]),
        "references": np.stack(list(_references(paths))),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    with atomic(folder / WHOLE) as (part,):
        write_json(part, {"utterances": len(parts), "tokens": int(arrays["ends"][-1])})


def _references(paths: list[Path], frames: int = 150) -> Iterator[NDArray[np.float16]]:
    """Spectrograms [704, 150] of utterances that are long enough, spread over the corpus."""
    found = 0
    for path in paths[:: max(1, len(paths) // (3 * REFERENCES))]:
        samples, _ = soundfile.read(path, dtype="float32")
        if samples.size < frames * RATE // 50 or found == REFERENCES:
            continue
        found += 1
        wide = resample_sinc(samples, RATE, OUTPUT_HZ)
        yield spectrogram(wide, BINS)[0, :, :frames].astype(np.float16)


def crop(store: Store, tokens: int, rng: np.random.Generator) -> tuple[Latent, Floats]:
    """A piece of the stream, wherever it begins: latent [2 tokens] and voiced samples."""
    first = int(rng.integers(0, int(store.ends[-1]) - tokens))
    return store.latent(first, first + tokens), store.sound(first, first + tokens)


def main(argv: list[str] | None = None) -> None:
    """Prepare the stores."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    option(parser, "--work", type=Path, required=True, metavar="DIR", help="training folder")
    option(parser, "--workers", type=int, default=2, help="processes (default: 2)")
    args = parser.parse_args(argv)
    prepare(args.work, args.workers)


if __name__ == "__main__":
    run(main)
