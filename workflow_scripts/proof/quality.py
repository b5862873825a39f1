"""How far precisions and back ends of a voice are from its first bundle, on sentences of your own.

The first bundle speaks the sentences. Every other one gets the same tokens: the distance of its
logits before each (teacher forcing), and of its sound of them with the same noise. Then it speaks
on its own with the same draws, which shows whether it ends where the first one does. It does not
judge: the bars of a build are in its verdicts.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from runtime import audio as sound
from runtime import manifest as manifests
from runtime import noise, records
from runtime.acoustic.kind import Arrays, Conditioning
from runtime.arrays import Float32, Samples, Tokens
from runtime.backends.choices import choose
from runtime.cli import option, run
from runtime.errors import SettingError
from runtime.graphs import VoiceGraphs
from runtime.t2s.request import Chooser, Finish, Limits, Prompt, forced_logits, sampled
from runtime.t2s.sampler import Sampling
from runtime.text import MODES
from runtime.voice import Voice
from workflow_scripts.files import atomic
from workflow_scripts.proof.metrics import METRICS

COLUMNS = {  # of the table: field of Distances → heading
    "logits_kl": "kl",
    "worst_sentence_kl": "worst",
    "logits_top1_agreement": "top-1",
    "tokens_of_own": "own length",
    "prompt_tokens_token_equality": "prompt",
    "audio_snr_db": "snr dB",
    "audio_log_mel_distance": "mel dB",
    "t2s_decoder_mb": "t2s MB",
    "bundle_mb": "all MB",
}


@dataclass(frozen=True)
class OfSentence:
    """How far one sentence is from the first bundle's; in a report, the mean of all sentences.

    Attributes:
        logits_kl, logits_top1_agreement, logits_max_abs: before each given token.
        tokens_of_own: length of a free run over that of the first bundle's.
        audio_snr_db, audio_log_mel_distance: of the sound of the given tokens.
    """

    logits_kl: float = field(metadata={"formerly": "scores_kl"})
    logits_top1_agreement: float = field(metadata={"formerly": "scores_top1_agreement"})
    logits_max_abs: float = field(metadata={"formerly": "scores_max_abs"})
    tokens_of_own: float
    audio_snr_db: float
    audio_log_mel_distance: float


@dataclass(frozen=True)
class Distances(OfSentence):
    """How far a bundle on back ends is from the first one.

    Attributes:
        worst_sentence_kl: of the sentence that is the farthest.
        prompt_tokens_token_equality: of its own example.
        style_relative_rms: of what its acoustic model wants of it; of several, the farthest.
        t2s_decoder_mb, bundle_mb: of its files.
    """

    worst_sentence_kl: float
    prompt_tokens_token_equality: float
    style_relative_rms: float
    t2s_decoder_mb: float
    bundle_mb: float


@dataclass(frozen=True)
class QualityReport:
    """Everything that was compared.

    Attributes:
        text: what was spoken, a sentence a line.
        lang, seed, threads: how; lang None is the reference's.
        candidates: bundle on back ends → its distances.
    """

    text: str
    lang: str | None
    seed: int
    threads: int
    candidates: Mapping[str, Distances] = field(metadata={"formerly": "candidates"})


@dataclass(frozen=True, eq=False)
class Sentence:
    """What the first bundle makes of one sentence.

    Attributes:
        prompt: what its decoder gets.
        conditioning: what its sound is made under.
        tokens: int64 [T], sampled.
        logits: float32 [T, V], before each token.
        samples: float32 [S].
    """

    prompt: Prompt
    conditioning: Conditioning
    tokens: Tokens
    logits: Float32
    samples: Samples


class Candidate:
    """One bundle on one choice of back ends."""

    def __init__(self, folder: Path, provider: str, threads: int) -> None:
        self.manifest = manifests.load(folder)
        manifests.verify(folder, self.manifest)
        choice = choose(provider, self.manifest)
        graphs = VoiceGraphs.of_bundle(folder, self.manifest, choice, threads)
        self.decoder = graphs.decoder()
        self.acoustic = graphs.acoustic_model()
        self._references = graphs.references()
        self._example = sound.read(folder / self.manifest.reference.audio)
        self._limits = Limits(max_len=self.manifest.max_len)

    def encoded(self) -> tuple[Tokens, Arrays]:
        """Prompt tokens of the bundle's own example, and what its acoustic model wants of it."""
        tokens = self._references.prompt_tokens(self._example)
        return tokens, self._references.encoded([self._example], self.acoustic.wants)

    def spoken(self, prompt: Prompt, chooser: Chooser) -> Tokens:
        """The tokens of a free run, int64 [T]."""
        return np.fromiter(self.decoder.tokens(prompt, chooser, self._limits, Finish()), np.int64)

    def logits(self, prompt: Prompt, tokens: Tokens) -> Float32:
        """Under teacher forcing, float32 [T, V]."""
        return forced_logits(self.decoder, prompt, tokens, self.manifest.max_len)

    def samples(self, tokens: Tokens, conditioning: Conditioning) -> Samples:
        """The sound of tokens."""
        return self.acoustic.whole(tokens, conditioning).samples

    def megabytes(self) -> tuple[float, float]:
        """Files of the decoder and of the whole bundle."""
        files = self.manifest.files
        decoder = files[self.manifest.graphs["t2s_decoder"].file].size_bytes
        return decoder / 1e6, sum(file.size_bytes for file in files.values()) / 1e6


