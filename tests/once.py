"""What tests of one run share: made once, by whichever worker needs it first."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

from filelock import FileLock

FOLDER = "FOUNDRY_TEST_RUN"  # environment variable: where this run keeps it, workers included


def begin() -> Path | None:
    """Make the folder of a run; None if a run above has made it already."""
    if FOLDER in os.environ:
        return None
    os.environ[FOLDER] = mkdtemp(prefix="foundry-tests-")
    return Path(os.environ[FOLDER])


def end(folder: Path) -> None:
    """Remove what `begin` made."""
    os.environ.pop(FOLDER, None)
    shutil.rmtree(folder, ignore_errors=True)


def once(make: Callable[[Path], object], *names: object) -> Path:
    """The folder that `make` fills; not to be changed by anyone.

    Args:
        make: fills the folder that it is given.
        names: what tells this content from all other of the run.
    """
    key = hashlib.sha256("\0".join(map(str, names)).encode()).hexdigest()[:16]
    folder = Path(os.environ[FOLDER]) / f"{names[0]} {key}"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            make(part)
            part.rename(folder)
    return folder
