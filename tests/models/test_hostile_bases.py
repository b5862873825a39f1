"""Bases that lie, hide code, or would fill the memory: one line each, nothing run."""

import json
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from runtime.errors import CheckpointError
from tests import bundles
from tests.checkpoint.makers import Touch
from workflow_scripts.models.bases import read_tensor_file
from workflow_scripts.models.eres2net import load_eres2net
from workflow_scripts.models.hubert import load_hubert
from workflow_scripts.models.roberta import load_roberta

Harm = Callable[[Path], object]
DEEP = b"\x80\x02}" + b")" + b"\x85" * 1_000_000 + b"K\x01s."
LEGACY_MARK = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
OLD = b"".join([LEGACY_MARK, b"\x80\x02)" + b"\x85" * 90_000 + b".", *[b"\x80\x02N."] * 3])
SAFE = {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
LAYERS = {"dtype": "F32", "shape": [1] * 1000, "data_offsets": [0, 4]}


def config(**changes: Any) -> Harm:
    def harm(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return harm


def raw_config(content: bytes) -> Harm:
    return lambda folder: (folder / "config.json").write_bytes(content)


def weights(change: Callable[[dict[str, Any]], Any], **how: Any) -> Harm:
    def harm(folder: Path) -> None:
        path = folder / "pytorch_model.bin"
        torch.save(change(torch.load(path, weights_only=True)), path, **how)

    return harm


def pickled(content: bytes) -> Harm:
    return lambda folder: (folder / "pytorch_model.bin").write_bytes(content)


def safe(header: bytes | dict[str, Any], data: bytes = bytes(4), size: int | None = None) -> Harm:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = struct.pack("<Q", len(text) if size is None else size)
    return lambda folder: (folder / "model.safetensors").write_bytes(length + text + data)


def norm(tensor: torch.Tensor) -> Harm:
    return weights(lambda held: held | {"encoder.layer_norm.weight": tensor})


def magnitude(tensor: torch.Tensor) -> Harm:
    def put(held: dict[str, Any]) -> dict[str, Any]:
        (name,) = [key for key in held if key.endswith((".weight_g", "original0"))]
        return held | {name: tensor}

    return weights(put)


CONFIGS: dict[str, tuple[Harm, str]] = {
    "no JSON": (raw_config(b""), "not JSON"),
    "deep JSON": (raw_config(b"[" * 200_000), "not JSON"),
    "large JSON": (raw_config(b" " * 2_000_000), "2000000 bytes"),
    "huge number": (raw_config(b'{"model_type": "x", "a": ' + b"9" * 5000 + b"}"), "not JSON"),
    "a list": (raw_config(b"[]"), "model_type is None"),
    "a kind as list": (raw_config(b'{"model_type": ["' + b"q" * 900_000 + b'"]}'), "model_type is"),
    "many layers": (config(num_hidden_layers=100_000), "num_hidden_layers: 100000 is not"),
    "more layers than stored": (config(num_hidden_layers=100), "is missing"),
    "fewer layers than stored": (config(num_hidden_layers=1), "more than its config asks for"),
    "layers as text": (config(num_hidden_layers="2"), "num_hidden_layers: '2' is not"),
    "wide": (config(hidden_size=10**6), "hidden_size: 1000000 is not"),
    "another width": (config(hidden_size=960), "its config asks for"),
    "heads that do not divide": (config(num_attention_heads=7), "a divisor of hidden_size"),
    "no heads": (config(num_attention_heads=0), "num_attention_heads: 0 is not"),
    "an activation of its own": (config(hidden_act="os.system"), "hidden_act: 'os.system' is not"),
    "an epsilon": (config(layer_norm_eps=-1), "layer_norm_eps: -1 is not"),
    "wide inside": (config(intermediate_size=10**9), "intermediate_size: 1000000000 is not"),
}
HUBERTS: dict[str, tuple[Harm, str]] = {
    "no convolutions": (config(conv_dim=[]), "conv_dim: [] is not a short list"),
    "kernels of another count": (config(conv_kernel=[10, 3]), "is not as long as conv_dim"),
    "strides of 0": (config(conv_stride=[0] * 7), "conv_stride"),
    "wide convolutions": (config(conv_dim=[10**5] * 7), "conv_dim"),
    "other convolutions": (config(conv_dim=[128] * 7), "its config asks for"),
    "groups": (config(num_conv_pos_embedding_groups=7), "a divisor of hidden_size"),
    "a batch norm": (config(conv_pos_batch_norm=True), "conv_pos_batch_norm: True is not false"),
    "NaN": (norm(torch.full((768,), torch.nan)), "values that are no numbers"),
    "infinity": (norm(torch.full((768,), torch.inf)), "values that are no numbers"),
    "integers": (norm(torch.ones(768, dtype=torch.int32)), "is int32, not a float"),
    "complex": (norm(torch.ones(768, dtype=torch.complex64)), "ComplexFloatStorage, not data"),
    "sparse": (norm(torch.ones(768).to_sparse()), "not data; nothing was run"),
    "nothing": (norm(torch.ones(0)), "is empty"),
    "a magnitude of no dims": (magnitude(torch.tensor(1.0)), "where its direction is"),
    "a magnitude of other dims": (magnitude(torch.ones(7, 5)), "where its direction is"),
    "a list": (weights(lambda held: list(held.values())), "holds no tensors"),
    "a number": (weights(lambda held: {"a": 1}), "holds more than tensors by key, at 'a'"),
    "a key that is no name": (weights(lambda held: held | {5: held}), "tensors by key, at 5"),
    "nothing pickled": (pickled(b""), "an empty file"),
    "a deep pickle": (pickled(DEEP), "not a file of torch.save"),
    "a deep pickle in the old format": (pickled(OLD), "nested more than 100 deep"),
    "the first part of the old format": (pickled(LEGACY_MARK), "not a file of torch.save"),
    "a safe header of 2^63": (safe(b"{}", size=2**63), "can't be read"),
    "a deep safe header": (safe(b"[" * 100_000), "can't be read"),
    "a safe tensor of 1000 dims": (safe({"a": LAYERS}), "dims"),
    "a safe tensor beyond the end": (safe(SAFE, b""), "can't be read"),
    "no safe tensor": (safe({}, b""), "is missing"),
    "a folder for weights": (lambda folder: (folder / "model.safetensors").mkdir(), "not a file"),
}  # fmt: skip
ROBERTAS: dict[str, tuple[Harm, str]] = {
    "a vocabulary of 2^40": (config(vocab_size=2**40), "vocab_size: 1099511627776 is not"),
    "another vocabulary": (config(vocab_size=99), "its config asks for [99, 1024]"),
    "no positions": (config(max_position_embeddings=0), "max_position_embeddings: 0 is not"),
    "positions of another kind": (config(position_embedding_type="evil"), "is not one of absolute"),
    "a decoder": (config(is_decoder=True), "is_decoder: True is not false"),
}


def refused(folder: Path, load: Callable[[Path], object]) -> str:
    with pytest.raises(CheckpointError) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{folder}")
    return str(caught.value)


@pytest.mark.parametrize(("harm", "message"), [*CONFIGS.values(), *HUBERTS.values()],
                         ids=[*CONFIGS, *HUBERTS])  # fmt: skip
def test_a_hostile_hubert_is_refused_in_one_line(harm: Harm, message: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bundles.HUBERT, tmp_path / "base"))
    harm(folder)
    assert message in refused(folder, load_hubert)


@pytest.mark.parametrize(("harm", "message"), [*CONFIGS.values(), *ROBERTAS.values()],
                         ids=[*CONFIGS, *ROBERTAS])  # fmt: skip
def test_a_hostile_roberta_is_refused_in_one_line(harm: Harm, message: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bundles.ROBERTA, tmp_path / "base"))
    harm(folder)
    assert message in refused(folder, load_roberta)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_base_is_not_run(zipped: bool, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bundles.HUBERT, tmp_path / "base"))
    trap = {"a": Touch(tmp_path / "ran")}
    torch.save(trap, folder / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    message = refused(folder, load_hubert)
    assert "asks for posix.system, not data; nothing was run" in message
    assert not (tmp_path / "ran").exists()


def test_the_format_before_pytorch_1_6_is_read_as_torch_reads_it(tmp_path: Path) -> None:
    held = torch.load(bundles.HUBERT / "pytorch_model.bin", weights_only=True)
    held["shared"] = held["encoder.layer_norm.weight"][3:700:2]  # a view
    path = tmp_path / "old.bin"
    torch.save(held, path, _use_new_zipfile_serialization=False)
    found = read_tensor_file(path)
    assert found.keys() == held.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in held.items())


