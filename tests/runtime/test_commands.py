"""The console script and its table, faults of a command line, and what a user types by mistake."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from runtime import audio
from runtime.commands import COMMANDS, here
from runtime.errors import AudioError
from tests import bundles
from tests.runtime.command import PHONES, call, spoken

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def script(*words: str, cwd: Path = ROOT, path: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The console script as pip would write it."""
    code = "import sys; sys.argv[0] = 'sovits-foundry'; from sovits_foundry import main; main()"
    environment = {**os.environ, "PYTHONPATH": f"{path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-B", "-c", code, *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


def test_the_script_names_every_command_that_is_here() -> None:
    assert PROJECT["scripts"] == {"sovits-foundry": "sovits_foundry:main"}
    assert {"tts", "bench", "tune", "soak"} <= set(here()) <= set(COMMANDS)
    printed = script("--help").stdout
    assert all(f"{name} " in printed and note in printed for name, (_, note) in here().items())


@pytest.mark.parametrize("name", here())
def test_a_command_is_called_by_its_name_in_its_help(name: str) -> None:
    done = script(name, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: sovits-foundry {name} ")


def test_the_version_is_that_of_the_project() -> None:
    for words in (["--version"], ["tts", "--version"]):
        assert script(*words).stdout == f"sovits-foundry {PROJECT['version']}\n"


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["ttz"], "error: argument NAME: invalid choice: 'ttz' (choose from "),
        ([], "error: the following arguments are required: NAME; see sovits-foundry --help\n"),
        (["tts", "hi"], "error: the following arguments are required: -m/--voice; see sovits-f"),
        (["tts", "-m", "x", "--lang", "jp", "hi"], "error: --lang: 'jp' is none of zh, en, ja, "),
    ],
)
def test_a_wrong_command_line_is_one_line(words: list[str], printed: str) -> None:
    done = script(*words)
    assert done.returncode == 2
    assert done.stderr.startswith(printed)
    assert done.stderr.count("\n") == 1


def test_another_module_of_our_name_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime/__init__.py").touch()
    done = script("tts", "--help", cwd=tmp_path, path=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: sovits-foundry: another module named runtime is imported")
    assert f"{tmp_path / 'runtime'}" in done.stderr


def test_a_text_after_the_reference_is_the_text(tmp_path: Path) -> None:
    reference = ["--ref-audio", bundles.EXAMPLE]
    assert spoken(tmp_path, "--phones", *reference, PHONES) == spoken(
        tmp_path, "--phones", PHONES, *reference
    )


@pytest.mark.parametrize("last", ["none.wav", "none.flac", "none.MP3"])
def test_a_sound_that_is_not_there_is_no_text(last: str, tmp_path: Path) -> None:
    options = ["--phones", "--threads", "1", "--seed", "1", "-f", tmp_path / "a.wav"]
    done = call("-m", bundles.brief(), *options, "--ref-audio", bundles.EXAMPLE, last, stdin=b"AH0")
    assert done.code == 4
    assert f"error: {last}: No such file" in done.err


def test_a_terminal_that_is_waited_for_is_told_so(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="no terminals here")
    leader, follower = pty.openpty()
    os.write(leader, b"AH0\n\x04")
    command = [sys.executable, "-B", "-m", "runtime.tts", "-m", str(bundles.brief()), "--phones"]
    done = subprocess.run(
        [*command, "--threads", "1", "-f", str(tmp_path / "a.wav")],
        stdin=follower, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("reading the text from the terminal; Ctrl-D ends it\n")


def test_the_bundles_below_a_folder_are_named(tmp_path: Path) -> None:
    for name in ("1000/fp32", "1000/int8"):
        (tmp_path / "mia" / name).mkdir(parents=True)
        (tmp_path / "mia" / name / "manifest.json").touch()
    done = call("-m", tmp_path / "mia", "hi")
    assert done.code == 3
    assert done.err == (
        f"error: {tmp_path / 'mia'}: no bundle here (manifest.json is missing); give one of those"
        " below it: 1000/fp32, 1000/int8\n"
    )


def test_a_disk_that_is_full_is_no_fault_of_ours() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    words = ["-m", str(bundles.brief()), "--phones", "AH0", "--threads", "1", "--quiet"]
    for output in (["--output-raw"], ["-f", "-"], ["-f", "/dev/full"], ["--dump-phones"]):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [sys.executable, "-B", "-m", "runtime.tts", *words, *output],
                cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        assert done.returncode in (2, 4), output
        assert done.stderr.startswith("error: "), output
        assert done.stderr.count("\n") == 1, done.stderr
        assert "No space left" in done.stderr


def test_an_output_that_links_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    words = ["--phones", "AH0", "--threads", "1", "--quiet", "-f", tmp_path / "loop.wav"]
    done = call("-m", bundles.brief(), *words)
    assert done.code in (2, 4)
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert (tmp_path / "loop.wav").is_symlink()


def test_a_small_file_of_much_silence_does_not_fill_the_memory(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="no limits here")
    bomb = tmp_path / "bomb.flac"
    silence = np.zeros((384_000, 8), np.int16)
    with soundfile.SoundFile(bomb, "w", 384_000, 8, "PCM_16") as file:
        for _ in range(30):
            file.write(silence)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(AudioError, match="longer than 21 s of 384000 Hz and 8 channels; cut it"):
        audio.read(bomb)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # KB


def test_sound_that_is_read_in_blocks_is_the_sound_as_a_whole(tmp_path: Path) -> None:
    held = np.random.default_rng(1).uniform(-1, 1, (200_000, 2)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", held, 48_000, "FLOAT")
    found = audio.read(tmp_path / "a.wav").samples
    np.testing.assert_array_equal(found, held.mean(axis=1, dtype=np.float64).astype(np.float32))
