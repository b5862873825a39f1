"""Count the words that are understood when bundles speak sentences that no training has seen.

A recogniser transcribes what each bundle speaks in the voice of each reference, and what flite
speaks; besides: how long it takes, whether it ends by itself, and which speaker it is nearest to.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runtime import audio as sound
from runtime import records
from runtime.arrays import Float32
from runtime.audio import Audio, write_whole
from runtime.cli import run
from runtime.errors import SettingError
from runtime.settings import Reference, Settings
from runtime.voice import Voice
from workflow_scripts.proof.words import flite
from workflow_scripts.proof.words.recogniser import Recogniser, edits, words_of
from workflow_scripts.proof.words.reports import Figures, WordsReport
from workflow_scripts.proof.words.speaker_similarity import nearest, speaker_of, warped_distance_db

SENTENCES = Path(__file__).with_name("data") / "held_out.json"
REFERENCES = Path("voices/flite/references.json")
TOKEN_SECONDS = 0.04
END = "eos"


@dataclass(frozen=True)
class Example:
    """Whom to sound like; the name is flite's, where it is one of its voices."""

    name: str
    audio: Path
    text: str
    lang: str

    @property
    def reference(self) -> Reference:
        """As the runtime takes it."""
        return Reference(self.audio, self.text, self.lang)


@dataclass(frozen=True, eq=False)
class Said:
    """One sentence as it came out.

    Attributes:
        audio: the sound.
        seconds: of speech, without pauses that are put behind.
        ended: whether every piece of it ended by itself; None where that can't be known.
    """

    audio: Audio
    seconds: float
    ended: bool | None


@dataclass(frozen=True)
class Score:
    """What one sentence is worth.

    Attributes:
        words, wrong: known words of the sentence, and how many edits lead to them.
        ended: as `Said` says.
        ratio: to flite's length.
        own: whether its speaker is nearest to the reference's.
        log_mel_db: distance from flite's sound, warped in time.
    """

    words: int
    wrong: int
    ended: bool | None
    ratio: float | None
    own: bool | None
    log_mel_db: float | None


class Judges:
    """A recogniser, and the speakers that can be distinguished."""

    def __init__(self, sentences: Sequence[str], examples: Sequence[Example]) -> None:
        self.recogniser = Recogniser(word for text in sentences for word in words_of(text))
        self.speakers: Mapping[str, Float32] = {
            example.name: speaker_of(sound.read(example.audio)) for example in examples
        }

    def score(self, said: Said, text: str, name: str, model: Audio | None) -> Score:
        """Judge one sentence.

        Args:
            said: it.
            text: what should be said.
            name: of the reference.
            model: the same sentence by flite.
        """
        known = self.recogniser.known
        wanted = [word for word in words_of(text) if word in known]
        wrong = edits(self.recogniser.transcribe(said.audio), wanted)
        several = len(self.speakers) > 1
        own = nearest(speaker_of(said.audio), self.speakers) == name if several else None
        ratio = distance = None
        if model is not None:
            ratio = said.seconds / model.seconds
            distance = warped_distance_db(said.audio, model)
        return Score(len(wanted), wrong, said.ended, ratio, own, distance)


def speak(voice: Voice, text: str, settings: Settings, streamed: bool) -> Said:
    """Let a bundle speak a sentence."""
    chunks = list((voice.stream if streamed else voice.sentences)(text, settings))
    reasons = [chunk.finish_reason for chunk in chunks if chunk.finish_reason]
    tokens = sum(chunk.tokens.size for chunk in chunks)
    audio = Audio(np.concatenate([chunk.samples for chunk in chunks]), voice.rate)
    return Said(audio, tokens * TOKEN_SECONDS, all(reason == END for reason in reasons))


def figures(scores: Sequence[Score]) -> Figures:
    """All sentences together."""
    ratios = [score.ratio for score in scores if score.ratio is not None]
    return Figures(
        utterances=len(scores),
        word_error=sum(s.wrong for s in scores) / max(sum(s.words for s in scores), 1),
        ended_by_eos=_mean([score.ended for score in scores]),
        duration_ratio=_mean(ratios),
        longest_ratio=max(ratios, default=None),
        own_speaker=_mean([score.own for score in scores]),
        log_mel_db=_mean([score.log_mel_db for score in scores]),
    )


