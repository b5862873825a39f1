"""The option and the fixtures that all tests share."""

import functools
import gc
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import runtime  # noqa: F401 - silences native libraries before a test imports them
from runtime.backends.memory import release_freed
from tests import goldens, once

FIRST = "workflow"  # folder of the tests that take longest
SERVERS = ".server."  # in the names of modules that start them
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole builds come first, so that no worker is left alone with them at the end."""
    items.sort(key=lambda item: FIRST not in item.path.parts)


@pytest.fixture(scope="module", autouse=True)
def _memory_is_handed_back() -> Iterator[None]:
    """What one file's models took is the next one's: what tests have cached goes.

    Servers are processes of their own, and stay.
    """
    yield
    tests = [name for name in sys.modules if name.startswith("tests.") and SERVERS not in name]
    for module in map(sys.modules.__getitem__, tests):
        for cached in vars(module).values():
            if isinstance(cached, functools._lru_cache_wrapper):
                cached.cache_clear()
    gc.collect()
    release_freed()


@pytest.fixture(autouse=True)
def _logging_is_as_before() -> Iterator[None]:
    """A command that a test runs sets what is logged; the next test starts anew."""
    root = logging.getLogger()
    level, handlers = root.level, [*root.handlers]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the tests of this run shared."""
    folder = config.stash.get(RUN, None)
    if folder is not None:
        once.end(folder)
