"""What the command refuses, with which exit status, and what it leaves behind."""

import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from runtime.audio import Audio
from runtime.sound import aac
from tests import bundles
from tests.runtime.command import PHONES, Done, call

ROOT = Path(__file__).parents[2]
SPOKEN = ("--phones", PHONES)
REFERENCE = ("--ref-audio", str(bundles.EXAMPLE))
FAST = ("--verify", "size", "--threads", "1", "--seed", "7", "--provider", "cpu")


def refused(*options: str | Path, stdin: bytes = b"", bundle: Path | None = None) -> Done:
    """A call that says one line, no more, and writes nothing to standard output."""
    done = call("-m", bundle or bundles.brief(), "--quiet", *FAST, *options, stdin=stdin)
    assert done.out == b""
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1, done.err
    return done


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("",), 4, "text: there is nothing in it to speak; give words or numbers"),
        (("--text", " \n"), 4, "text: there is nothing in it to speak"),
        (("Hi", "--text", "Hi"), 2, "text: given twice; choose one of TEXT, --text and"),
        (("Hi", "--text-file", "-"), 2, "text: given twice; choose one of TEXT, --text and"),
        (("--text-file", "none.txt"), 4, "text file none.txt: No such file or directory; give a"),
        (("--phones", "HH QQ1"), 4, "phones: 'QQ1' is not in table v2, nor is anything like it;"),
        ((*SPOKEN, "--speed", "5"), 2, "--speed: 5.0 is not between 0.25 and 4"),
        ((*SPOKEN, "--top-k", "0"), 2, "--top-k: 0 is not between 1 and "),
        ((*SPOKEN, "--seed=-1"), 2, "--seed: -1 is not between 0 and "),
        (
            (*SPOKEN, "--lookahead-tokens", "2"),
            2,
            "--lookahead-tokens: 2 is not between 6 and 1500",
        ),
        ((*SPOKEN, "--ref-audio", "none.wav"), 4, "none.wav: No such file or directory; give a"),
        ((*SPOKEN, "--ref-text", "Hi."), 2, "--ref-text, --ref-lang: they go with --ref-audio"),
        ((*SPOKEN, "--ref-lang", "en"), 2, "--ref-text, --ref-lang: they go with --ref-audio"),
        (
            (*SPOKEN, *REFERENCE, "--ref-lang", "en"),
            2,
            "--ref-lang: it is the language of --ref-te",
        ),
        ((*SPOKEN, "--output-raw"), 2, "--output-raw, --output: samples go to standard output; ch"),
        ((*SPOKEN, "--dump-phones"), 2, "--dump-phones: nothing is spoken; leave out --output and"),
        ((*SPOKEN, "--provider", "warp"), 2, "provider: 'warp' is none of the back ends; use one"),
        (("--lexicon", "words.txt", "Hi"), 2, "--lexicon words.txt: not LANG=FILE; for instance"),
        (("--lexicon", "en=none.txt", "Hi"), 2, "lexicon none.txt: No such file or directory"),
    ],
)
def test_wrong_input_is_refused_in_one_line(
    tmp_path: Path, options: tuple[str, ...], code: int, words: str
) -> None:
    target = tmp_path / "hello.wav"
    done = refused("-f", target, *options)
    assert (done.code, done.err[: len(words) + 7]) == (code, f"error: {words}")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    done = refused(*SPOKEN, "-f", tmp_path / "hello.wav", bundle=tmp_path / "mia")
    assert done.code == 3
    assert done.err == (
        f"error: {tmp_path}/mia: no bundle here (manifest.json is missing); build it\n"
    )


def test_a_reference_of_two_seconds_is_refused_by_its_name(tmp_path: Path) -> None:
    sound = tmp_path / "short.wav"
    Audio(np.full(64_000, 0.1, np.float32), 32_000).save(sound)
    reference = ("--ref-audio", sound, "--ref-text", bundles.TEXT)
    done = refused(*SPOKEN, *reference, "-f", tmp_path / "hello.wav")
    assert (done.code, done.err) == (4, f"error: {sound}: 2 s long; give 3 to 10 s\n")
    assert not (tmp_path / "hello.wav").exists()


@pytest.mark.parametrize("source", ["file", "standard input"])
def test_text_that_is_not_utf8_is_refused(tmp_path: Path, source: str) -> None:
    wrong, file = "Grüße".encode("latin-1"), tmp_path / "text.txt"
    file.write_bytes(wrong)
    name = file if source == "file" else "-"
    done = refused("--text-file", name, "-f", tmp_path / "hello.wav", stdin=wrong)
    assert done.code == 4
    assert done.err == f"error: text file {name}: it is not UTF-8; save it as UTF-8\n"


