"""Bundles that were harmed after they were built: what the voice says of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import BundleError, GraphError, SettingError
from runtime.manifest import NAME, load
from runtime.voice import Voice
from tests import bundles


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return bundles.copied(bundles.v2(), tmp_path / "mia")


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    bundles.replace_file(path, bytes(content))


def test_the_copy_that_the_tests_harm_is_whole(bundle: Path) -> None:
    Voice.load(bundle, threads=1)


def test_one_changed_byte_is_noticed_in_every_file(bundle: Path) -> None:
    for name in load(bundle).files:
        whole = (bundle / name).read_bytes()
        flip_a_byte(bundle / name)
        with pytest.raises(BundleError, match=rf"{name} is not the file of the manifest \(sha256 "):
            Voice.load(bundle)
        bundles.replace_file(bundle / name, whole)


@pytest.mark.parametrize("verify", ["full", "size"])
def test_a_file_of_another_size_is_noticed_by_either_check(bundle: Path, verify: Any) -> None:
    path = bundle / "reference.wav"
    bundles.replace_file(path, path.read_bytes()[:-2])
    with pytest.raises(BundleError, match=r"reference\.wav is not the file of the manifest"):
        Voice.load(bundle, verify=verify)


def test_sizes_alone_do_not_notice_a_changed_byte(bundle: Path) -> None:
    flip_a_byte(bundle / "reference.wav")
    Voice.load(bundle, threads=1, verify="size")


@pytest.mark.parametrize("name", ["vocoder.onnx", "t2s_tables.npz", NAME])
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        Voice.load(bundle)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda manifest: manifest.update(format=2), "format 2, this runtime reads up to 1"),
        (lambda manifest: manifest["graphs"].pop("prior"), "has no graph 'prior'"),
        (lambda manifest: manifest.update(mood="glad"), "unknown key 'mood'"),
    ],
)
def test_a_manifest_of_another_kind_is_refused(
    bundle: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    bundles.change_manifest(bundle, change)
    with pytest.raises(BundleError, match=words):
        Voice.load(bundle)


def test_a_graph_that_is_none_is_refused_though_the_manifest_lists_it(bundle: Path) -> None:
    bundles.replace_file(bundle / "vocoder.onnx", b"no graph")
    bundles.list_anew(bundle, "vocoder.onnx")
    with pytest.raises(GraphError, match=r"vocoder\.onnx: ONNX Runtime can't load it"):
        Voice.load(bundle, threads=1)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"provider": "warp"}, "provider: 'warp' is not one of auto, cpu"), ({"threads": -1}, "thr")],
)
def test_what_a_voice_is_loaded_with_is_checked(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=f"^{words}"):
        Voice.load(bundles.v2(), **wrong)