def draws(candidate: Candidate, seed: int, number: int) -> Chooser:
    """The chooser of one sentence: the voice's settings, the same draws for all."""
    usual = candidate.manifest.defaults
    sampling = Sampling(usual.top_k, usual.top_p, usual.temperature, usual.repetition_penalty)
    return sampled(sampling, partial(noise.exponentials, seed, number))


def sentences(
    first: Candidate, parts: Sequence[tuple[Prompt, Conditioning]], seed: int
) -> Iterator[Sentence]:
    """Let the first bundle speak."""
    for number, (prompt, conditioning) in enumerate(parts):
        tokens = first.spoken(prompt, draws(first, seed, number))
        logits = first.logits(prompt, tokens)
        samples = first.samples(tokens, conditioning)
        yield Sentence(prompt, conditioning, tokens, logits, samples)


def compared(
    candidate: Candidate, spoken: Sequence[Sentence], first: Candidate, seed: int
) -> Distances:
    """All distances of one candidate from the first bundle; those of sentences are means."""
    rows = [_of_sentence(candidate, sentence, seed, n) for n, sentence in enumerate(spoken)]
    (tokens, found), (first_tokens, wanted) = candidate.encoded(), first.encoded()
    decoder_mb, bundle_mb = candidate.megabytes()
    means = {
        part.name: float(np.mean([getattr(row, part.name) for row in rows]))
        for part in fields(OfSentence)
    }
    return Distances(
        **means,
        worst_sentence_kl=max(row.logits_kl for row in rows),
        prompt_tokens_token_equality=METRICS["token_equality"].measure(tokens, first_tokens),
        style_relative_rms=max(
            METRICS["relative_rms"].measure(array, wanted[name]) for name, array in found.items()
        ),
        t2s_decoder_mb=decoder_mb,
        bundle_mb=bundle_mb,
    )


def _of_sentence(candidate: Candidate, sentence: Sentence, seed: int, number: int) -> OfSentence:
    logits = candidate.logits(sentence.prompt, sentence.tokens)
    samples = candidate.samples(sentence.tokens, sentence.conditioning)
    own = candidate.spoken(sentence.prompt, draws(candidate, seed, number))
    of_logits = partial(_distance, logits, sentence.logits)
    of_sound = partial(_distance, samples, sentence.samples)
    return OfSentence(
        logits_kl=of_logits("kl"),
        logits_top1_agreement=of_logits("top1_agreement"),
        logits_max_abs=of_logits("max_abs"),
        tokens_of_own=own.size / sentence.tokens.size,
        audio_snr_db=of_sound("snr_db"),
        audio_log_mel_distance=of_sound("log_mel_distance"),
    )


def _distance(found: Float32, wanted: Float32, metric: str) -> float:
    return METRICS[metric].measure(found, wanted)


def table(reports: Mapping[str, Distances]) -> str:
    """For people: a line each, the first bundle's own distances from itself included."""
    width = max(map(len, reports))
    lines = [" " * width + "".join(f"{heading:>11}" for heading in COLUMNS.values())]
    for name, report in reports.items():
        lines.append(
            f"{name:{width}}" + "".join(f"{getattr(report, key):11.4g}" for key in COLUMNS)
        )
    return "\n".join([*lines, ""])


def quality(
    folders: Sequence[Path], providers: Sequence[str], text: str, how: Mapping[str, Any]
) -> dict[str, Distances]:
    """Compare bundles on back ends with the first bundle on the first of them.

    Args:
        folders: bundles.
        providers: each bundle is taken on each.
        text: what to say; each line for itself.
        how: `lang`, `seed` and `threads`.

    Raises:
        BundleError, SettingError, MachineError, TextError: something can't be used.
    """
    seed, threads = how["seed"], how["threads"]
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise SettingError("text: no line with something to say; give sentences")
    voice = Voice.load(folders[0], provider=providers[0], threads=threads, verify="size")
    lang = how["lang"] or voice.manifest.reference.lang
    parts = [part for line in lines for part in voice.parts(line, lang=lang, seed=seed)]
    first = Candidate(folders[0], providers[0], threads)
    spoken = list(sentences(first, parts, seed))
    reports: dict[str, Distances] = {}
    for folder in folders:
        for provider in providers:
            candidate = Candidate(folder, provider, threads)
            reports[f"{folder} on {provider}"] = compared(candidate, spoken, first, seed)
    return reports


def main(argv: list[str] | None = None) -> None:
    """Parse, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    option(
        parser, "-m", "--voice", type=Path, nargs="+", required=True, metavar="DIR",
        help="bundles; the first is what the others are compared with",
    )  # fmt: skip
    option(
        parser, "--provider", nargs="+", default=["cpu"], metavar="NAME",
        help="back ends, as for runtime.tts; each bundle is taken on each (default: cpu)",
    )  # fmt: skip
    option(parser, "--text-file", type=Path, required=True, metavar="FILE", help="UTF-8, lines")
    option(parser, "--lang", choices=MODES, help="of the text (default: the reference's)")
    option(parser, "--seed", type=int, default=0, metavar="N", help="of all draws (default: 0)")
    option(parser, "--threads", type=int, default=0, metavar="N", help="of each session; 0: all")
    option(parser, "--json", type=Path, metavar="FILE", help="write the report there")
    args = parser.parse_args(argv)
    text = args.text_file.read_text("utf-8-sig")
    how = {"lang": args.lang, "seed": args.seed, "threads": args.threads}
    reports = quality(args.voice, args.provider, text, how)
    if args.json is not None:
        with atomic(args.json) as (part,):
            part.write_text(records.text(QualityReport(text, **how, candidates=reports)), "utf-8")
    sys.stdout.write(table(reports))


if __name__ == "__main__":
    run(main)