@pytest.mark.parametrize("option", ["--lang", "--ref-lang"])
def test_an_unknown_language_lists_the_known_ones(option: str) -> None:
    done = refused(option, "klingon", "Hi")
    assert done.code == 2
    assert done.err.startswith(f"error: {option}: 'klingon' is none of zh, en, ja, ko, yue, auto")


@pytest.mark.parametrize("misspelt", ["--topk", "--output-ra", "-x"])
def test_a_misspelt_option_is_refused_and_not_spoken(misspelt: str) -> None:
    done = call("-m", bundles.brief(), *SPOKEN, misspelt, "1")
    assert (done.code, done.out) == (2, b"")
    assert "error: unrecognized arguments: " in done.err


def test_an_output_that_can_not_be_written_is_refused_before_anything_is_spoken(
    tmp_path: Path,
) -> None:
    for target, reason in (
        (tmp_path / "none" / "hello.wav", "its folder does not exist"),
        (tmp_path, "it is a folder"),
        (tmp_path / ("n" * 300), "File name too long"),
    ):
        done = call("-m", tmp_path / "no bundle", *SPOKEN, "-f", target)
        assert done.code == 2
        assert done.err == f"error: --output {target}: {reason}; give a file that can be written\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (
            ("-f", "hello.silk"),
            2,
            "--output hello.silk: sound is not written as '.silk'; use .wav,",
        ),
        (("-f", "a.mp3", "--format", "wav"), 2, "--output a.mp3: this is a name for mp3, not for"),
        (("--output-raw", "--format", "mp3"), 2, "--output-raw, --format: raw samples have no oth"),
    ],
)
def test_a_format_that_can_not_be_written_is_refused_before_anything_is_loaded(
    tmp_path: Path, options: tuple[str, ...], code: int, words: str
) -> None:
    done = refused(*SPOKEN, *options, bundle=tmp_path / "no bundle")
    assert (done.code, done.err[: len(words) + 7]) == (code, f"error: {words}")


def test_a_format_whose_library_is_missing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aac, "find_spec", lambda name: None)
    for output in ("hello.aac", "-"):
        done = refused(*SPOKEN, "-f", output, "--format", "aac", bundle=tmp_path / "no bundle")
        assert done.code == 5
        assert done.err.endswith(
            "format aac: PyAV is not installed; pip install '.[aac]' in the checkout\n"
        )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full here")
def test_an_output_that_fails_at_the_end_is_named_as_it_was_given() -> None:
    done = refused(*SPOKEN, "-f", "/dev/full")
    assert done.code == 2
    assert done.err == (
        "error: --output /dev/full: No space left on device; give a file that can be written\n"
    )


def test_a_refused_call_leaves_the_file_of_an_earlier_one(tmp_path: Path) -> None:
    target = tmp_path / "hello.wav"
    target.write_bytes(b"earlier")
    refused("-f", target, "--phones", "QQ")
    assert target.read_bytes() == b"earlier"


def test_the_file_is_a_whole_wav(tmp_path: Path) -> None:
    target = tmp_path / "hello.wav"
    assert call("-m", bundles.brief(), *FAST, *SPOKEN, "-f", target).code == 0
    with wave.open(str(target)) as file:
        assert file.getparams()[:4] == (1, 2, 32_000, 51 * 1_280 + 9_600)
    content = target.read_bytes()
    assert len(content) == 44 + 2 * (51 * 1_280 + 9_600)
    assert int.from_bytes(content[4:8], "little") == len(content) - 8
    assert int.from_bytes(content[40:44], "little") == len(content) - 44
    assert [path.name for path in tmp_path.iterdir()] == ["hello.wav"]


def test_a_dash_writes_the_same_wav_to_standard_output_alone(tmp_path: Path) -> None:
    target = tmp_path / "hello.wav"
    options = ("-m", bundles.brief(), *FAST, *SPOKEN, "-f")
    assert call(*options, target).out == b""
    done = call(*options, "-")
    assert (done.code, done.out) == (0, target.read_bytes())
    assert "seed: 7\n" in done.err


@pytest.mark.parametrize("output", [("--output-raw",), ("-f", "-"), ("--dump-phones",)])
def test_a_closed_pipe_ends_quietly(output: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "runtime.tts", "-m", str(bundles.brief()), *SPOKEN, *output]
    command += ["--quiet", *FAST]
    with subprocess.Popen(command, cwd=ROOT, stdout=-1, stderr=-1) as speaking:
        assert speaking.stdout is not None
        assert speaking.stderr is not None
        speaking.stdout.close()
        assert speaking.stderr.read() == b""
    assert speaking.returncode == 0


def test_the_command_ends_a_process_with_its_exit_status(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "runtime.tts", "-m", str(tmp_path), "Hi"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
