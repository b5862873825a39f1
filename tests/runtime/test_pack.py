"""Voice packs: styles without their sound, alone and mixed, by command, Python and HTTP."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from runtime import Reference, Settings, Voice
from runtime.errors import ArtifactError, SettingError
from runtime.pack import main
from runtime.reference import pack
from tests import bundles
from tests.runtime.command import PHONES, call, spoken

OTHER = bundles.SOVITS / "ref_mono_24k.wav"
SAID = Settings(as_phones=True, seed=7)
ARGUMENTS = ["--style", f"other={OTHER}", "--threads", "1"]
WRONG = ["sad", "", "other=0", "other=x", "other=-1", "other=inf", "a,b"]
SPOKEN = ("--phones", PHONES)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a pack of two styles, and without what encodes a reference."""
    folder = tmp_path_factory.mktemp("packed") / "bundle"
    bundles.copied(bundles.brief(), folder)
    main([*ARGUMENTS, "-m", str(folder)])
    return folder


def test_a_bundle_speaks_from_its_pack_as_from_the_sound(packed: Path) -> None:
    with Voice.load(bundles.brief(), threads=1) as plain, Voice.load(packed, threads=1) as voice:
        assert voice.styles == ("default", "other")
        assert voice.synthesize(PHONES, SAID).pcm == plain.synthesize(PHONES, SAID).pcm
        wanted = plain.synthesize(PHONES, SAID, reference=Reference(OTHER)).pcm
        found = voice.synthesize(PHONES, SAID, reference=voice.style("other")).pcm
        assert found == wanted


def test_neither_sound_nor_the_networks_for_it_are_opened(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    from runtime.graphs import VoiceGraphs

    before = VoiceGraphs.open

    def noted(graphs: VoiceGraphs, graph: str) -> object:
        opened.append(graph)
        return before(graphs, graph)

    monkeypatch.setattr(VoiceGraphs, "open", noted)
    with Voice.load(packed, threads=1) as voice:
        voice.synthesize(PHONES, SAID)
    assert {"hubert", "quantizer", "style", "speaker"}.isdisjoint(opened)


def test_styles_are_mixed_by_their_shares(packed: Path) -> None:
    with Voice.load(packed, threads=1) as voice:
        one, other = voice.style("default"), voice.style("other")
        mixed = voice.style("default=3,other=1")
        for name in one.acoustic:
            mean = 0.75 * one.acoustic[name] + 0.25 * other.acoustic[name]
            np.testing.assert_allclose(mixed.acoustic[name], mean, rtol=1e-5, atol=1e-6)
        assert mixed.tokens is one.tokens
        sounds = {
            voice.synthesize(PHONES, SAID, reference=voice.style(style)).pcm
            for style in ("default", "other", "default=3,other=1")
        }
    assert len(sounds) == 3


@pytest.mark.parametrize(
    "wanted", ["sad", "", "other=0", "other=x", "other=-1", "other=inf", "a,b"]
)
def test_what_is_no_style_is_refused(packed: Path, wanted: str) -> None:
    with Voice.load(packed, threads=1) as voice, pytest.raises(SettingError, match="style: "):
        voice.style(wanted)


def test_the_command_speaks_in_a_style(packed: Path, tmp_path: Path) -> None:
    found = spoken(tmp_path, *SPOKEN, "--style", "other", bundle=packed)
    assert found == spoken(tmp_path, *SPOKEN, "--ref-audio", OTHER)
    done = call("-m", packed, *SPOKEN, "--style", "other", "--ref-audio", OTHER)
    assert (done.code, done.err[:25]) == (2, "error: --style, --ref-aud")


def test_a_pack_is_small_and_the_same_each_time(packed: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    main([*ARGUMENTS, "-m", str(bundles.brief()), "-o", str(target)])
    assert (tmp_path / "a.zip").read_bytes() == (packed / pack.NAME).read_bytes()
    assert (tmp_path / "a.zip").stat().st_size < 1 << 20


def test_a_broken_pack_is_refused_in_one_line(packed: Path, tmp_path: Path) -> None:
    folder = bundles.copied(bundles.brief(), tmp_path / "broken")
    good = (packed / pack.NAME).read_bytes()
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(evil, "w") as made:
        made.writestr("../x.npz", b"")
    for content in (b"", good[:-40], b"x" * 100, evil.read_bytes()):
        (folder / pack.NAME).write_bytes(content)
        with Voice.load(folder, threads=1) as voice, pytest.raises(ArtifactError, match=r"styles"):
            voice.synthesize(PHONES, SAID)


def test_a_pack_of_another_voice_is_refused(packed: Path, tmp_path: Path) -> None:
    folder = bundles.copied(bundles.pro_plus(), tmp_path / "other")
    (folder / pack.NAME).write_bytes((packed / pack.NAME).read_bytes())
    with Voice.load(folder, threads=1) as voice, pytest.raises(SettingError, match="reference: "):
        voice.synthesize(PHONES, SAID)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--style", "happy"], "--style happy: not NAME=VALUE"),
        (["--style", "a b=x.wav"], "--style a b=x.wav: not NAME=VALUE"),
        (["--style-text", "a=Hi."], "--style-text a: there is no --style a=FILE"),
        (["--style", f"a={OTHER}", "--style", f"a={OTHER}"], "--style a: given twice"),
        (["--style", f"a={OTHER}", "--style-lang", "a=xx"], "--style-lang: 'xx' is none of"),
    ],
)
def test_wrong_options_are_refused(options: list[str], words: str) -> None:
    with pytest.raises(SettingError, match=words.replace("(", r"\(")):
        main(["-m", str(bundles.brief()), *options])


def test_the_command_writes_subtitles_of_what_it_speaks(tmp_path: Path) -> None:
    for name in ("a.srt", "a.vtt", "a.json"):
        spoken(tmp_path, *SPOKEN, "--subtitles", tmp_path / name)
    assert (tmp_path / "a.srt").read_text("utf-8").startswith("1\n00:00:00,000 --> 00:00:02,040\n")
    assert (tmp_path / "a.vtt").read_text("utf-8").startswith("WEBVTT\n\n00:00:00.000 --> ")
    found = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert found["duration"] == pytest.approx(2.34)
    for wrong, words in (("a.txt", "use a name ending in"), ("no/a.srt", "its folder does not")):
        done = call("-m", bundles.brief(), *SPOKEN, "--subtitles", tmp_path / wrong)
        assert done.code == 2
        assert words in done.err
