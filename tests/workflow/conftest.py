"""One build out of stand-ins, made once; whoever changes it takes a copy."""

import shutil
from pathlib import Path

import pytest

from tests.once import once
from tests.workflow.build import build
from tests.workflow.stand_ins import lay_out


@pytest.fixture(scope="session")
def finished() -> Path:
    """A whole build; not to be changed."""
    return once(lambda folder: build(lay_out(folder)), "stand ins of all stages")


@pytest.fixture
def built(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, with its times."""
    return shutil.copytree(finished, tmp_path / "build", symlinks=True)
