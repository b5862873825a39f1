"""Serve voices over HTTP to the clients of OpenAI's speech API and of GPT-SoVITS."""

import argparse
import logging
import os
from importlib.util import find_spec
from pathlib import Path

from runtime.backends import BACKENDS
from runtime.cli import Parser, log_to_stderr, option, run
from runtime.errors import BackendMissing, SettingError
from runtime.server.options import (
    MIB,
    GuardOptions,
    LoadOptions,
    Options,
    VoiceOptions,
    key_digest,
)
from runtime.text import MODES

KEYS = "SOVITS_API_KEYS"
EXAMPLE = (
    "example: python -m runtime.serve --voices artifacts/bundles --port 8000 --port 9880\n"
    "exit status: 0 ok, 1 fault of ours, 2 usage, 3 artifact, 5 machine, 130 interrupted"
)
EIGHT_CORES = 8  # from which two requests at a time are worth their memory


def main(argv: list[str] | None = None) -> None:
    """Parse, listen, serve."""
    args = parser().parse_args(argv)
    log_to_stderr(logging.DEBUG if args.verbose else logging.INFO)
    options = _options(args)
    try:
        from runtime.server import launch
    except ModuleNotFoundError as error:
        raise BackendMissing(
            f"the server: {error.name} is not installed; pip install 'sovits-foundry[server]'"
        ) from error
    sockets = launch.listeners(args.host, args.port or [8000])
    for opened in sockets:
        host, port = opened.getsockname()[:2]
        logging.info("http://%s:%d", f"[{host}]" if ":" in host else host, port)
    launch.serve(options, sockets)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = Parser(command="serve", description=__doc__, epilog=EXAMPLE)
    _add_listening(made)
    _add_wyoming(made)
    _add_voices(made.add_argument_group("voices"))
    _add_load(made.add_argument_group("load"))
    _add_safety(made.add_argument_group("safety (docs/serving.md)"))
    _add_rest(made.add_argument_group("the rest"))
    return made


def _add_listening(made: argparse.ArgumentParser) -> None:
    option(made, "--host", default="127.0.0.1", metavar="ADDRESS", help="(default: 127.0.0.1)")
    option(
        made, "--port", type=int, action="append", metavar="N",
        help="(default: 8000); may be given several times",
    )  # fmt: skip


def _add_wyoming(made: argparse.ArgumentParser) -> None:
    option(
        made, "--wyoming-port", type=int, metavar="N",
        help="listen for Home Assistant's Wyoming too, 10200 by custom (needs the extra wyoming)",
    )  # fmt: skip


def _add_voices(group: argparse._ArgumentGroup) -> None:
    option(
        group, "--voices", type=Path, action="append", required=True, metavar="DIR",
        help="folder with bundles, or one bundle; may be given several times",
    )  # fmt: skip
    option(group, "--default-voice", default="", metavar="NAME", help="(default: the first)")
    option(
        group, "--alias", action="append", default=[], metavar="NAME=VOICE",
        help="a further name of a voice; may be given several times",
    )  # fmt: skip
    option(
        group, "--openai-names", choices=("on", "off"), default="on",
        help="whether alloy, nova and so on mean the default voice (default: on)",
    )  # fmt: skip
    option(
        group, "--unknown-voice", choices=("error", "default"), default="error",
        help="what a name that no voice has means (default: error)",
    )  # fmt: skip
    option(
        group, "--prefer", default="fp32", metavar="PRECISION,…",
        help="what a voice's short name means, the first that there is (default: fp32)",
    )  # fmt: skip
    option(
        group, "--preload", default="", metavar="NAME,…|all",
        help="voices to load before the server is ready (default: the default voice)",
    )  # fmt: skip
    option(
        group, "--memory-limit", type=int, default=0, metavar="MIB",
        help="of loaded bundles; idle ones leave above it (default: half of the memory)",
    )  # fmt: skip
    option(
        group, "--references", type=Path, action="append", default=[], metavar="DIR",
        help="folder whose sound files requests may name; may be given several times",
    )  # fmt: skip
    option(group, "--uploads", type=Path, metavar="DIR", help="keep uploaded references here")
    option(
        group, "--language", choices=MODES, type=str.lower, default="auto",
        help="of texts whose request does not say it (default: auto)",
    )  # fmt: skip


def _add_load(group: argparse._ArgumentGroup) -> None:
    usual = LoadOptions()
    option(
        group, "--parallel", type=int, default=0, metavar="N",
        help=f"requests spoken at once (default: 1, from {EIGHT_CORES} cores on 2)",
    )  # fmt: skip
    option(
        group, "--queue", type=int, default=usual.queue, metavar="N",
        help=f"requests that wait; more get 429 (default: {usual.queue})",
    )  # fmt: skip
    for name, seconds, meaning in (
        ("--queue-timeout", usual.queue_s, "a request waits; then 503"),
        ("--header-timeout", GuardOptions.head_s, "a request's head may take to come"),
        ("--request-timeout", usual.request_s, "a request is worked on; then 504"),
        ("--stall-timeout", usual.stall_s, "a client may leave ready sound unread"),
        ("--drain", usual.drain_s, "requests under way go on after SIGTERM"),
    ):
        meaning = f"how long {meaning} (default: {seconds:g})"
        option(group, name, type=float, default=seconds, metavar="SECONDS", help=meaning)
    option(
        group, "--max-chars", type=int, default=20_000, metavar="N",
        help="longest text (default: 20000)",
    )  # fmt: skip
    option(
        group, "--max-body", type=int, default=1, metavar="MIB",
        help="largest body; 16 times as much where sound may be inside (default: 1)",
    )  # fmt: skip
    option(
        group, "--provider", default="auto", metavar="NAME",
        help=f"what runs the graphs: auto, {', '.join(BACKENDS)} (default: auto)",
    )  # fmt: skip
    option(
        group, "--threads", type=int, default=0, metavar="N",
        help="of each graph; 0 takes all cores (default: 0)",
    )  # fmt: skip


