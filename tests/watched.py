"""Run a command and see what it asks of the network, and which files it opens for writing."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CALLS = "trace=%network,open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2"
HARMLESS = ("/dev/", "/proc/self/", "/sys/")  # /dev/null, shared memory, a thread's own name
OPENED = re.compile(
    r'(?:open|openat|creat)\((?:[^"]*, )?"([^"]*)", [^)]*(?:O_WRONLY|O_RDWR|O_CREAT)'
)
MADE = re.compile(r'(?:mkdir|mkdirat|rename\w*)\((?:[^"]*, )?"([^"]*)"')
CALLED = re.compile(r"\b(socket|connect|sendto|sendmsg|sendmmsg)\((.*)")


@dataclass(frozen=True)
class Seen:
    """What a command and its children did.

    Attributes:
        code: exit status.
        err: what it wrote to stderr.
        network: calls that reach for another machine or a resolver, as strace prints them.
        written: files opened for writing, and folders made, that were allowed.
    """

    code: int
    err: str
    network: tuple[str, ...]
    written: frozenset[str]


def watched(command: Sequence[str], home: Path, **environment: str) -> Seen:
    """Run it with an empty home and no setting of ours in its environment, under strace."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("calls of native libraries stay unwatched: strace is not installed")
    log = home.with_name(f"{home.name}.strace")
    home.mkdir()
    plain = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8"}
    done = subprocess.run(
        [strace, "-f", "-qq", "-s", "300", "-e", CALLS, "-o", str(log), *command],
        cwd=home, env=plain | {"PYTHONPATH": str(ROOT)} | environment, text=True,
        capture_output=True,
    )  # fmt: skip
    lines = log.read_text("utf-8", "replace").splitlines()
    kept = [line for line in lines if " = -1 " not in line or CALLED.search(line)]
    network = tuple(line for line in kept if _reaches_out(line))
    written = {
        found[1] for line in kept for found in [OPENED.search(line) or MADE.search(line)] if found
    }
    outside = frozenset(path for path in written if not path.startswith(HARMLESS))
    return Seen(done.returncode, done.stderr, network, outside)


def python(code: str, *arguments: str) -> list[str]:
    """The command for a script of this interpreter that writes no byte code."""
    return [sys.executable, "-B", "-c", code, *arguments]


def _reaches_out(line: str) -> bool:
    """Whether a line is a socket to elsewhere; one between our own threads or processes is not."""
    found = CALLED.search(line)
    return found is not None and "AF_UNIX" not in found[2].replace("/nscd/", "AF_INET")
