"""Speak text with a built voice."""

import argparse
import json
import logging
import secrets
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import cast

from soundfile import available_formats

from runtime import subtitles
from runtime.backends import BACKENDS, Folders, Threads, tuned
from runtime.cli import Parser, log_to_stderr, option, run
from runtime.errors import SettingError, TextError
from runtime.setting_row import Setting
from runtime.settings import LANG, SETTINGS, Changes, Reference, Settings
from runtime.sound.files import OF_SUFFIX
from runtime.sound.formats import FORMATS
from runtime.sound.output import STDOUT, Output
from runtime.subtitles import Timeline
from runtime.text import Lexicon, as_json, load_lexicon
from runtime.voice import AudioChunk, Voice

EXAMPLE = (
    "example: python -m runtime.tts -m artifacts/bundles/flite/1000/fp32 --lang en -f hello.wav"
    ' "Hello."\nexit status: 0 ok, 1 fault of ours, 2 usage, 3 artifact, 4 text or audio,'
    " 5 machine, 130 interrupted"
)
SPECIAL = ("reference", "lexicons")  # options of several words, written by hand
TABLE = [row for row in SETTINGS.values() if row.option and row.name not in SPECIAL]
OUTPUT = "output.wav"


def main(argv: list[str] | None = None) -> None:
    """Parse, load, speak, write."""
    args = parser().parse_args(argv)
    _take_text_of_references(args)
    log_to_stderr(logging.ERROR if args.quiet else logging.INFO)
    output = _output(args)
    if args.subtitles:
        subtitles.check(args.subtitles)
    text = _text(args)
    settings = _settings(args)
    voice = Voice.load(
        args.voice,
        provider=args.provider,
        threads=Threads(args.threads, args.spinning, args.huge_pages),
        verify=args.verify,
        measured=args.measured,
        folders=_folders(args),
    )
    logging.info("provider: %s", voice.provider)
    if args.dump_phones:
        sys.stdout.write(
            json.dumps(as_json(*voice.read(text, settings)), ensure_ascii=False) + "\n"
        )
        return
    if args.style:
        settings = settings.changed(reference=voice.style(args.style))
    logging.info("seed: %d", settings.seed)
    speak = voice.stream if args.stream or args.output_raw else voice.sentences
    timeline = Timeline(settings.pause_ms)
    pieces = (chunk.samples for chunk in _told(speak(text, settings), timeline))
    seconds = output.write(pieces, voice.rate)
    if output.path != STDOUT:
        logging.info("%s: %.2f s", output.path, seconds)
    if args.subtitles:
        subtitles.save(args.subtitles, timeline)


def parser() -> Parser:
    """The command line."""
    made = Parser(
        command="tts",
        description=__doc__,
        epilog=EXAMPLE,
    )
    _add_text(made)
    _add_output(made)
    _add_reference(made.add_argument_group("reference"))
    for group, title in GROUPS.items():
        _add_settings(made.add_argument_group(title), group)
    _add_machine(made.add_argument_group("machine"))
    return made


def _add_text(made: Parser) -> None:
    made.add_argument("words", nargs="?", metavar="TEXT", help="what to say")
    option(made, "--text", help="the same, as an option")
    option(
        made,
        "--text-file",
        type=Path,
        metavar="FILE",
        help="read it from a UTF-8 file, - for standard input",
    )
    option(made, "-m", "--voice", type=Path, required=True, metavar="DIR", help="bundle folder")
    option(
        made,
        "--lexicon",
        action="append",
        default=[],
        metavar="LANG=FILE",
        help="own readings of words in a language; may be given several times",
    )


def _add_output(made: Parser) -> None:
    option(
        made,
        "-f",
        "--output",
        metavar="FILE",
        help=f"sound file, - for standard output (default: {OUTPUT}); its suffix is its format: "
        + ", ".join(OF_SUFFIX),
    )
    option(
        made,
        "--format",
        choices=FORMATS,
        help="format of the output, where its name does not say it (default: wav)",
    )
    option(
        made,
        "--subtitles",
        type=Path,
        metavar="FILE",
        help="write each sentence's times, as .srt, .vtt or .json; those of words are estimated",
    )
    option(
        made,
        "--output-raw",
        action="store_true",
        help="16-bit mono PCM on standard output, in chunks as they are made",
    )
    _add_ways(made)


