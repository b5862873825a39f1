"""Have flite's three free voices speak the sentences, and read that corpus back.

Writes WORK/corpus: `sentences.jsonl`, per speaker a folder of 16 kHz WAV files and a `.jsonl` with
the end time of every phone. A speaker whose list is written is not spoken again.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.arrays import Samples
from runtime.audio import read
from runtime.cli import option, run
from runtime.errors import ArtifactError, BackendMissing
from training.sentences import pairs, sentences
from workflow_scripts.files import atomic

SPEAKERS = ("slt", "rms", "awb")
SPLITS = ("train", "held")
RATE_HZ = 16_000
HELD_OUT = Path(__file__).parents[1] / "workflow_scripts/proof/words/data/held_out.json"
SENTENCES = 1600  # to train on
SILENCE = "pau"
PHONES = (
    *(SILENCE, "aa", "ae", "ah", "ao", "aw", "ax", "ay", "b", "ch", "d", "dh", "eh", "er", "ey"),
    *("f", "g", "hh", "ih", "iy", "jh", "k", "l", "m", "n", "ng", "ow", "oy", "p", "r", "s", "sh"),
    *("t", "th", "uh", "uw", "v", "w", "y", "z", "zh"),
)


@dataclass(frozen=True)
class Utterance:
    """One sentence as one speaker said it.

    Attributes:
        id: of the sentence, the same for all speakers.
        text: the sentence.
        phones: flite's phone names in order, each with its end in seconds.
        path: the WAV file, 16 kHz mono.
    """

    id: int
    text: str
    phones: tuple[tuple[str, float], ...]
    path: Path

    def samples(self) -> Samples:
        """The sound, float32 [S] at 16 kHz."""
        return read(self.path).samples


def utterances(work: Path, speaker: str, split: str) -> list[Utterance]:
    """What a speaker said.

    Args:
        work: folder of the training.
        speaker: one of SPEAKERS.
        split: `train` or `held`.

    Raises:
        ArtifactError: the corpus is not there.
    """
    folder = work / "corpus"
    wanted = {row["id"] for row in _rows(folder / "sentences.jsonl") if row["split"] == split}
    return [
        Utterance(
            row["id"],
            row["text"],
            tuple((name, end) for name, end in row["phones"]),
            _wav(folder, speaker, row["id"]),
        )
        for row in _rows(folder / f"{speaker}.jsonl")
        if row["id"] in wanted
    ]


def write_sentences(work: Path, count: int, seed: int) -> list[dict[str, Any]]:
    """Choose what is said: rows of id, split and text, held-out sentences last; kept if there."""
    path = work / "corpus" / "sentences.jsonl"
    if not path.exists():
        held_out = json.loads(HELD_OUT.read_text("utf-8"))
        texts = [("train", text) for text in sentences("training", count, seed, avoid=held_out)]
        texts += [("held", text) for text in held_out]
        rows = [{"id": i, "split": split, "text": text} for i, (split, text) in enumerate(texts)]
        _write_rows(path, rows)
    return _rows(path)


def speak(folder: Path, speaker: str, rows: Iterable[dict[str, Any]], workers: int = 1) -> None:
    """Say each row's text with one voice.

    Args:
        folder: of the corpus.
        speaker: one of SPEAKERS.
        rows: with id and text.
        workers: how many speak at once.

    Raises:
        BackendMissing: flite is not installed.
        ArtifactError: flite fails, or names a phone that we do not know.
    """
    flite = shutil.which("flite")
    if flite is None:
        raise BackendMissing("flite: it is not installed; apt-get install flite")
    (folder / speaker).mkdir(parents=True, exist_ok=True)

    def say(row: dict[str, Any]) -> dict[str, Any]:
        wav = _wav(folder, speaker, row["id"])
        command = [flite, "-voice", speaker, "-psdur", "-t", row["text"], "-o", str(wav)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not wav.exists():
            raise ArtifactError(f"{wav}: flite ended with {done.returncode}; is the disk full?")
        return {"id": row["id"], "text": row["text"], "phones": phone_ends(done.stdout)}

    with ThreadPoolExecutor(workers) as pool:
        spoken = list(pool.map(say, rows))
    _write_rows(folder / f"{speaker}.jsonl", spoken)


def phone_ends(printed: str) -> list[tuple[str, float]]:
    """Phones and their ends (s) as `flite -psdur` prints them: `pau:0.209 ae:0.298 …`.

    Raises:
        ArtifactError: a phone is unknown.
    """
    phones = []
    for item in printed.split():
        name, _, end = item.partition(":")
        if name not in PHONES:
            raise ArtifactError(f"flite: unknown phone '{name}'; use one of Debian's US voices")
        phones.append((name, float(end)))
    return phones


def _wav(folder: Path, speaker: str, sentence: int) -> Path:
    return folder / speaker / f"{sentence:05d}.wav"


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        raise ArtifactError(f"{path}: not there; run python -m training.corpus first") from None
    return [json.loads(line) for line in lines]


def _write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with atomic(path) as (part,):
        part.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def main(argv: list[str] | None = None) -> None:
    """Write the sentences and have each speaker say them."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    option(parser, "--work", type=Path, required=True, help="folder of the training")
    option(parser, "--sentences", type=int, default=SENTENCES, help="to train on")
    option(parser, "--seed", type=int, default=1, help="same seed, same sentences")
    option(parser, "--workers", type=int, default=2, help="that speak at once (default: 2)")
    args = parser.parse_args(argv)
    rows = write_sentences(args.work, args.sentences, args.seed)
    covered = {pair for row in rows if row["split"] == "train" for pair in pairs(row["text"])}
    sys.stderr.write(f"{len(rows)} sentences; {len(covered)} phone pairs in training\n")
    for speaker in SPEAKERS:
        if not (args.work / "corpus" / f"{speaker}.jsonl").exists():
            speak(args.work / "corpus", speaker, rows, args.workers)
        sys.stderr.write(f"{speaker}: spoken\n")


if __name__ == "__main__":
    run(main)