def _add_safety(group: argparse._ArgumentGroup) -> None:
    option(
        group, "--api-key-file", type=Path, metavar="FILE",
        help=f"keys, one a line; the variable {KEYS} may hold some too, with commas between",
    )  # fmt: skip
    option(
        group, "--insecure", action="store_true",
        help="listen on other addresses than this machine's own without a key",
    )  # fmt: skip
    option(
        group, "--open-lists", action="store_true", help="lists of voices and models need no key"
    )
    option(
        group, "--cors-origin", action="append", default=[], metavar="ORIGIN",
        help="pages from there may call; may be given several times (default: this machine's)",
    )  # fmt: skip
    option(
        group, "--allowed-host", action="append", default=[], metavar="NAME",
        help="a name that this server is called by; may be given several times",
    )  # fmt: skip
    option(
        group, "--enable-control", action="store_true",
        help="let /control look at the folders again, or end the server",
    )  # fmt: skip


def _add_rest(group: argparse._ArgumentGroup) -> None:
    option(group, "--no-web", action="store_true", help="serve no web page")
    option(group, "--no-docs", action="store_true", help="serve no /openapi.json")
    option(group, "--log-text", action="store_true", help="log what is spoken")
    option(group, "--verbose", action="store_true", help="log more")


def _options(args: argparse.Namespace) -> Options:
    guard = _guard(args)
    if not guard.loopback and not guard.keys and not args.insecure:
        raise SettingError(
            f"--host {args.host}: others could speak here without a key; give --api-key-file,"
            " or --insecure"
        )
    if args.wyoming_port is not None and find_spec("wyoming") is None:
        raise BackendMissing(
            "--wyoming-port: wyoming is not installed; pip install 'sovits-foundry[wyoming]'"
        )
    if args.wyoming_port is not None and (guard.keys or not guard.loopback) and not args.insecure:
        raise SettingError(
            "--wyoming-port: Wyoming has no keys, so that anyone who reaches it speaks; leave it"
            " out, or give --insecure"
        )
    for number, name in ((args.queue, "--queue"), (args.parallel, "--parallel")):
        if number < 0:
            raise SettingError(f"{name} {number}: it is below 0")
    for name in ("queue_timeout", "header_timeout", "request_timeout", "stall_timeout", "drain"):
        if not 0 < getattr(args, name) < 1e6:
            raise SettingError(f"--{name.replace('_', '-')}: give seconds, above 0")
    return Options(
        _voices(args),
        _load(args),
        guard,
        references=_folders(args.references, "--references"),
        uploads=args.uploads,
        language=args.language,
        longest_text=args.max_chars,
        provider=args.provider,
        threads=args.threads,
        wyoming_port=args.wyoming_port,
        control=args.enable_control,
        page=not args.no_web,
        docs=not args.no_docs,
        log_text=args.log_text,
    )


def _voices(args: argparse.Namespace) -> VoiceOptions:
    aliases = dict(_alias(given) for given in args.alias)
    limit = args.memory_limit * MIB or _memory_bytes() // 2
    return VoiceOptions(
        _folders(args.voices, "--voices"),
        args.default_voice,
        aliases,
        args.openai_names == "on",
        args.unknown_voice == "default",
        _words(args.prefer),
        limit,
        _words(args.preload),
    )


def _load(args: argparse.Namespace) -> LoadOptions:
    usual = 2 if (os.cpu_count() or 1) >= EIGHT_CORES else 1
    return LoadOptions(
        args.parallel or usual,
        args.queue,
        args.queue_timeout,
        args.request_timeout,
        args.stall_timeout,
        args.drain,
    )


def _guard(args: argparse.Namespace) -> GuardOptions:
    return GuardOptions(
        host=args.host,
        keys=tuple(map(key_digest, _keys(args.api_key_file))),
        open_lists=args.open_lists,
        origins=tuple(args.cors_origin),
        hosts=tuple(args.allowed_host),
        head_s=args.header_timeout,
        body_bytes=args.max_body * MIB,
        audio_body_bytes=16 * args.max_body * MIB,
    )


def _keys(file: Path | None) -> list[str]:
    lines = os.environ.get(KEYS, "").split(",")
    if file:
        try:
            lines += file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingError(f"--api-key-file {file}: it can't be read; give text") from error
    found = [line.strip() for line in lines if line.strip()]
    if file and not found:
        raise SettingError(f"--api-key-file {file}: there is no key in it; write one a line")
    return found


def _alias(given: str) -> tuple[str, str]:
    name, equals, voice = given.partition("=")
    if not (equals and name.strip() and voice.strip()):
        raise SettingError(f"--alias {given}: not NAME=VOICE; for instance narrator=flite")
    return name, voice


def _folders(given: list[Path], name: str) -> tuple[Path, ...]:
    for folder in given:
        if not folder.is_dir():
            raise SettingError(f"{name} {folder}: there is no such folder")
    return tuple(given)


def _words(given: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in given.split(",") if word.strip())


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


if __name__ == "__main__":
    run(main)