def _add_ways(made: Parser) -> None:
    option(
        made,
        "--stream",
        action="store_true",
        help="speak into the file as a stream does, in chunks (docs/streaming.md); to standard"
        " output, write each as it is made",
    )
    option(
        made,
        "--dump-phones",
        action="store_true",
        help="print segments, phones and ids as JSON instead of speaking",
    )


def _add_reference(group: argparse._ArgumentGroup) -> None:
    option(
        group,
        "--style",
        metavar="NAME[=SHARE],…",
        help="style of the bundle's voice pack (python -m runtime.pack), or a mean of several",
    )
    option(
        group,
        "--ref-audio",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="3 to 10 s to sound like (default: the voice's example); more files join in the style",
    )
    option(
        group,
        "--ref-text",
        default="",
        help="what is said in the first; without it: prompt-free mode",
    )
    option(
        group,
        "--ref-lang",
        type=partial(LANG.parsed, name="--ref-lang"),
        metavar="LANG",
        help="language of --ref-text, as --lang has it (default: auto)",
    )


GROUPS = {
    "request": "request",
    "tokens": "how tokens are chosen",
    "sound": "how they sound",
    "stream": "streaming, with --output-raw or --stream",
}
METAVARS = {int: "N", float: "X"}


def _add_settings(group: argparse._ArgumentGroup, name: str) -> None:
    for row in (row for row in TABLE if row.group == name):
        if row.kind is bool:
            option(group, row.option, dest=row.name, action="store_true", help=row.help)
            continue
        option(
            group,
            row.option,
            dest=row.name,
            type=partial(row.parsed, name=row.option),
            metavar=METAVARS.get(row.kind, row.name.upper()),
            help=_help(row),
        )


def _help(row: Setting) -> str:
    default = f"the voice's, usually {row.default:g}" if row.of_voice else row.usual or row.default
    return f"{row.help}: {row.allowed} (default: {default})"


MACHINE = {
    "spinning": "let idle threads spin: steps gain a little, what runs next loses",
    "huge-pages": "keep the KV cache on pages of 2 MiB (Linux)",
}


def _folders(args: argparse.Namespace) -> Folders:
    compiled = tuned.user_folder() / "compiled" if args.keep_compiled else None
    return Folders(compiled, args.engines)


def _add_machine(group: argparse._ArgumentGroup) -> None:
    _add_backends(group)
    option(
        group,
        "--threads",
        type=int,
        default=0,
        metavar="N",
        help="of each graph; 0 takes all cores",
    )
    for name, text in MACHINE.items():
        option(group, f"--{name}", action="store_true", help=text)
    option(
        group,
        "--verify",
        choices=["full", "size"],
        default="full",
        help="how closely the bundle is checked before use",
    )
    option(group, "--quiet", action="store_true", help="print nothing but errors")


def _add_backends(group: argparse._ArgumentGroup) -> None:
    option(
        group,
        "--provider",
        default="auto",
        metavar="NAME",
        help=f"what runs the graphs: auto, {', '.join(BACKENDS)}, or by graph, as"
        " vocoder=openvino,prior=cpu (default: auto, as measured on this machine)",
    )
    option(
        group,
        "--measured",
        type=Path,
        metavar="FILE",
        help="what python -m runtime.tune has written, for auto (default: this machine's file)",
    )
    option(
        group,
        "--engines",
        type=Path,
        metavar="DIR",
        help="where this machine's engines are, as artifacts/engines; auto tries them first",
    )
    option(
        group,
        "--keep-compiled",
        action="store_true",
        help="keep compiled graphs in the user's cache folder, to load quickly",
    )


