"""One build out of stand-ins, made once; whoever changes it takes a copy."""

import shutil
from pathlib import Path

import pytest

from tests.workflow.build import build
from tests.workflow.stand_ins import lay_out


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole build; not to be changed."""
    folder = lay_out(tmp_path_factory.mktemp("stand ins"))
    build(folder)
    return folder


@pytest.fixture
def built(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, with its times."""
    return shutil.copytree(finished, tmp_path / "build", symlinks=True)
