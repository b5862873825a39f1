"""The option and the fixtures that all tests share."""

from pathlib import Path

import pytest

import runtime  # noqa: F401 - silences native libraries before a test imports them
from tests import goldens, once

RUN = pytest.StashKey[Path | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let another set of goldens of the same layout be run."""
    parser.addoption(
        "--golden-dir",
        type=Path,
        default=Path(__file__).parent / "tests" / "golden",
        help="folder with t2s/, sovits/, text/ and their manifests (default: tests/golden)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Cases are read when tests are collected, so the folder must be known before."""
    goldens.ROOT = config.getoption("--golden-dir").resolve()
    config.stash[RUN] = once.begin()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the tests of this run shared."""
    folder = config.stash.get(RUN, None)
    if folder is not None:
        once.end(folder)