def _output(args: argparse.Namespace) -> Output:
    """Where the sound goes; refused here, before anything is spoken, if it can't be written."""
    if args.output_raw and args.output is not None:
        raise SettingError("--output-raw, --output: samples go to standard output; choose one")
    if args.output_raw and args.format is not None:
        raise SettingError("--output-raw, --format: raw samples have no other format; choose one")
    if args.dump_phones and (args.output_raw or args.output is not None):
        raise SettingError("--dump-phones: nothing is spoken; leave out --output and --output-raw")
    if args.output_raw:
        return Output(STDOUT, "pcm", streamed=True)
    output = Output(args.output or OUTPUT, args.format, args.stream)
    if not args.dump_phones:
        output.check()
    return output


def _take_text_of_references(args: argparse.Namespace) -> None:
    """A last word of `--ref-audio` that is no sound file is the text, where no other is given."""
    words = args.ref_audio or []
    elsewhere = (args.words, args.text, args.text_file) != (None, None, None)
    if elsewhere or len(words) < 2 or words[-1].exists() or _names_sound(words[-1]):
        return
    args.words = str(words.pop())


def _names_sound(path: Path) -> bool:
    return path.suffix.lower() in OF_SUFFIX or path.suffix[1:].upper() in available_formats()


def _text(args: argparse.Namespace) -> str:
    given = [source for source in (args.words, args.text, args.text_file) if source is not None]
    if len(given) > 1:
        raise SettingError("text: given twice; choose one of TEXT, --text and --text-file")
    if given and args.text_file is None:
        return str(given[0])
    name = "-" if args.text_file is None else str(args.text_file)
    if name == "-" and sys.stdin.isatty():
        sys.stderr.write("reading the text from the terminal; Ctrl-D ends it\n")
    try:
        content = sys.stdin.buffer.read() if name == "-" else args.text_file.read_bytes()
        return str(content.decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError:
        raise TextError(f"text file {name}: it is not UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise TextError(f"text file {name}: {error.strerror}; give a readable file") from error


def _settings(args: argparse.Namespace) -> Settings:
    given = {row.name: getattr(args, row.name) for row in TABLE}
    changes = {name: value for name, value in given.items() if value is not None}
    lexicons = dict(map(_lexicon, args.lexicon))
    base = Settings(reference=_reference(args), lexicons=lexicons)
    settings = base.changed(**cast(Changes, changes))
    return settings.changed(seed=secrets.randbits(31)) if settings.seed is None else settings


def _reference(args: argparse.Namespace) -> Reference | None:
    if args.style and args.ref_audio:
        raise SettingError("--style, --ref-audio: both say whom to sound like; choose one")
    if not args.ref_audio:
        if args.ref_text or args.ref_lang:
            raise SettingError(
                "--ref-text, --ref-lang: they go with --ref-audio; give the sound that they are"
                " about"
            )
        return None
    if args.ref_lang and not args.ref_text.strip():
        raise SettingError(
            "--ref-lang: it is the language of --ref-text; give what is said, or leave both out"
        )
    first, *more = args.ref_audio
    return Reference(first, args.ref_text, args.ref_lang or "auto", tuple(more))


def _lexicon(given: str) -> tuple[str, Lexicon]:
    lang, equals, path = given.partition("=")
    if not equals:
        raise SettingError(f"--lexicon {given}: not LANG=FILE; for instance en=words.txt")
    return lang, load_lexicon(path, lang)


def _told(chunks: Iterator[AudioChunk], timeline: Timeline) -> Iterator[AudioChunk]:
    """The same chunks; prints what came out of each segment, and notes its times."""
    tokens = samples = sentence = 0
    for chunk in chunks:
        tokens += chunk.tokens.size
        samples += chunk.samples.size
        timeline.add(chunk)
        if chunk.finish_reason:
            sentence += 1
            seconds = samples / chunk.rate
            logging.info("sentence %d: %d tokens, %.2f s", sentence, tokens, seconds)
            tokens = samples = 0
        yield chunk


if __name__ == "__main__":
    run(main)