def _mean(values: Sequence[float | bool | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return sum(known) / len(known) if known else None


def measure(
    bundles: Sequence[Path], examples: Sequence[Example], sentences: Sequence[str], streamed: bool
) -> WordsReport:
    """Speak, transcribe and count.

    Args:
        bundles: folders.
        examples: whom to sound like, one after the other.
        sentences: what to say.
        streamed: as a stream does, in chunks.
    """
    judges = Judges(sentences, examples)
    models = {example.name: list(_by_flite(sentences, example.name)) for example in examples}
    sides = {
        "flite": [_flite_scores(judges, sentences, name, said) for name, said in models.items()]
    }
    for bundle in bundles:
        voice = Voice.load(bundle)
        sides[_label(bundle, streamed)] = [
            [
                judges.score(
                    speak(voice, text, _settings(example, number), streamed),
                    text,
                    example.name,
                    models[example.name][number],
                )
                for number, text in enumerate(sentences)
            ]
            for example in examples
        ]
    names = [example.name for example in examples]
    known = judges.recogniser.known
    return WordsReport(
        sentences=len(sentences),
        unknown_words=tuple(sorted({w for text in sentences for w in words_of(text)} - known)),
        words_in_list=len(known),
        flite="measured" if flite.program() else flite.MISSING,
        sides={side: _by_name(names, scores) for side, scores in sides.items()},
    )


def _settings(example: Example, number: int) -> Settings:
    return Settings(lang="en", seed=number, reference=example.reference, pause_ms=0)


def _label(bundle: Path, streamed: bool) -> str:
    return f"{bundle}, streamed" if streamed else str(bundle)


def _by_flite(sentences: Sequence[str], name: str) -> Iterator[Audio | None]:
    """Every sentence by the flite voice of that name; None where there is none."""
    there = name in flite.voices()
    for text in sentences:
        yield flite.say(text, name) if there else None


def _flite_scores(
    judges: Judges, sentences: Sequence[str], name: str, said: Sequence[Audio | None]
) -> list[Score]:
    return [
        judges.score(Said(audio, audio.seconds, None), text, name, audio)
        for text, audio in zip(sentences, said, strict=True)
        if audio is not None
    ]


def _by_name(names: Sequence[str], scores: Sequence[list[Score]]) -> dict[str, Figures]:
    found = {name: figures(row) for name, row in zip(names, scores, strict=True) if row}
    together = [score for row in scores for score in row]
    return found | {"all": figures(together)} if together else {}


def table(report: WordsReport) -> str:
    """The figures for a terminal."""
    columns = ("word error", "by EOS", "duration", "longest", "own speaker", "log-mel dB")
    lines = [
        f"{report.sentences} sentences, {report.words_in_list} words; flite: {report.flite}",
        f"{'':<14}" + "".join(f"{name:>13}" for name in columns),
    ]
    for side, rows in report.sides.items():
        lines.append(side)
        lines += [f"  {name:<12}{_cells(row)}" for name, row in rows.items()]
    return "\n".join(lines) + "\n"


def _cells(row: Figures) -> str:
    texts = [
        _share(row.word_error),
        _share(row.ended_by_eos),
        _number(row.duration_ratio),
        _number(row.longest_ratio),
        _share(row.own_speaker),
        _number(row.log_mel_db),
    ]
    return "".join(f"{text:>13}" for text in texts)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def examples_in(path: Path) -> list[Example]:
    """The references of a voice's list; sounds lie beside it.

    Raises:
        SettingError: it is no such list.
    """
    try:
        rows = json.loads(path.read_text("utf-8"))
        return [
            Example(row["name"], path.parent / row["audio"], row["text"], row["lang"])
            for row in rows
        ]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SettingError(
            f"--references {path}: no list of references (name, audio, text, lang);"
            " give one, or --reference and --text"
        ) from error


def _examples(args: argparse.Namespace) -> list[Example]:
    if len(args.reference) != len(args.text):
        raise SettingError("--reference, --text: give as many texts as sounds, in the same order")
    given = [
        Example(audio.stem, audio, text, args.lang)
        for audio, text in zip(args.reference, args.text, strict=True)
    ]
    return given or examples_in(args.references)


def main(argv: list[str] | None = None) -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    folders = "folders of bundles"
    parser.add_argument("--voice", type=Path, nargs="+", required=True, metavar="DIR", help=folders)
    chunks = "let them speak as a stream does, in chunks"
    parser.add_argument("--stream", action="store_true", help=chunks)
    parser.add_argument(
        "--reference",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="whom to sound like; may be given several times",
    )
    parser.add_argument(
        "--text", help="what is said in it", action="append", default=[], metavar="TEXT"
    )
    parser.add_argument("--lang", default="en", help="language of --text (default: en)")
    parser.add_argument(
        "--references",
        type=Path,
        default=REFERENCES,
        metavar="FILE",
        help=f"list of references instead (default: {REFERENCES})",
    )
    parser.add_argument(
        "--sentences", type=int, metavar="N", help="the first N alone (default: all)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="report to write")
    args = parser.parse_args(argv)
    if args.sentences is not None and args.sentences < 1:
        raise SettingError(f"--sentences: {args.sentences} is below 1; give 1 or more")
    examples = _examples(args)
    sentences = json.loads(SENTENCES.read_text("utf-8"))[: args.sentences]
    report = measure(args.voice, examples, sentences, args.stream)
    if args.json is not None:
        write_whole(args.json, records.text(report).encode())
    sys.stdout.write(table(report))


if __name__ == "__main__":
    run(main)
