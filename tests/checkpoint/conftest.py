from pathlib import Path

import pytest
import torch

from workflow_scripts.random_voice.__main__ import TINY, write_sovits, write_t2s


@pytest.fixture(scope="session")
def gpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small T2S file with v2 symbols; not to be changed."""
    path = tmp_path_factory.mktemp("t2s") / "mia.ckpt"
    write_t2s(path, "v2", TINY, torch.Generator().manual_seed(1))
    return path


@pytest.fixture(scope="session")
def sovits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small SoVITS file of each supported family; not to be changed."""
    folder = tmp_path_factory.mktemp("sovits")
    paths = {}
    for family in ("v1", "v2", "v2Pro", "v2ProPlus"):
        paths[family] = folder / f"{family}.pth"
        write_sovits(paths[family], family, TINY, torch.Generator().manual_seed(2))
    return paths
