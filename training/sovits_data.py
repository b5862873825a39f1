"""What the acoustic model learns from: every training utterance taken apart, and crops of it.

Writes WORK/sovits/speech/, one archive for each speaker; a speaker that has one is left alone.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from runtime.audio import resample_sinc
from runtime.reference.features import OUTPUT_HZ, spectrogram
from training.corpus import SPEAKERS, Utterance, utterances
from training.labels import read_arrays, tokens_in
from training.sovits_grid import listening_at
from training.sovits_latent import channels_of, latent_of
from training.sovits_speech import RATE, TOKEN_STEPS, Floats, Speech, take_apart
from training.sovits_typical import typical
from workflow_scripts.files import atomic

BINS = 704  # of a reference's spectrogram
REFERENCES = 48  # per speaker
REFERENCE_FRAMES = 150  # of a reference that is learned from: 3 s
VOICELESS = frozenset(("pau", "ch", "f", "hh", "k", "p", "s", "sh", "t", "th"))
SWAPPED = 0.03  # share of tokens that are a neighbour's, for the T2S errs too


@dataclass(frozen=True, eq=False)
class Store:
    """One speaker's utterances behind one another.

    Attributes:
        tokens: int16 [T].
        bands: float16 [4T, 24].
        voiced: bool [4T].
        references: float16 [48, 704, 150], spectrograms.
    """

    tokens: NDArray[np.int16]
    bands: NDArray[np.float16]
    voiced: NDArray[np.bool_]
    references: NDArray[np.float16]

    def speech(self, first: int, behind: int) -> Speech:
        """Tokens `first` up to `behind`."""
        steps = slice(TOKEN_STEPS * first, TOKEN_STEPS * behind)
        return Speech(self.bands[steps].astype(np.float32), self.voiced[steps])


@dataclass(frozen=True, eq=False)
class Shelf:
    """One speaker's utterances and what is usual in them.

    Attributes:
        store: the utterances.
        pulses: of the speaker's pitch.
        usual: float16 [2T, 96], what the prior should say of each place: voice and noise.
    """

    store: Store
    pulses: int
    usual: NDArray[np.float16]

    @classmethod
    def of(cls, store: Store, pulses: int) -> "Shelf":
        """Find what is usual."""
        tokens = store.tokens.astype(np.int64)
        said = latent_of(store.speech(0, len(tokens)), pulses)[:, channels_of(pulses)]
        usual = typical(tokens, said.reshape(len(tokens), -1))
        return cls(store, pulses, usual.reshape(said.shape).astype(np.float16))

    def latents(self, first: int, behind: int) -> tuple[Floats, Floats]:
        """What tokens `first` up to `behind` are, and what is usual, float32 [2T, 192] each."""
        exact = latent_of(self.store.speech(first, behind), self.pulses)
        usual = np.zeros_like(exact)
        usual[:, channels_of(self.pulses)] = self.usual[2 * first : 2 * behind]
        return exact, usual


def prepare(work: Path, sentences: int, workers: int) -> list[Store]:
    """Take the first sentences of training apart where that has not been done; read all back.

    Args:
        work: the training folder, with corpus and labels.
        sentences: how many of each speaker.
        workers: processes.

    Raises:
        ArtifactError: the corpus is missing.
        OSError: the labels are missing or the disk is full.
    """
    return [_store(work, speaker, sentences, workers) for speaker in SPEAKERS]


def _store(work: Path, speaker: str, sentences: int, workers: int) -> Store:
    path = work / "sovits" / "speech" / f"{speaker}.npz"
    if not path.exists():
        said = utterances(work, speaker, "train")[:sentences]
        labels = read_arrays(work / "labels" / f"{speaker}.npz")
        with ProcessPoolExecutor(workers) as pool:
            parts = list(pool.map(speech_of, said, chunksize=16))
        arrays = {
            "tokens": np.concatenate([labels[one.id] for one in said]),
            "bands": np.concatenate([part.bands for part in parts]).astype(np.float16),
            "voiced": np.concatenate([part.voiced for part in parts]),
            "references": np.stack(list(_references(said))),
        }
        with atomic(path) as (file,), file.open("wb") as opened:
            np.savez(opened, allow_pickle=False, **arrays)
    with np.load(path) as held:
        return Store(**{name: held[name] for name in held.files})


def speech_of(said: Utterance) -> Speech:
    """An utterance taken apart, phones on the grid of tokens; they say where it is voiced."""
    samples = said.samples()
    places = listening_at(said.phones, tokens_in(samples.size))
    return replace(take_apart(samples, places), voiced=voiced_at(said.phones, places))


def voiced_at(phones: Sequence[tuple[str, float]], places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the phone at each of these samples at RATE is a voiced one, bool."""
    ends = np.array([end for _, end in phones])
    voiced = np.array([name not in VOICELESS for name, _ in phones] + [False])
    return np.asarray(voiced[np.searchsorted(ends, places / RATE, side="right")])


def _references(said: Sequence[Utterance]) -> Iterator[NDArray[np.float16]]:
    """Spectrograms of utterances that are long enough, spread over the corpus."""
    found = 0
    for one in said[:: max(1, len(said) // (2 * REFERENCES))]:
        samples = one.samples()
        if samples.size < REFERENCE_FRAMES * RATE // 50 or found == REFERENCES:
            continue
        found += 1
        wide = resample_sinc(samples, RATE, OUTPUT_HZ)
        yield spectrogram(wide, BINS)[0, :, :REFERENCE_FRAMES].astype(np.float16)


@dataclass(frozen=True, eq=False)
class Lesson:
    """A batch of crops.

    Attributes:
        tokens: int64 [B, T].
        speakers: int64 [B], index into SPEAKERS.
        references: float32 [3, 704, 150], one of each speaker.
        latent: float32 [B, 192, 2T], what the vocoder should make audible.
        usual: float32 [B, 192, 2T], what the prior should say.
    """

    tokens: Tensor
    speakers: Tensor
    references: Tensor
    latent: Tensor
    usual: Tensor


def lesson(shelves: Sequence[Shelf], crops: int, tokens: int, rng: np.random.Generator) -> Lesson:
    """Crops from anywhere in the streams of all speakers, equally many of each."""
    rows = []
    for number in range(crops):
        speaker = number % len(shelves)
        store = shelves[speaker].store
        first = int(rng.integers(0, len(store.tokens) - tokens))
        latents = shelves[speaker].latents(first, first + tokens)
        said = corrupted(store.tokens[first : first + tokens].astype(np.int64), rng)
        rows.append((said, speaker, *latents))
    stores = [shelf.store for shelf in shelves]
    references = [store.references[rng.integers(len(store.references))] for store in stores]
    return Lesson(
        tokens=torch.from_numpy(np.stack([row[0] for row in rows])),
        speakers=torch.tensor([row[1] for row in rows]),
        references=torch.from_numpy(np.stack(references).astype(np.float32)),
        latent=torch.from_numpy(np.stack([row[2].T for row in rows])),
        usual=torch.from_numpy(np.stack([row[3].T for row in rows])),
    )


def corrupted(tokens: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Tokens of which a few are a neighbour's."""
    shifted = np.roll(tokens, int(rng.choice((-1, 1))))
    return np.where(rng.random(len(tokens)) < SWAPPED, shifted, tokens)
