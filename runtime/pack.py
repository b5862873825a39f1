"""Write a voice pack: references of a voice, encoded once, in one small file."""

import argparse
import logging
from pathlib import Path

from runtime.cli import Parser, log_to_stderr, option, run
from runtime.errors import SettingError
from runtime.reference import pack
from runtime.settings import LANG, Reference
from runtime.voice import Voice

EXAMPLE = (
    "example: python -m runtime.pack -m artifacts/bundles/flite/1000/fp32"
    " --style calm=voices/flite/awb.wav\n"
    "exit status: 0 ok, 1 fault of ours, 2 usage, 3 artifact, 4 text or audio, 5 machine"
)


def main(argv: list[str] | None = None) -> None:
    """Parse, encode, write."""
    args = parser().parse_args(argv)
    log_to_stderr(logging.INFO)
    references = _references(args)
    target = args.output or args.voice / pack.NAME
    with Voice.load(args.voice, threads=args.threads) as voice:
        styles = {} if pack.DEFAULT in references else {pack.DEFAULT: voice.example}
        styles |= {style: voice.encode(one) for style, one in references.items()}
    pack.save(target, styles)
    logging.info("%s: %s, %d bytes", target, ", ".join(styles), target.stat().st_size)


def parser() -> Parser:
    """The command line."""
    made = Parser(command="pack", description=__doc__, epilog=EXAMPLE)
    option(made, "-m", "--voice", type=Path, required=True, metavar="DIR", help="bundle folder")
    option(
        made, "--ref-audio", type=Path, metavar="FILE",
        help="3 to 10 s for the style `default` (default: the voice's own example)",
    )  # fmt: skip
    option(made, "--ref-text", default="", help="what is said in it; without it: its style alone")
    option(made, "--ref-lang", default="auto", metavar="LANG", help="language of --ref-text")
    option(
        made, "--style", action="append", default=[], metavar="NAME=FILE",
        help="sound of a further style; may be given several times",
    )  # fmt: skip
    option(
        made, "--style-text", action="append", default=[], metavar="NAME=TEXT",
        help="what is said in a style's sound",
    )  # fmt: skip
    option(
        made, "--style-lang", action="append", default=[], metavar="NAME=LANG",
        help="language of a style's text (default: auto)",
    )  # fmt: skip
    option(
        made, "-o", "--output", type=Path, metavar="FILE",
        help=f"the pack (default: {pack.NAME} inside the bundle, where it is found by itself)",
    )  # fmt: skip
    option(
        made, "--threads", type=int, default=0, metavar="N",
        help="of each graph; 0 takes all cores",
    )  # fmt: skip
    return made


def _references(args: argparse.Namespace) -> dict[str, Reference]:
    sounds = _named(args.style, "--style")
    texts, langs = _named(args.style_text, "--style-text"), _named(args.style_lang, "--style-lang")
    for option_name, given in (("--style-text", texts), ("--style-lang", langs)):
        for style in given.keys() - sounds.keys():
            raise SettingError(f"{option_name} {style}: there is no --style {style}=FILE")
    found = {
        style: Reference(
            sound, texts.get(style, ""), LANG.parsed(langs.get(style, "auto"), "--style-lang")
        )
        for style, sound in sounds.items()
    }
    if args.ref_audio:
        lang = LANG.parsed(args.ref_lang, "--ref-lang")
        found[pack.DEFAULT] = Reference(args.ref_audio, args.ref_text, lang)
    return found


def _named(given: list[str], option_name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in given:
        style, equals, value = one.partition("=")
        if not equals or not pack.STYLE.fullmatch(style):
            raise SettingError(f"{option_name} {one}: not NAME=VALUE; NAME is letters and digits")
        if style in found:
            raise SettingError(f"{option_name} {style}: given twice; choose one")
        found[style] = value
    return found


if __name__ == "__main__":
    run(main)
