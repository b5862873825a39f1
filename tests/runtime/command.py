"""The command that speaks, called as from a shell, without starting a process."""

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from runtime.cli import run
from runtime.tts import main
from tests import bundles

PHONES = "HH AH0 L OW1 W ER1 L D ."


@dataclass(frozen=True)
class Done:
    """What a call left behind: exit status, standard output and standard error."""

    code: int
    out: bytes
    err: str


def call(*argv: str | Path, stdin: bytes = b"") -> Done:
    """Run the command."""
    out, err = io.BytesIO(), io.StringIO()
    stdout = io.TextIOWrapper(out, "utf-8", write_through=True)  # it closes `out` when it goes
    with _given(stdin), redirect_stdout(stdout), redirect_stderr(err), _same_logging():
        try:
            run(partial(main, [str(word) for word in argv]))
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int)
    return Done(code, out.getvalue(), err.getvalue())


def spoken(folder: Path, *options: str | Path, bundle: Path | None = None) -> bytes:
    """The WAV file that the command writes; phones and seed are fixed where options don't say."""
    target = folder / "spoken.wav"
    target.unlink(missing_ok=True)
    fast = ("--verify", "size", "--threads", "1", "--seed", "7", "-f", target)
    done = call("-m", bundle or bundles.brief(), *fast, *options)
    assert done.code == 0, done.err
    return target.read_bytes()


@contextmanager
def _given(content: bytes) -> Iterator[None]:
    """Standard input with this content."""
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(content), "utf-8")
    try:
        yield
    finally:
        sys.stdin = before


@contextmanager
def _same_logging() -> Iterator[None]:
    """The command sets up logging for its process; put back what was there."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