@pytest.mark.parametrize("cut", [10, 1000, 100_000, -1])
def test_the_old_format_cut_anywhere_is_refused(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "old.bin"
    held = {"a": torch.ones(90_000), "b": torch.ones(3)}
    torch.save(held, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:cut])
    refused(path, read_tensor_file)


SPEAKERS: dict[str, Callable[[dict[str, torch.Tensor], str], dict[str, torch.Tensor]]] = {
    "no dims": lambda held, name: held | {name: torch.tensor(1.0)},
    "one dim": lambda held, name: held | {name: torch.ones(3)},
    "NaN": lambda held, name: held | {name: torch.full_like(held[name], torch.nan)},
    "integers": lambda held, name: held | {name: held[name].int()},
    "empty": lambda held, name: held | {name: torch.ones(0, 1, 3, 3)},
    "nothing": lambda held, name: {},
    "one block too many": lambda held, name: held | {"layer1.9.conv1.weight": held[name]},
}  # fmt: skip


@pytest.mark.parametrize("harm", SPEAKERS.values(), ids=SPEAKERS)
def test_a_hostile_speaker_network_is_refused_in_one_line(harm: Any, tmp_path: Path) -> None:
    path = tmp_path / "s.ckpt"
    torch.save(harm(torch.load(bundles.SPEAKER, weights_only=True), "conv1.weight"), path)
    refused(path, lambda path: load_eres2net(read_tensor_file(path), f"{path}"))
