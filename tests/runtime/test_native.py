"""What programs in other languages go by: the contract as data, numbers, golden vectors."""

import hashlib
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jsonschema
import onnxruntime
import pytest

from runtime import manifest
from runtime.contract import GRAPHS, PAST, PRESENT, main
from runtime.errors import BundleError
from runtime.loop_numbers import LoopNumbers
from runtime.text import parse_phones
from runtime.text.phonemes import Piece, as_json
from runtime.voice import Voice
from tests import bundles, generated, native_vectors

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/native.md").read_text("utf-8")


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    main(list(words))
    return capsys.readouterr().out


@pytest.fixture
def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What the command prints for programs."""
    found: dict[str, Any] = json.loads(printed(capsys, "--json"))
    return found


def test_the_printed_contract_is_that_of_the_graphs_in_a_bundle(document: dict[str, Any]) -> None:
    assert document["graphs"].keys() == GRAPHS.keys()
    folder = bundles.pro_plus()
    found = manifest.load(folder)
    for name, member in found.graphs.items():
        session = onnxruntime.InferenceSession(folder / member.file)
        for way, ports in (("inputs", session.get_inputs()), ("outputs", session.get_outputs())):
            tensors = [
                (tensor["name"].format(layer=layer), tensor["dims"])
                for tensor in document["graphs"][name][way]
                for layer in range(found.t2s.layers if tensor["per_layer"] else 1)
            ]
            assert {(port.name, len(port.shape)) for port in ports} == {
                (tensor, len(dims)) for tensor, dims in tensors
            }


def test_every_letter_of_a_dim_is_explained(document: dict[str, Any]) -> None:
    letters = {
        letter
        for graph in [*document["graphs"].values(), *document["device_graphs"].values()]
        for tensor in graph["inputs"] + graph["outputs"]
        for dim in tensor["dims"]
        if isinstance(dim, str)
        for letter in re.findall("[A-Z]", dim)
    }
    assert letters == document["dims"].keys()
    assert set(document["dynamic"]) < letters


def test_caches_are_marked_as_in_place(document: dict[str, Any]) -> None:
    decoder = document["graphs"]["t2s_decoder"]
    assert decoder["in_place"] == {
        f"{PRESENT}{n}.{{layer}}": f"{PAST}{n}.{{layer}}" for n in ("keys", "values")
    }
    names = {tensor["name"] for tensor in decoder["inputs"] + decoder["outputs"]}
    assert decoder["in_place"].keys() | set(decoder["in_place"].values()) <= names


def test_people_read_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    document = printed(capsys)
    assert "t2s_decoder\n" in document
    assert "  <- past_keys.{layer} float32/int8 [B, H, C, A]\n" in document


def test_a_built_bundle_carries_the_numbers_of_the_loop() -> None:
    written = json.loads((bundles.v2() / "manifest.json").read_text("utf-8"))
    assert written["loop"] == json.loads(json.dumps(asdict(LoopNumbers())))


def test_a_bundle_of_before_has_them_all_the_same(tmp_path: Path) -> None:
    folder = bundles.copied(bundles.v2(), tmp_path / "old")
    bundles.change_manifest(folder, lambda content: content.pop("loop"))
    assert manifest.load(folder).loop == LoopNumbers()


def test_a_bundle_of_other_numbers_is_refused(tmp_path: Path) -> None:
    folder = bundles.copied(bundles.v2(), tmp_path / "other")
    bundles.change_manifest(
        folder, lambda content: content["loop"]["decode"].update(end_held_back_steps=12)
    )
    line = (
        r"manifest\.json\.loop\.decode\.end_held_back_steps: 12, this runtime has 11; install the"
        r" runtime that built it"
    )
    with pytest.raises(BundleError, match=line):
        manifest.load(folder)


def test_the_page_has_the_numbers_as_they_are() -> None:
    assert generated.native() == PAGE, "python -m tests.generated writes docs/native.md"


def test_golden_vectors_are_what_the_runtime_makes() -> None:
    stored = json.loads(native_vectors.FILE.read_text("utf-8"))
    native_vectors.compare(stored, json.loads(native_vectors.text()))


def test_golden_vectors_meet_every_way_to_end() -> None:
    cases = json.loads(native_vectors.FILE.read_text("utf-8"))["sampler"]
    ended = [case for case in cases if case["token"] is None]
    assert ended
    held = [case for case in cases if case["step"] < LoopNumbers().decode.end_held_back_steps]
    assert all(case["token"] is not None for case in held)


def test_dumped_phones_fit_the_schema_of_the_page() -> None:
    (block,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.M | re.S)
    schema = json.loads(block)
    jsonschema.Draft202012Validator.check_schema(schema)
    document = as_json(parse_phones("HH AH0 L OW1", "v2"), Piece(pause_ms=500))
    jsonschema.validate(json.loads(json.dumps(document)), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"pieces": [{"text": "Hello."}]}, schema)


def test_the_digest_of_an_encoded_reference_is_that_of_the_page() -> None:
    voice = Voice.load(bundles.v2(), threads=1)
    found = voice.manifest
    graphs = [found.files[f"{graph}.onnx"].sha256 for graph in ("quantizer", "style")]
    assert "sovits" not in found.sources
    facts = f"('{found.family}', 'vits', '{found.symbols}', ['{graphs[0]}', '{graphs[1]}'])"
    assert voice.example.voice == hashlib.sha256(facts.encode()).hexdigest()
