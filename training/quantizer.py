"""Make the projection and codebook whose tokens are the SSL network's labels, and read tokens.

Writes WORK/quantizer.npz (`weight`, `bias` of `ssl_proj`; `codebook`) and WORK/tokens, per speaker
int16 [T] per sentence id, as the pipeline's own HuBERT and quantizer say them, and report.json:
how often those of held-out sentences are right. The projection
gives the scores of phones and voicing; a code's row holds a one for its phone and a one for its
voicing, so that the nearest row is the likeliest label: phone * 2 + voiced. A third
one, where the projection gives nothing, makes a code distinct to what reads the codebook.
"""

import argparse
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from runtime.arrays import Float32, Samples
from runtime.cli import option, run
from runtime.errors import ArtifactError
from runtime.reference.features import TAIL_SAMPLES
from training.corpus import PHONES, SPEAKERS, SPLITS, utterances
from training.labels import LABELS, VOICINGS, Labels, read_arrays, write_arrays
from workflow_scripts.files import atomic, write_json
from workflow_scripts.models.encoders import SSL_WIDTH
from workflow_scripts.models.hubert import Hubert, load_hubert
from workflow_scripts.models.sovits import CODEBOOK, nearest

SCORES = len(PHONES) + VOICINGS
AWAY = 2.0  # from the row of silence, where unused codes stand: never nearest, and silent


def codebook() -> Float32:
    """Rows of all codes, float32 [1024, 768]; each used row is as long as any other."""
    rows = np.zeros((CODEBOOK, SSL_WIDTH), np.float32)
    label = np.arange(LABELS)
    rows[label, label // VOICINGS] = 1
    rows[label, len(PHONES) + label % VOICINGS] = 1
    rows[label, SCORES + label] = 1
    rows[LABELS:] = rows[0]
    rows[LABELS:, -1] = AWAY
    return rows


def projection(weight: Float32, bias: Float32) -> tuple[Float32, Float32]:
    """`ssl_proj` that gives the head's scores in its first rows and nothing in the others.

    Args:
        weight: float32 [43, 768, 2], of the SSL network's head.
        bias: float32 [43].

    Returns:
        float32 [768, 768, 2] and [768].
    """
    rows = SSL_WIDTH - SCORES
    return np.pad(weight, ((0, rows), (0, 0), (0, 0))), np.pad(bias, (0, rows))


@dataclass(frozen=True)
class Listener:
    """The pipeline's way from sound to tokens.

    Attributes:
        hubert: sound to features.
        weight, bias: of `ssl_proj`, float32 [768, 768, 2] and [768].
        table: the codebook, float32 [1024, 768].
    """

    hubert: Hubert
    weight: Tensor
    bias: Tensor
    table: Tensor

    @classmethod
    def load(cls, work: Path) -> "Listener":
        """From WORK/hubert and WORK/quantizer.npz."""
        with np.load(work / "quantizer.npz") as stored:
            parts = [torch.from_numpy(stored[name]) for name in ("weight", "bias", "codebook")]
        return cls(load_hubert(work / "hubert"), *parts)

    def tokens(self, samples: Samples) -> Labels:
        """Tokens of float32 [S] at 16 kHz, int16 [T]; nothing is appended.

        Raises:
            ArtifactError: a code that stands for no label came out.
        """
        with torch.inference_mode():
            features = self.hubert(torch.from_numpy(samples)[None])
            rows = functional.conv1d(features, self.weight, self.bias, stride=2)
            found = nearest(rows.transpose(1, 2), self.table)[0].numpy().astype(np.int16)
        if found.max(initial=0) >= LABELS:
            raise ArtifactError(f"quantizer: token {found.max()} stands for nothing; train ssl on")
        return found


def write_quantizer(work: Path) -> None:
    """Write projection and codebook from the head of the SSL network, rounded to fp16."""
    with np.load(work / "ssl" / "head.npz") as head:
        weight, bias = projection(_rounded(head["weight"]), _rounded(head["bias"]))
    with atomic(work / "quantizer.npz") as (part,), part.open("wb") as file:
        np.savez_compressed(file, codebook=codebook(), weight=weight, bias=bias)


def _rounded(values: Float32) -> Float32:
    return values.astype(np.float16).astype(np.float32)


def write_tokens(work: Path, speaker: str, listener: Listener) -> None:
    """Write the tokens of all that a speaker said."""
    said = [one for split in SPLITS for one in utterances(work, speaker, split)]
    tokens = {one.id: listener.tokens(one.samples()) for one in said}
    write_arrays(work / "tokens" / f"{speaker}.npz", tokens)


def held_out_report(work: Path, speaker: str, listener: Listener) -> dict[str, float]:
    """How often tokens of held-out sentences are right, as shares of one.

    `phone`, `voicing` and `label` compare with the labels, `tail` with the tokens of the same
    sound with silence behind, as the pipeline encodes a reference.
    """
    tokens, labels = (read_arrays(work / part / f"{speaker}.npz") for part in ("tokens", "labels"))
    said = utterances(work, speaker, "held")
    tailed = [listener.tokens(np.pad(one.samples(), (0, TAIL_SAMPLES))) for one in said]
    found = np.concatenate([tokens[one.id] for one in said])
    wanted = np.concatenate([labels[one.id] for one in said])
    again = np.concatenate(
        [tail[: tokens[one.id].size] for one, tail in zip(said, tailed, strict=True)]
    )
    shares = {
        "phone": found // VOICINGS == wanted // VOICINGS,
        "voicing": found % VOICINGS == wanted % VOICINGS,
        "label": found == wanted,
        "tail": found == again,
    }
    return {name: round(float(hits.mean()), 4) for name, hits in shares.items()}


def main(argv: list[str] | None = None) -> None:
    """Write quantizer, tokens and report; tokens of the same networks are not read again."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    option(parser, "--work", type=Path, required=True, help="folder of the training")
    option(parser, "--threads", type=int, default=2, help="of PyTorch (default: %(default)s)")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    write_quantizer(args.work)
    listener, networks = Listener.load(args.work), _digest(args.work)
    reports = args.work / "tokens" / "report.json"
    known = json.loads(reports.read_text("utf-8")) if reports.exists() else {}
    report = known if known.get("networks") == networks else {"networks": networks}
    for speaker in SPEAKERS:
        if speaker not in report:
            write_tokens(args.work, speaker, listener)
            report[speaker] = held_out_report(args.work, speaker, listener)
            with atomic(reports) as (part,):
                write_json(part, report)
        sys.stderr.write(f"{speaker}: {report[speaker]}\n")


def _digest(work: Path) -> str:
    read = (work / "quantizer.npz", work / "hubert/config.json", work / "hubert/model.safetensors")
    return hashlib.sha256(b"".join(path.read_bytes() for path in read)).hexdigest()


if __name__ == "__main__":
    run(main)
