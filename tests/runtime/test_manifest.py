"""Which bundles are refused, and in which words."""

import json
import typing
from collections.abc import Callable
from dataclasses import MISSING, asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from runtime import manifest, records
from runtime.errors import BundleError
from runtime.manifest import Manifest, load, verify

SCHEMA = json.loads(Path(manifest.__file__).with_name("manifest.schema.json").read_text("utf-8"))
GRAPHS = ("hubert", "quantizer", "style", "t2s_embed", "t2s_decoder", "prior", "vocoder")
Content = dict[str, Any]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle whose graphs are a few bytes."""
    folder = tmp_path / "mia"
    folder.mkdir()
    names = [*(f"{graph}.onnx" for graph in GRAPHS), "reference.wav", "t2s_tables.npz"]
    names.append("lexicon.en.txt")
    for name in names:
        (folder / name).write_bytes(b"bytes of " + name.encode())
    files = {name: folder / name for name in names}
    content = {
        "format": 1,
        "voice": "mia",
        "family": "v2",
        "precision": "fp16",
        "max_len": 1000,
        "symbols": "v2",
        "t2s": {"layers": 24, "heads": 16, "vocabulary": 1025, "eos": 1024, "max_sec": 54},
        "acoustic": {"sampling_rate_hz": 32000, "spectrogram_bins": 704, "needs_speaker": False},
        "reference": {"audio": "reference.wav", "text": "Hello.", "lang": "en"},
        "lexicons": {"en": "lexicon.en.txt"},
        "g2pw": {},
        "defaults": asdict(manifest.Defaults()),
        "graphs": {name: {"file": f"{name}.onnx", "precision": "fp16"} for name in GRAPHS},
        "files": {
            name: {"size_bytes": path.stat().st_size, "sha256": manifest.digest(path)}
            for name, path in files.items()
        },
        "sources": {"gpt": "00"},
        "tools": {"onnx": "1.0"},
        "options": {"mixed_precision": {}},
        "parity": {"prior": {"latent_max_abs": 1e-6, "latent_kl": None}},
        "loop": records.in_json(manifest.LoopNumbers()),
    }
    (folder / "manifest.json").write_text(json.dumps(content), "utf-8")
    return folder


def rewrite(folder: Path, change: Callable[[Content], object]) -> None:
    path = folder / "manifest.json"
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), "utf-8")


def refusal(folder: Path, how: typing.Literal["full", "size"] = "full") -> str:
    with pytest.raises(BundleError) as caught:
        verify(folder, load(folder), how)
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    return line


def test_a_whole_bundle_is_read_and_verified(bundle: Path) -> None:
    found = load(bundle)
    verify(bundle, found)
    assert (found.t2s.eos, found.graphs["prior"].file) == (1024, "prior.onnx")
    assert found.parity["prior"]["latent_kl"] is None


def test_what_was_read_writes_the_same_manifest(bundle: Path) -> None:
    written = json.loads((bundle / "manifest.json").read_text("utf-8"))
    assert json.loads(records.text(load(bundle))) == written


def test_a_default_that_a_bundle_of_before_lacks_is_the_usual_one(bundle: Path) -> None:
    rewrite(bundle, lambda content: content["defaults"].pop("noise_scale"))
    assert load(bundle).defaults == manifest.Defaults()


def test_one_changed_byte_is_refused_by_its_digest(bundle: Path) -> None:
    (bundle / "prior.onnx").write_bytes(b"bytes of prior.onnX")
    line = refusal(bundle)
    assert line.startswith(f"{bundle}: prior.onnx is not the file of the manifest (sha256 ")
    assert line.endswith("; build it again")


def test_a_file_of_another_size_is_refused_without_reading_it(bundle: Path) -> None:
    (bundle / "prior.onnx").write_bytes(b"short")
    want = "prior.onnx is not the file of the manifest (5 bytes, want 19)"
    assert want in refusal(bundle)
    assert want in refusal(bundle, "size")


def test_the_quick_mode_trusts_sizes(bundle: Path) -> None:
    (bundle / "prior.onnx").write_bytes(b"bytes of prior.onnX")
    verify(bundle, load(bundle), "size")


def test_a_missing_file_is_named(bundle: Path) -> None:
    (bundle / "t2s_tables.npz").unlink()
    assert refusal(bundle) == f"{bundle}: t2s_tables.npz is missing; build it again"


def test_files_that_the_manifest_does_not_name_do_no_harm(bundle: Path) -> None:
    (bundle / ".DS_Store").touch()
    verify(bundle, load(bundle))


def test_a_folder_without_manifest_is_no_bundle(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path}: no bundle here (manifest.json is missing); build it"


def test_a_newer_format_asks_for_a_newer_runtime(bundle: Path) -> None:
    rewrite(bundle, lambda content: content.update(format=2, something_new=[]))
    assert refusal(bundle).endswith("format 2, this runtime reads up to 1; install a newer runtime")


@pytest.mark.parametrize("text", ["", "{", "nope", '{"format": NaN}', "\xff"])
def test_what_is_no_json_is_refused(bundle: Path, text: str) -> None:
    (bundle / "manifest.json").write_bytes(text.encode("latin-1"))
    assert "not readable as JSON" in refusal(bundle)


HARM: dict[str, tuple[Callable[[Content], object], str]] = {
    "missing key": (lambda c: c.pop("symbols"), ": missing key 'symbols'"),
    "missing key below": (lambda c: c["t2s"].pop("eos"), ".t2s: missing key 'eos'"),
    "unknown key": (lambda c: c.update(engine=1), ": unknown key 'engine'"),
    "text for number": (
        lambda c: c.update(max_len="1000"),
        ".max_len: text, want an integer",
    ),
    "number for text": (lambda c: c.update(voice=7), ".voice: an integer, want text"),
    "true for number": (lambda c: c.update(max_len=True), ".max_len: true or false, want an"),
    "fraction for number": (
        lambda c: c["t2s"].update(heads=1.5),
        ".t2s.heads: a number, want an integer",
    ),
    "list for object": (lambda c: c.update(graphs=[]), ".graphs: a list, want an object"),
    "null for object": (lambda c: c.update(t2s=None), ".t2s: null, want an object"),
    "text deep inside": (
        lambda c: c["files"]["prior.onnx"].update(size_bytes="1"),
        ".files.prior.onnx.size_bytes: text, want an integer",
    ),
    "default out of range": (
        lambda c: c["defaults"].update(speed=9),
        ".defaults.speed: 9.0 is not between 0.25 and 4; build it again",
    ),
    "unknown default": (
        lambda c: c["defaults"].update(sped=1),
        ".defaults: unknown key 'sped'; build it again",
    ),
    "format as text": (lambda c: c.update(format="1"), ".format: text, want an integer"),
    "format zero": (lambda c: c.update(format=0), ": format 0 does not exist"),
    "missing graph": (lambda c: c["graphs"].pop("prior"), "has no graph 'prior'"),
    "no speaker": (
        lambda c: c["acoustic"].update(needs_speaker=True),
        "has no graph 'speaker'",
    ),
    "no frames": (
        lambda c: c["acoustic"].update(frames_per_token=0),
        ".acoustic.frames_per_token: 0, want above 0, up to 100",
    ),
    "another vocoder": (
        lambda c: c["acoustic"].update(vocoder="bigvgan"),
        "has no graph 'bigvgan'",
    ),
    "unknown graph": (
        lambda c: c["graphs"].update(denoiser=c["graphs"]["prior"]),
        "unknown graph 'denoiser'",
    ),
    "unlisted graph file": (
        lambda c: c["files"].pop("prior.onnx"),
        "does not list the file 'prior.onnx'",
    ),
    "unlisted tables": (
        lambda c: c["files"].pop("t2s_tables.npz"),
        "does not list the file 't2s_tables.npz'",
    ),
    "no vocabulary": (
        lambda c: c["graphs"].update(roberta=c["graphs"]["prior"]),
        "does not list the file 'vocabulary.json'",
    ),
    "g2pw without a table": (
        lambda c: c.update(g2pw={"g2pW.onnx": "lexicon.en.txt"}),
        "has no 'config.py' of g2pW",
    ),
    "g2pw without a vocabulary": (
        lambda c: c.update(g2pw=dict.fromkeys(manifest.G2PW_FILES, "lexicon.en.txt")),
        "does not list the file 'vocabulary.json'",
    ),
    "unlisted lexicon": (
        lambda c: c["lexicons"].update(ja="lexicon.ja.txt"),
        "does not list the file 'lexicon.ja.txt'",
    ),
    "path out of it": (
        lambda c: c["files"].update({"../x": c["files"]["prior.onnx"]}),
        "lists '../x', no file of it",
    ),
    "absolute path": (
        lambda c: c["files"].update({"/etc/passwd": c["files"]["prior.onnx"]}),
        "lists '/etc/passwd', no file of it",
    ),
}


@pytest.mark.parametrize(("change", "words"), HARM.values(), ids=HARM)
def test_a_manifest_that_was_harmed_is_refused(
    bundle: Path, change: Callable[[Content], object], words: str
) -> None:
    rewrite(bundle, change)
    assert words in refusal(bundle)


def test_the_manifest_itself_is_no_object(bundle: Path) -> None:
    (bundle / "manifest.json").write_text("[]")
    assert refusal(bundle).endswith("manifest.json: a list, want an object; build it again")


def test_a_bundle_that_the_runtime_reads_fits_the_schema(bundle: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads((bundle / "manifest.json").read_text("utf-8")), SCHEMA)


def test_schema_and_dataclasses_have_the_same_keys() -> None:
    todo = [(Manifest, SCHEMA)]
    while todo:
        kind, schema = todo.pop()
        declared = typing.get_type_hints(kind)
        needed = {f.name for f in fields(kind) if f.default is f.default_factory is MISSING}
        assert set(declared) == set(schema["properties"]), kind
        assert needed == set(schema.get("required", [])), kind
        for key, below in declared.items():
            part = schema["properties"][key]
            if typing.get_origin(below):
                below, part = typing.get_args(below)[1], part.get("additionalProperties", {})
            if is_dataclass(below):
                todo.append((below, part))
