"""Speak through a running server as many users do, and say how it went."""

import argparse
import asyncio
import hashlib
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from runtime.cli import Parser, option, run
from runtime.errors import SettingError
from runtime.voice import Voice

TEXT = "The light is on today. The door is open now."
SHOWN_MS = (50, 95, 99)
SEED, WARM_UP = 7, 3


@dataclass
class Report:
    """What came of it.

    Attributes:
        requests: how many were sent.
        seconds: how long all took.
        per_second: answers with status 200 a second.
        statuses: how many answers had which status; 0: none at all.
        first_sound_ms: percentile → time until the first byte of the body, of those with 200.
        same_bytes: whether all answers with 200 were the same bytes.
        server_mb: resident memory of the server before and after, where it tells.
        library_first_sound_ms: the same of `Voice.stream` in this process, if asked for.
    """

    requests: int
    seconds: float = 0.0
    per_second: float = 0.0
    statuses: dict[str, int] = field(default_factory=dict)
    first_sound_ms: dict[str, float] = field(default_factory=dict)
    same_bytes: bool = True
    server_mb: tuple[float, ...] = ()
    library_first_sound_ms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """One answer: its status, the time to its first byte, and the digest of its body."""

    status: int
    first_s: float = 0.0
    digest: str = ""


def main(argv: list[str] | None = None) -> None:
    """Parse, ask, report as JSON."""
    args = parser().parse_args(argv)
    if args.users < 1 or args.requests < 1:
        raise SettingError("--users, --requests: give 1 or more")
    before = _server_mb(args)
    report = asyncio.run(measured(args))
    report.server_mb = before + _server_mb(args)
    if args.beside:
        report.library_first_sound_ms = _by_library(args)
    sys.stdout.write(json.dumps(asdict(report), indent=2) + "\n")


def parser() -> Parser:
    """The command line."""
    made = Parser(command="server.load", description=__doc__)
    option(made, "--url", default="http://127.0.0.1:8000", help="(default: http://127.0.0.1:8000)")
    option(made, "--users", type=int, default=8, metavar="N", help="at a time (default: 8)")
    option(made, "--requests", type=int, default=100, metavar="N", help="in all (default: 100)")
    option(made, "--text", default=TEXT, help="what all ask for")
    option(made, "--voice", default="", metavar="NAME", help="(default: the server's)")
    option(made, "--format", default="pcm", metavar="NAME", help="(default: pcm)")
    option(
        made, "--beside", type=Path, metavar="DIR",
        help="a bundle: time the first sound of the library too, after the requests",
    )  # fmt: skip
    option(made, "--key", default="", help="key of the server")
    return made


async def measured(args: argparse.Namespace) -> Report:
    """Ask as the users do, each sending the next request when it has its answer."""
    left = iter(range(args.requests))
    answers: list[Answer] = []

    async def user() -> None:
        for _ in left:
            answers.append(await _asked(args))

    began = time.monotonic()
    await asyncio.gather(*(user() for _ in range(args.users)))
    return _report(answers, time.monotonic() - began)


def _report(answers: Sequence[Answer], seconds: float) -> Report:
    good = [one for one in answers if one.status == 200]
    times = sorted(one.first_s * 1000 for one in good)
    counts = Counter(str(one.status) for one in answers)
    return Report(
        len(answers),
        round(seconds, 3),
        round(len(good) / seconds, 3),
        dict(sorted(counts.items())),
        _shown(times),
        len({one.digest for one in good}) <= 1,
    )


def _shown(times: Sequence[float]) -> dict[str, float]:
    return {f"p{share}": round(_percentile(times, share), 1) for share in SHOWN_MS if times}


def _server_mb(args: argparse.Namespace) -> tuple[float, ...]:
    """Resident memory of the server in MB; nothing where it does not tell."""
    headers = {"Authorization": f"Bearer {args.key}"} if args.key else {}
    address = urlsplit(args.url)
    with closing(HTTPConnection(address.hostname or "", address.port, timeout=10)) as server:
        try:
            server.request("GET", "/metrics", headers=headers)
            metrics = server.getresponse().read().decode("utf-8", "replace")
        except (OSError, HTTPException):
            return ()
    found = re.search(r"^process_resident_memory_bytes (\S+)$", metrics, re.M)
    return (round(float(found[1]) / 1e6, 1),) if found else ()


def _by_library(args: argparse.Namespace) -> dict[str, float]:
    """First sounds of the same text by the library, the first ones not counted."""
    times = []
    with Voice.load(args.beside) as voice:
        voice.warm_up()
        for _ in range(WARM_UP + args.requests):
            began = time.monotonic()
            with voice.stream(args.text, lang="auto", seed=SEED) as stream:
                next(stream)
                times.append(1000 * (time.monotonic() - began))
    return _shown(sorted(times[WARM_UP:]))


def _percentile(times: Sequence[float], share: int) -> float:
    return times[min(len(times) - 1, len(times) * share // 100)]


async def _asked(args: argparse.Namespace) -> Answer:
    """One request on a connection of its own; an error on the way is an answer of status 0."""
    address = urlsplit(args.url)
    body = {"input": args.text, "response_format": args.format, "seed": SEED}
    content = json.dumps(body | ({"voice": args.voice} if args.voice else {})).encode()
    key = f"Authorization: Bearer {args.key}\r\n" if args.key else ""
    head = (
        f"POST /v1/audio/speech HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\n{key}Content-Length: {len(content)}\r\n\r\n"
    )
    began = time.monotonic()
    try:
        reader, writer = await asyncio.open_connection(address.hostname, address.port or 80)
    except OSError:
        return Answer(0)
    try:
        writer.write(head.encode() + content)
        return await _read(reader, began)
    except (OSError, ValueError, IndexError, asyncio.IncompleteReadError):
        return Answer(0)
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader, began: float) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split()[1])
    digest, first_s = hashlib.sha256(), 0.0
    chunked = b"transfer-encoding: chunked" in head
    while True:
        size = int(await reader.readline(), 16) if chunked else 1 << 16
        part = await reader.readexactly(size) if chunked else await reader.read(size)
        if not part:
            return Answer(status, first_s, digest.hexdigest())
        first_s = first_s or time.monotonic() - began
        digest.update(part)
        if chunked:
            await reader.readline()


if __name__ == "__main__":
    run(main)
