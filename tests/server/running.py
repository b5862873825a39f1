"""A server process on a free port of this machine, one per set of options and test run."""

import atexit
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import requests

from tests import bundles

ROOT = Path(__file__).parents[2]
START_S = 120
WYOMING = re.compile(r"^tcp://\S+:(\d+)$", re.M)
VOICE = "flite"
ADDRESS = re.compile(r"^http://\S+:(\d+)$", re.M)


@dataclass(frozen=True)
class Running:
    """A server that answers.

    Attributes:
        process: it.
        ports: that it serves on.
        log: what it says.
    """

    process: subprocess.Popen[bytes]
    ports: tuple[int, ...]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def wyoming_port(self) -> int:
        return int(WYOMING.findall(self.log.read_text())[0])

    def get(self, path: str, **how: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=60, **how)

    def post(self, path: str, **how: Any) -> requests.Response:
        return requests.post(self.url + path, timeout=60, **how)

    def delete(self, path: str) -> requests.Response:
        return requests.delete(self.url + path, timeout=60)

    def speech(self, **body: Any) -> requests.Response:
        return self.post("/v1/audio/speech", json={"input": "Hello there.", "seed": 7} | body)

    def stop(self, how: int = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(30)


@cache
def voices() -> Path:
    """A folder with the tiny voice under two names; a sentence ends after a second."""
    root = Path(mkdtemp(prefix="served-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    for name in (VOICE, "mia"):
        folder = bundles.copied(bundles.brief(), root / name / "1000" / "fp32")
        bundles.change_manifest(folder, partial(_named, name))
    return root


def _named(name: str, manifest: dict[str, Any]) -> None:
    """A voice that speaks so fast that a sentence is not cut for its second."""
    manifest["voice"] = name
    manifest["reference"]["text"] = 8 * bundles.TEXT


def start(*options: str | Path, ports: Sequence[int] = (0,), **variables: str) -> Running:
    """Start a server and wait until it is ready."""
    log = Path(mkdtemp(prefix="server-log-")) / "log"
    command = [
        sys.executable, "-m", "runtime.serve", "--voices", str(voices()), "--threads", "1",
        "--default-voice", VOICE, "--provider", "cpu",
        *(word for port in ports for word in ("--port", str(port))), *map(str, options),
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file, env=environment)
    atexit.register(_end, process)
    running = Running(process, _ports(process, log, len(ports)), log)
    _wait(lambda: running.get("/ready", headers={"Host": "localhost"}).ok, process, log)
    return running


@cache
def server(*options: str | Path, **variables: str) -> Running:
    """The one server of a run with these options."""
    return start(*options, **variables)


def _ports(process: subprocess.Popen[bytes], log: Path, count: int) -> tuple[int, ...]:
    _wait(lambda: len(ADDRESS.findall(log.read_text())) >= count, process, log)
    return tuple(map(int, ADDRESS.findall(log.read_text())))


def _wait(until: Any, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            if until():
                return
        except requests.RequestException:
            pass
        time.sleep(0.02)
    raise AssertionError(f"not in {START_S} s: {log.read_text()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
