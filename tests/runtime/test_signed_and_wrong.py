"""Bundles whose files are those of the manifest, and do not fit together or tell nonsense."""

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from runtime.errors import BundleError, GraphError
from runtime.manifest import NAME
from runtime.voice import Voice
from tests import bundles
from tests.runtime.command import PHONES, call

TABLES = "t2s_tables.npz"
Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return bundles.copied(bundles.v2(), tmp_path / "mia")


def refused(bundle: Path, words: str, error: type[Exception] = BundleError) -> None:
    """By the library, and by the command in one line; nothing is written."""
    with pytest.raises(error, match=words):
        Voice.load(bundle, threads=1).synthesize(PHONES, as_phones=True, seed=7)
    target = bundle.parent / "out.wav"
    done = call("-m", bundle, "-f", target, "--phones", PHONES, "--threads", "1", "--quiet")
    assert (done.code, done.out) == (3, b"")
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert not target.exists()


def put(bundle: Path, name: str, content: bytes) -> None:
    bundles.replace_file(bundle / name, content)
    bundles.list_anew(bundle, name)


def tables(bundle: Path, change: Callable[[dict[str, Any]], object], compressed: bool) -> None:
    with np.load(bundle / TABLES) as stored:
        arrays = dict(stored)
    change(arrays)
    (bundle / TABLES).unlink()
    (np.savez_compressed if compressed else np.savez)(bundle / TABLES, **arrays)
    bundles.list_anew(bundle, TABLES)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m["acoustic"].update(sampling_rate_hz=-1), "sampling_rate_hz: -1, want 8000"),
        (lambda m: m["acoustic"].update(spectrogram_bins=0), "spectrogram_bins: 0, want 1"),
        (lambda m: m["t2s"].update(vocabulary=2**40), "t2s.vocabulary: 1099511627776, want 1"),
        (lambda m: m["t2s"].update(eos=5), "t2s.eos: 5, want 1024"),
        (lambda m: m.update(max_len=-5), "max_len: -5, want 1"),
        (lambda m: m["t2s"].update(layers=99), "past_keys.2: missing"),
        (lambda m: m["t2s"].update(heads=64), "4 where the voice has 64"),
        (lambda m: m["t2s"].update(vocabulary=1024, eos=1023), "where the voice has 1024"),
        (lambda m: m["acoustic"].update(spectrogram_bins=1025), "704 where the voice has 1025"),
    ],
)
def test_sizes_and_rates_that_no_voice_has_are_refused(
    bundle: Path, change: Change, words: str
) -> None:
    bundles.change_manifest(bundle, change)
    refused(bundle, words)


@pytest.mark.parametrize("graph", ["prior", "t2s_embed", "t2s_decoder", "hubert", "style"])
def test_a_graph_in_the_place_of_another_is_refused(bundle: Path, graph: str) -> None:
    put(bundle, f"{graph}.onnx", (bundle / "vocoder.onnx").read_bytes())
    refused(bundle, rf"{graph}\.onnx: .*; another graph than its voice's, build it again")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda held: held.pop("alpha"), "no step tables"),
        (lambda held: held.update(alpha=np.ones(3, np.float32)), "do not belong together"),
        (lambda held: held.update(audio_embedding=held["audio_embedding"][:9]), "another voice"),
        (lambda held: held.update(audio_embedding=held["audio_embedding"] * np.nan), "no numbers"),
        (lambda held: held.update(frequencies=np.array(["a"] * 9)), "do not belong together"),
    ],
)
def test_step_tables_of_another_form_are_refused(bundle: Path, change: Change, words: str) -> None:
    tables(bundle, change, compressed=False)
    refused(bundle, words)


def test_step_tables_that_would_unpack_to_gigabytes_are_refused(bundle: Path) -> None:
    tables(bundle, lambda held: None, compressed=True)
    refused(bundle, "compressed, which ours never are")
    with zipfile.ZipFile(bundle.parent / "no.npz", "w") as file:
        file.writestr("audio_embedding.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr':'<f4'}\n")
    put(bundle, TABLES, (bundle.parent / "no.npz").read_bytes())
    refused(bundle, "no step tables")


def test_logits_that_are_no_numbers_are_an_error_and_no_noise(bundle: Path) -> None:
    model = onnx.load(bundle / "t2s_decoder.onnx")
    for held in model.graph.initializer:
        array = numpy_helper.to_array(held)
        if array.ndim == 2 and array.shape[0] == 1025:
            held.CopyFrom(numpy_helper.from_array(array * np.float32(np.nan), held.name))
    put(bundle, "t2s_decoder.onnx", model.SerializeToString())
    refused(bundle, "token 0: the decoder's logits are no numbers", GraphError)


def test_weights_that_the_manifest_does_not_list_are_refused(bundle: Path) -> None:
    model = onnx.load(bundle / "vocoder.onnx")
    (bundle / "vocoder.onnx").unlink()
    onnx.save(model, bundle / "vocoder.onnx", save_as_external_data=True, location="more.bin")
    bundles.list_anew(bundle, "vocoder.onnx")
    refused(bundle, r"vocoder\.onnx: keeps weights in other files")


def test_json_without_end_is_refused(bundle: Path) -> None:
    for content in (b"[" * 200_000, b'{"format": ' * 100_000, b"\xff", b"1" * 5000):
        bundles.replace_file(bundle / NAME, content)
        refused(bundle, "manifest.json: ")


@pytest.mark.parametrize("name", ["vocoder.onnx", "reference.wav", NAME])
def test_what_is_no_plain_file_is_not_waited_for(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    os.mkfifo(bundle / name)
    refused(bundle, "no plain file|not a plain file")
    (bundle / name).unlink()
    (bundle / name).symlink_to("/dev/zero")
    refused(bundle, "no plain file|not a plain file")


def test_a_sound_bundle_of_each_kind_is_loaded_and_compared(tmp_path: Path) -> None:
    for made in (bundles.brief(), bundles.pro_plus()):
        whole = shutil.copytree(made, tmp_path / made.parent.name)
        speech = Voice.load(whole, threads=1).synthesize(PHONES, as_phones=True, seed=7)
        assert speech.samples.size
