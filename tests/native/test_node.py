"""examples/js in Node: tokens and samples are Python's, and what is wrong is one line."""

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime import audio
from runtime.pack import main as pack_styles
from runtime.settings import Settings
from runtime.text import parse_phones
from runtime.text.phonemes import Piece, as_json
from runtime.voice import Voice
from tests import bundles, native_vectors
from tests.native.voices import copied, default_voice

ROOT = Path(__file__).parents[2]
JS = ROOT / "examples/js"
NODE = shutil.which("node")
pytestmark = [
    pytest.mark.skipif(NODE is None, reason="node is not installed: examples/js stays untried"),
    pytest.mark.skipif(
        not (JS / "node_modules/onnxruntime-node").is_dir(),
        reason="onnxruntime-node is not installed (make js): examples/js stays untried",
    ),
]
TEXT = (
    "IH1 T R EY1 N D IH0 N N OW0 V EH1 M B ER0 , AH0 N D DH AH0 S M AO1 L B ER1 D Z S AE1 NG"
    " IH0 N DH AH0 G AA1 R D AH0 N ."
)
SEEDS = (0, 7, 2**63 - 1)
PRECISIONS = ("fp32", "int8")


def node(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [NODE or "", *map(str, words)], capture_output=True, text=True, check=False
    )


