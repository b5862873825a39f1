"""Bundles that earlier builds wrote load and sound as they did: the layout of commit 5f182aa."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from runtime import manifest
from runtime.voice import Voice
from tests.tiny_voice import tiny_bundle
from workflow_scripts.engines.decoder import hold_one

KEYS = {
    "": (
        "format voice family precision max_len symbols t2s acoustic reference lexicons g2pw"
        " defaults graphs files sources tools options parity"
    ),
    "t2s": "layers heads vocabulary eos max_sec",
    "acoustic": "sampling_rate_hz spectrogram_bins needs_speaker",
    "reference": "audio text lang",
    "defaults": "top_k top_p temperature repetition_penalty speed noise_scale lookahead_tokens",
}
PARITY = {"chain": {"scores_kl": 1e-9, "scores_top1_agreement": 1.0, "audio_snr_db": 90.0}}
FILES = ("reference.wav", "t2s_tables.npz", "vocabulary.json")
TEXT = {"lang": "en", "as_phones": True, "seed": 7}


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Today's tiny bundle with the keys, files and decoder inputs of then."""
    folder = tmp_path_factory.mktemp("older")
    content = json.loads((tiny_bundle() / manifest.NAME).read_text("utf-8"))
    content = only("", content) | {"parity": PARITY}
    content |= {name: only(name, content[name]) for name in KEYS if name}
    for name in [*FILES, *(graph["file"] for graph in content["graphs"].values())]:
        shutil.copy(tiny_bundle() / name, folder)
    decoder = folder / "t2s_decoder.onnx"
    model = onnx.load(decoder)
    hold_one(model.graph)  # it had no dim for several sequences
    onnx.save(model, decoder)
    content["files"] = {
        path.name: {"size_bytes": path.stat().st_size, "sha256": manifest.digest(path)}
        for path in folder.iterdir()
    }
    (folder / manifest.NAME).write_text(json.dumps(content), "utf-8")
    return folder


def only(part: str, content: dict) -> dict:
    return {key: content[key] for key in KEYS[part].split()}


def test_a_bundle_of_an_earlier_layout_sounds_as_today_s(older: Path) -> None:
    inputs = onnx.load(older / "t2s_decoder.onnx").graph.input
    first = {value.name: value.type.tensor_type.shape.dim[0] for value in inputs}
    assert (first["live_rows"].dim_value, first["rows"].dim_param) == (1, "Q")
    then, now = Voice.load(older), Voice.load(tiny_bundle())
    spoken = then.synthesize("HH AH0 L OW1", **TEXT)
    wanted = now.synthesize("HH AH0 L OW1", **TEXT)
    np.testing.assert_allclose(spoken.samples, wanted.samples, atol=1e-5)
    assert spoken.samples.size
    assert (spoken.endings, spoken.cut_short) == (wanted.finish_reasons, wanted.truncated)


def test_a_stream_and_several_users_take_it_too(older: Path) -> None:
    whole = Voice.load(older).synthesize("HH AH0 L OW1", **TEXT).samples.size
    voice = Voice.load(older, users=3)
    assert sum(chunk.samples.size for chunk in voice.stream("HH AH0 L OW1", **TEXT)) == whole
