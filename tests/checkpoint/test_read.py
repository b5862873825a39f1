import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from runtime.errors import CheckpointError
from tests import goldens
from tests.checkpoint.makers import plain, resaved, torch_file
from workflow_scripts.checkpoint.read import read
from workflow_scripts.checkpoint.write import HParams, write_checkpoint


@pytest.mark.golden
@pytest.mark.parametrize("path", goldens.t2s_checkpoints(), ids=lambda path: path.stem)
def test_t2s_goldens_are_read(path: Path) -> None:
    checkpoint = read(path, "t2s")
    stored = torch.load(path, weights_only=True)
    assert checkpoint.kind == "t2s"
    assert checkpoint.family is None
    assert checkpoint.config == stored["config"]
    assert list(checkpoint.weights) == list(stored["weight"])
    assert all(torch.equal(checkpoint.weights[k], v) for k, v in stored["weight"].items())
    assert checkpoint.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert checkpoint.info.startswith("GPT-e")


@pytest.mark.golden
@pytest.mark.parametrize("case", goldens.sovits_models(), ids=str)
def test_sovits_goldens_are_read(case: goldens.Case) -> None:
    checkpoint = read(case.model, "sovits")
    assert checkpoint.family == case.name
    assert checkpoint.info == "8epoch_216iteration"
    assert checkpoint.header == case.model.read_bytes()[:2].decode()
    assert not any("enc_q" in name for name in checkpoint.weights)
    assert len(checkpoint.dropped) == (103 if case.name == "v1" else 0)
    model = checkpoint.config["model"]
    assert isinstance(model, dict)
    assert model["version"] == case.name
    assert type(model["upsample_rates"]) is list


@pytest.mark.parametrize("family", ["v1", "v2", "v2Pro", "v2ProPlus"])
def test_what_is_stored_stays_until_it_is_widened(family: str, sovits: dict[str, Path]) -> None:
    checkpoint = read(sovits[family])
    wide = checkpoint.widened()
    assert list(wide) == list(checkpoint.weights)
    for name, tensor in checkpoint.weights.items():
        assert tensor.dtype == torch.float16
        assert wide[name].dtype == torch.float32
        assert wide[name].is_contiguous()
        assert torch.equal(wide[name].half(), tensor)


def test_widened_weights_are_their_own(gpt: Path, tmp_path: Path) -> None:
    content = plain(gpt)
    content["weight"] = {name: tensor.float() for name, tensor in content["weight"].items()}
    checkpoint = read(torch_file(tmp_path / "wide.ckpt", **content))
    name = next(iter(checkpoint.weights))
    checkpoint.widened()[name].zero_()
    assert checkpoint.weights[name].any()


@pytest.mark.parametrize("as_bag", [True, False])
def test_both_spellings_of_a_weight_norm_and_of_a_config_are_one(
    sovits: dict[str, Path], tmp_path: Path, as_bag: bool
) -> None:
    usual = read(sovits["v2"])
    respelt = {
        name.replace(".weight_g", ".parametrizations.weight.original0").replace(
            ".weight_v", ".parametrizations.weight.original1"
        ): tensor
        for name, tensor in usual.weights.items()
    }
    path = tmp_path / "mia.pth"
    write_checkpoint(path, respelt, usual.config, "", "PK" if as_bag else None)
    found = read(path)
    assert list(found.weights) == list(usual.weights)
    assert not found.dropped
    assert found.config == usual.config
    assert torch.equal(found.weights["dec.ups.0.weight_v"], usual.weights["dec.ups.0.weight_v"])


def test_training_tensors_are_dropped_and_told(sovits: dict[str, Path], tmp_path: Path) -> None:
    usual = read(sovits["v2"])
    more = {"enc_q.pre.weight": torch.zeros(3), "something.new": torch.zeros(2)}
    path = tmp_path / "mia.pth"
    write_checkpoint(path, usual.weights | more, usual.config, "", "PK")
    found = read(path)
    assert found.dropped == ("enc_q.pre.weight", "something.new")
    assert list(found.weights) == list(usual.weights)


def test_a_frame_rate_of_the_file_is_overruled(sovits: dict[str, Path], tmp_path: Path) -> None:
    usual = read(sovits["v2"])
    config = usual.config | {"model": usual.config["model"] | {"semantic_frame_rate": "50hz"}}  # type: ignore[operator]
    write_checkpoint(tmp_path / "mia.pth", usual.weights, config, "", "PK")
    model = read(tmp_path / "mia.pth").config["model"]
    assert isinstance(model, dict)
    assert model["semantic_frame_rate"] == "25hz"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(gpt: Path, tmp_path: Path, value: float) -> None:
    weight = plain(gpt)["weight"]
    weight["model.bert_proj.bias"][3] = value
    path = resaved(gpt, tmp_path / "mia.ckpt", weight=weight)
    with pytest.raises(CheckpointError, match=r"bert_proj\.bias has values that are no numbers"):
        read(path)


def test_whole_numbers_for_weights_are_refused(gpt: Path, tmp_path: Path) -> None:
    weight = plain(gpt)["weight"]
    weight["model.bert_proj.bias"] = weight["model.bert_proj.bias"].long()
    with pytest.raises(CheckpointError, match=r"bert_proj\.bias is int64, not a float"):
        read(resaved(gpt, tmp_path / "mia.ckpt", weight=weight))


def test_parameters_are_read_as_tensors(gpt: Path, tmp_path: Path) -> None:
    weight = {name: torch.nn.Parameter(t) for name, t in plain(gpt)["weight"].items()}
    found = read(resaved(gpt, tmp_path / "mia.ckpt", weight=weight))
    assert not any(tensor.requires_grad for tensor in found.weights.values())


def test_a_later_pickle_protocol_is_refused_with_what_to_do(gpt: Path, tmp_path: Path) -> None:
    path = tmp_path / "mia.ckpt"
    torch.save(plain(gpt), path, pickle_protocol=4)
    with pytest.raises(CheckpointError, match=r"protocol 4, at most 2 is read; save it anew"):
        read(path)


def test_the_kind_that_is_wanted_is_insisted_on(gpt: Path, sovits: dict[str, Path]) -> None:
    with pytest.raises(CheckpointError, match="give it as sovits, not as gpt"):
        read(sovits["v1"], "t2s")
    with pytest.raises(CheckpointError, match="give it as gpt, not as sovits"):
        read(gpt, "sovits")


def test_writing_a_config_leaves_no_module_behind(sovits: dict[str, Path]) -> None:
    import sys

    assert sovits["v1"].exists()
    assert "utils" not in sys.modules
    assert HParams.__module__ == "workflow_scripts.checkpoint.write"
