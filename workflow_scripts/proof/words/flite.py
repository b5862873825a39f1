"""Speech by flite: the small synthesizer whose voices the default voice learned from."""

import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from runtime import audio as sound
from runtime.audio import Audio

PROGRAM = "flite"
MISSING = "not measured: flite is not installed"


def program() -> str | None:
    """Where flite is; None where it is not installed."""
    return shutil.which(PROGRAM)


@cache
def voices() -> frozenset[str]:
    """The names of its voices; none where it is not installed."""
    found = program()
    if found is None:
        return frozenset()
    done = subprocess.run([found, "-lv"], capture_output=True, text=True, check=True)
    return frozenset(done.stdout.partition(":")[2].split())


def say(text: str, voice: str) -> Audio:
    """Speak a text.

    Raises:
        OSError: flite is not installed, or can't write.
        CalledProcessError: it fails.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        command = [program() or PROGRAM, "-voice", voice, "-t", text, "-o", str(path)]
        subprocess.run(command, capture_output=True, check=True)
        return sound.read(path)