def speak(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    return node(JS / "speak.js", *words)


@pytest.fixture(scope="module")
def phones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sentences with a pause between them, as --dump-phones prints them."""
    path = tmp_path_factory.mktemp("phones") / "phones.json"
    path.write_text(json.dumps(pieces()), "utf-8")
    return path


def pieces() -> dict[str, Any]:
    spoken = parse_phones(TEXT, "v2")
    return as_json(spoken, Piece(pause_ms=250), parse_phones("HH AH0 L OW1 .", "v2"))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_tokens_and_samples_are_those_of_python(precision: str, seed: int, tmp_path: Path) -> None:
    bundle = default_voice(precision)
    one = tmp_path / "one.json"
    one.write_text(json.dumps({"pieces": pieces()["pieces"][:1]}), "utf-8")
    done = node(ROOT / "tests/native/spoken.mjs", bundle, one, f"{seed}")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    with Voice.load(bundle, threads=1) as voice:
        for how in ("sentences", "stream"):
            made = list(getattr(voice, how)(TEXT, as_phones=True, seed=seed))
            assert [c["tokens"] for c in printed[how]] == [c.tokens.tolist() for c in made]
            assert [c["finish_reason"] for c in printed[how]] == [c.finish_reason for c in made]
            want = np.concatenate([chunk.samples for chunk in made])
            np.testing.assert_allclose(samples(printed[how]), want, atol=1e-4)
    assert len(printed["stream"]) > 1


def test_chinese_has_the_text_features_of_its_bundle(tmp_path: Path) -> None:
    """A voice of v2ProPlus with RoBERTa, tiny and random."""
    pytest.importorskip("jieba")
    bundle = copied(bundles.pro_plus(), tmp_path / "bundle")
    pack_styles(["-m", f"{bundle}", "--threads", "1"])
    phones = tmp_path / "phones.json"
    with Voice.load(bundle, threads=1) as voice:
        phones.write_text(json.dumps(as_json(*voice.read("你好。", Settings(lang="zh")))), "utf-8")
        (made,) = voice.sentences("你好。", lang="zh", seed=5)
    done = node(ROOT / "tests/native/spoken.mjs", bundle, phones, "5")
    assert done.returncode == 0, done.stderr
    (printed,) = json.loads(done.stdout)["sentences"]
    assert printed["tokens"] == made.tokens.tolist()
    np.testing.assert_allclose(samples([printed]), made.samples, atol=1e-4)


def test_an_utterance_ends_at_the_same_limit(tmp_path: Path) -> None:
    bundle = copied(default_voice("fp32"), tmp_path / "bundle")
    edit(bundle, lambda manifest: manifest["t2s"].update(max_sec=1))
    phones = tmp_path / "phones.json"
    phones.write_text(json.dumps(as_json(parse_phones(TEXT, "v2"))), "utf-8")
    with Voice.load(bundle, threads=1) as voice:
        (made,) = voice.sentences(TEXT, as_phones=True, seed=5)
    done = node(ROOT / "tests/native/spoken.mjs", bundle, phones, "5")
    (printed,) = json.loads(done.stdout)["sentences"]
    assert printed["tokens"] == made.tokens.tolist()
    assert len(printed["tokens"]) == 51
    assert printed["finish_reason"] == made.finish_reason == "early_stop"


def samples(chunks: list[dict[str, Any]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.concatenate(
        [np.frombuffer(base64.b64decode(chunk["samples"]), np.float32) for chunk in chunks]
    )


def test_a_stream_is_as_long_as_the_whole_and_has_its_tokens(phones: Path) -> None:
    done = node(ROOT / "tests/native/spoken.mjs", default_voice("fp32"), phones, "3")
    printed = json.loads(done.stdout)
    whole, streamed = printed["sentences"], printed["stream"]
    assert len(streamed) > len(whole) == 3
    for sentence in range(3):
        parts = [
            [
                token
                for chunk in chunks
                if chunk["sentence"] == sentence
                for token in chunk["tokens"]
            ]
            for chunks in (whole, streamed)
        ]
        assert parts[0] == parts[1]
    assert samples(whole).size == samples(streamed).size
    assert not samples(whole[1:2]).any()
    assert samples(whole[1:2]).size == 250 * 32


def test_golden_vectors_are_met() -> None:
    done = node(ROOT / "tests/native/vectors.mjs", native_vectors.FILE)
    assert done.returncode == 0, done.stderr
    native_vectors.compare(
        json.loads(native_vectors.FILE.read_text("utf-8")), json.loads(done.stdout)
    )


def test_the_command_writes_a_wav_that_python_reads(phones: Path, tmp_path: Path) -> None:
    output = tmp_path / "hello.wav"
    bundle = default_voice("fp32")
    done = speak("-m", bundle, "-p", phones, "-f", output, "--seed", "7", "--stream", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    printed = json.loads(done.stdout)
    sound = audio.read(output)
    assert sound.rate == 32000
    assert sound.samples.size / 32000 == pytest.approx(printed["seconds"])
    assert printed["finish_reasons"][-1] == "eos"
    assert [path.name for path in tmp_path.iterdir()] == ["hello.wav"]


def test_without_phones_the_example_is_said(tmp_path: Path) -> None:
    done = speak("-m", default_voice("fp32"), "-f", tmp_path / "a.wav", "--seed", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{tmp_path / 'a.wav'}: ")


HARM = {
    "a missing graph": (
        lambda d: (d / "prior.onnx").unlink(),
        "prior.onnx is missing; build it again",
    ),
    "a changed byte": (
        lambda d: flip(d / "vocoder.onnx"),
        "vocoder.onnx is not the file of the manifest (sha256 ",
    ),
    "a cut file": (
        lambda d: (d / "t2s_tables.npz").write_bytes(b"PK"),
        "t2s_tables.npz is not the file of the manifest (2 bytes, want ",
    ),
    "no manifest": (
        lambda d: (d / "manifest.json").unlink(),
        "no bundle here (manifest.json is mis",
    ),
    "no json": (lambda d: (d / "manifest.json").write_text("{"), "not readable as JSON ("),
    "a bundle of before": (
        lambda d: edit(d, lambda m: m.pop("loop")),
        "no 'loop', it was built bef",
    ),
    "a newer format": (
        lambda d: edit(d, lambda m: m.update(format=2)),
        "format 2, this program rea",
    ),
    "another kind": (
        lambda d: edit(d, lambda m: m["acoustic"].update(kind="cfm")),
        "a voice of kind 'cfm', which this program can't speak",
    ),
    "a path out of it": (
        lambda d: edit(d, lambda m: m["files"].update({"../x": m["files"]["prior.onnx"]})),
        "lists '../x', no file of it",
    ),
    "a missing number": (
        lambda d: edit(d, lambda m: m["loop"]["stream"].pop("blend_frames")),
        "manifest.json.loop.stream.blend_frames: no number",
    ),
    "no pack": (lambda d: (d / "styles.zip").unlink(), "no styles.zip, a voice's encoded example"),
    "a broken pack": (
        lambda d: (d / "styles.zip").write_bytes(b"PK" * 40),
        "styles.zip: no zip file",
    ),
    "another voice's pack": (
        lambda d: edit(d, lambda m: m.update(family="v1")),
        "styles.zip: default: encoded by another voice",
    ),
}


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)


def edit(bundle: Path, change: Any) -> None:
    path = bundle / "manifest.json"
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), "utf-8")


@pytest.mark.parametrize(("harm", "words"), HARM.values(), ids=HARM)
def test_a_bad_bundle_is_one_line(harm: Any, words: str, tmp_path: Path) -> None:
    bundle = copied(default_voice("int8"), tmp_path / "bundle")
    harm(bundle)
    refused(words, "-m", bundle, "-f", tmp_path / "x.wav")


def refused(words: str, *given: str | Path) -> None:
    done = speak(*given)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not readable as JSON ("),
        ("[]", "no pieces of phones; give what python -m runtime.tts --dump-phones prints"),
        ('{"pieces": [{"text": "Hello."}]}', "pieces[0]: neither segments nor a pause"),
        ('{"pieces": [{"segments": []}]}', "pieces[0]: no phones in it"),
        ('{"pieces": [{"segments": [{"ids": [1.5]}]}]}', "pieces[0].segments[0].ids: no numbers"),
        ('{"pieces": [{"pause_ms": -1}]}', "pieces[0].pause_ms: -1 is not 0 to"),
        (
            '{"pieces": [{"segments": [{"lang": "en", "ids": [99999]}]}]}',
            "ONNX Runtime can't run it",
        ),
        (json.dumps({"pieces": [{"segments": [{"lang": "en", "ids": [5] * 990}]}]}), "max_len: "),
    ],
)
def test_bad_phones_are_one_line(content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "phones.json"
    path.write_text(content)
    refused(words, "-m", default_voice("int8"), "-p", path, "-f", tmp_path / "x.wav")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--speed", "9"), "speed: 9 is not between 0.25 and 4"),
        (("--top-k", "1.5"), "top_k: 1.5 is not"),
        (("--seed=-1",), "seed: -1 is not between 0 and 9223372036854775807"),
        (("--seed", "x"), "seed: NaN is not"),
        (("--sped", "1"), "Unknown option '--sped'"),
        (("--style", "loud"), "there is no style 'loud'; there are: default"),
        (("--pack", "nowhere.zip"), "nowhere.zip: no such file"),
        (("-f", "/nowhere/x.wav"), "/nowhere/x.wav: can't be written (ENOENT)"),
    ],
)
def test_bad_settings_are_one_line(given: tuple[str, ...], words: str, tmp_path: Path) -> None:
    output = () if given[0] == "-f" else ("-f", tmp_path / "x.wav")
    refused(words, "-m", default_voice("int8"), *output, *given)
